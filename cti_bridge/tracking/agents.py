"""Queue members as the PBX reports them, in events and in listings: one shape for both."""

import re

from cti_bridge.ami.messages import AmiEvent
from cti_bridge.domain.agent import DEVICE_STATES, PhoneState, QueueMember
from cti_bridge.domain.call import Extension
from cti_bridge.domain.call_events import AnomalyKind, MemberChanged, MemberRemoved
from cti_bridge.tracking.channels import extension_of
from cti_bridge.tracking.draft import moment
from cti_bridge.tracking.switch import Switch

_MEMBER = re.compile(
    rb"\r\nQueue: (.*)\r\n(?:Member)?Name: (.*)\r\n(?:Interface|Location): (.*)\r\nStateInterface: (.*)\r\n"
    rb"Membership:.*\r\nPenalty: (\d{1,9})\r\nCallsTaken:.*\r\nLastCall:.*\r\n(?:LastPause:.*\r\n)?(?:LoginTime:.*\r\n)?"
    rb"(?:InCall:.*\r\n)?Status: (\d)\r\nPaused: (\d)\r\nPausedReason: (.*)"
)
"""A seat as events and listings write it, header by header (app_queue.c, Asterisk 22): read at once, for these are the most."""

_PHONES = {str(number).encode(): state for number, state in enumerate(DEVICE_STATES)}


def changed(switch: Switch, event: AmiEvent, at: float) -> None:
    """QueueMemberStatus, -Pause, -Penalty, -Added: one event for each queue of the member. QueueMember: an item of QueueStatus,
    where Name and Location stand for MemberName and Interface.
    """
    match = _MEMBER.search(event.block)
    if match is None:
        switch.anomaly(AnomalyKind.MALFORMED_EVENT, f"{event.name} lacks headers", at)
        return
    queue, name, location, state_interface, penalty, status, paused, reason = match.groups()
    interface = location.decode("utf-8", "replace")
    member = QueueMember(
        pbx=switch.pbx,
        queue=queue.decode("utf-8", "replace"),
        agent=Extension(extension_of(state_interface.decode("utf-8", "replace") or interface)),
        interface=interface,
        name=name.decode("utf-8", "replace"),
        paused=paused == b"1",
        pause_reason=reason.strip().decode("utf-8", "replace") or None,
        penalty=int(penalty),
        phone=_PHONES.get(status, PhoneState.UNKNOWN),
    )
    switch.out.append(MemberChanged(member=member, at=moment(at)))


def removed(switch: Switch, event: AmiEvent, at: float) -> None:
    agent = Extension(extension_of(event.get("StateInterface") or event.get("Interface")))
    switch.out.append(MemberRemoved(pbx=switch.pbx, queue=event.get("Queue"), agent=agent, at=moment(at)))
