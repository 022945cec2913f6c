"""Queue members as the PBX reports them, in events and in listings: one shape for both."""

import re

from cti_bridge.ami.messages import AmiEvent
from cti_bridge.domain.agent import DEVICE_STATES, PhoneState, QueueMember
from cti_bridge.domain.call import Extension
from cti_bridge.domain.call_events import MemberChanged, MemberRemoved
from cti_bridge.tracking.channels import extension_of
from cti_bridge.tracking.draft import moment
from cti_bridge.tracking.switch import Switch

_NUMBER = re.compile(r"\d{1,9}\Z")


def changed(switch: Switch, event: AmiEvent, at: float) -> None:
    """QueueMemberStatus, -Pause, -Penalty, -Added: one event for each queue of the member."""
    switch.out.append(MemberChanged(member=_member(switch, event, "MemberName", "Interface"), at=moment(at)))


def listed(switch: Switch, event: AmiEvent, at: float) -> None:
    """An item of QueueStatus: Name and Location there are MemberName and Interface in events (Asterisk 22)."""
    switch.out.append(MemberChanged(member=_member(switch, event, "Name", "Location"), at=moment(at)))


def removed(switch: Switch, event: AmiEvent, at: float) -> None:
    agent = Extension(extension_of(event.get("StateInterface") or event.get("Interface")))
    switch.out.append(MemberRemoved(pbx=switch.pbx, queue=event.get("Queue"), agent=agent, at=moment(at)))


def _member(switch: Switch, event: AmiEvent, name: str, interface: str) -> QueueMember:
    location = event.get(interface)
    status = _number(event.get("Status"))
    return QueueMember(
        pbx=switch.pbx,
        queue=event.get("Queue"),
        agent=Extension(extension_of(event.get("StateInterface") or location)),
        interface=location,
        name=event.get(name),
        paused=event.get("Paused") == "1",
        pause_reason=event.get("PausedReason") or None,
        penalty=_number(event.get("Penalty")),
        phone=DEVICE_STATES[status] if status < len(DEVICE_STATES) else PhoneState.UNKNOWN,
    )


def _number(text: str) -> int:
    return int(text) if _NUMBER.match(text) else 0
