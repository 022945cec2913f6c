"""Queue members as the PBX reports them, in events and in listings: one shape for both."""

from functools import lru_cache
from typing import Final

from cti_bridge.ami.messages import AmiEvent
from cti_bridge.domain.agent import DEVICE_STATES, PhoneState, QueueMember
from cti_bridge.domain.call import Extension
from cti_bridge.domain.call_events import MemberChanged, MemberRemoved
from cti_bridge.tracking.channels import extension_of
from cti_bridge.tracking.draft import moment
from cti_bridge.tracking.switch import Switch

_PHONES: Final = {str(number): state for number, state in enumerate(DEVICE_STATES)}


def changed(switch: Switch, event: AmiEvent, at: float) -> None:
    """QueueMemberStatus, -Pause, -Penalty, -Added: one event for each queue of the member."""
    member = _member(
        switch.pbx,
        *event.several("Queue", "MemberName", "Interface", "StateInterface", "Penalty", "Status", "Paused", "PausedReason"),
    )
    switch.out.append(MemberChanged(member, moment(at)))


def listed(switch: Switch, event: AmiEvent, at: float) -> None:
    """QueueMember: an item of QueueStatus, where Name and Location stand for MemberName and Interface."""
    member = _member(
        switch.pbx, *event.several("Queue", "Name", "Location", "StateInterface", "Penalty", "Status", "Paused", "PausedReason")
    )
    switch.out.append(MemberChanged(member, moment(at)))


@lru_cache(maxsize=8192)
def _member(
    pbx: str,
    queue: str,
    name: str,
    interface: str,
    state_interface: str,
    penalty: str,
    status: str,
    paused: str,
    reason: str,
) -> QueueMember:
    """Kept, because seats are reported more often than anything else, and their states come again and again."""
    return QueueMember(
        pbx=pbx,
        queue=queue,
        agent=Extension(extension_of(state_interface or interface)),
        interface=interface,
        name=name,
        paused=paused == "1",
        pause_reason=reason.strip() or None,
        penalty=int(penalty) if penalty.isdecimal() and len(penalty) < 10 else 0,
        phone=_PHONES.get(status, PhoneState.UNKNOWN),
    )


def removed(switch: Switch, event: AmiEvent, at: float) -> None:
    agent = Extension(extension_of(event.get("StateInterface") or event.get("Interface")))
    switch.out.append(MemberRemoved(pbx=switch.pbx, queue=event.get("Queue"), agent=agent, at=moment(at)))
