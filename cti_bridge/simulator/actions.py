"""AMI's actions on the simulated PBX, answered in Asterisk 22's words. A table, so that what is known can be seen at a glance.

Not among them: Park, Command, Filter, Setvar and others; they get Asterisk's answer for an action that no module offers.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from cti_bridge.simulator import listings
from cti_bridge.simulator.channels import Channel
from cti_bridge.simulator.dialplan import Order
from cti_bridge.simulator.exchange import Exchange
from cti_bridge.simulator.lines import CannotDoThat
from cti_bridge.simulator.request import Message, Request, error, success
from cti_bridge.simulator.wire import UNKNOWN

LONGEST_CHANNEL_ID = 149


def originate(exchange: Exchange, request: Request) -> list[Message]:
    problem = _wrong_with_originate(exchange, request)
    if problem is not None:
        return [error(request, problem)]
    technology, _, endpoint = request.get("Channel").partition("/")
    name, number = _caller_id(request.get("CallerID"))

    def tell(channel: Channel | None, reason: int) -> None:
        headers = [
            *request.tag,
            ("Response", "Success" if channel else "Failure"),
            ("Channel", channel.name if channel else request.get("Channel")),
            ("Context", request.get("Context")),
            ("Exten", request.get("Exten")),
            ("Reason", str(reason)),
            ("Uniqueid", channel.uniqueid if channel else UNKNOWN),
            ("CallerIDNum", number or UNKNOWN),
            ("CallerIDName", name or UNKNOWN),
        ]
        exchange.switch.emit("OriginateResponse", "call", headers)

    phone = exchange.phones.get(endpoint) if technology == "PJSIP" else None
    if phone is None:
        tell(None, 0)
    else:
        order = Order(
            agent=phone.agent,
            context=request.get("Context"),
            exten=request.get("Exten"),
            ring_seconds=int(request.get("Timeout") or "30000") / 1000,
            caller_number=number,
            caller_name=name,
            channel_id=request.get("ChannelId") or None,
            tell=tell,
        )
        exchange.spawn(exchange.dialplan.originate(order), f"originate {phone.agent.extension}")
    return [success(request, "Originate successfully queued")]


def _wrong_with_originate(exchange: Exchange, request: Request) -> str | None:
    channel, timeout = request.get("Channel"), request.get("Timeout")
    checks = (
        (not channel, "Channel not specified"),
        (not re.fullmatch(r"[^/]+/.+", channel), "Invalid channel"),
        (bool(timeout) and not _is_count(timeout), "Invalid timeout"),
        (len(request.get("ChannelId")) > LONGEST_CHANNEL_ID, f"Uniqueid length exceeds maximum of {LONGEST_CHANNEL_ID}"),
        (exchange.dialplan.target(request.get("Context"), request.get("Exten")) is None, "Extension does not exist."),
        (not _is_true(request.get("Async")), "This simulated PBX takes Originate with Async: true only"),
    )
    return next((message for wrong, message in checks if wrong), None)


def _caller_id(text: str) -> tuple[str | None, str | None]:
    """`"Name" <number>`, `Name <number>` or a number alone: name, number."""
    match = re.fullmatch(r'\s*"?([^"<]*?)"?\s*<([^>]*)>\s*', text)
    if match:
        return match[1] or None, match[2] or None
    return None, text.strip() or None


def hang_up(exchange: Exchange, request: Request) -> list[Message]:
    name, cause = request.get("Channel"), request.get("Cause") or "0"
    if not name:
        return [error(request, "No channel specified")]
    channel = exchange.switch.channels.get(name)
    if channel is None:
        return [error(request, "No such channel")]
    exchange.lines.hang_up_by_pbx(channel, int(cause) if _is_count(cause) else 0)
    return [success(request, "Channel Hungup")]


def redirect(exchange: Exchange, request: Request) -> list[Message]:
    name, context, exten = request.get("Channel"), request.get("Context"), request.get("Exten")
    missing = next((key for key in ("Channel", "Exten", "Context", "Priority") if not request.get(key)), None)
    if missing is not None:
        return [error(request, f"{missing} not specified")]
    channel = exchange.switch.channels.get(name)
    if channel is None:
        return [error(request, f"Channel does not exist: {name}")]
    if request.get("ExtraChannel"):
        return [error(request, "This simulated PBX redirects one channel at a time")]
    try:
        exchange.lines.redirect(channel, context, exten)
    except CannotDoThat as why:
        return [error(request, str(why))]
    return [success(request, "Redirect successful")]


def blind_transfer(exchange: Exchange, request: Request) -> list[Message]:
    name, exten = request.get("Channel"), request.get("Exten")
    if not name:
        return [error(request, "No channel specified")]
    if not exten:
        return [error(request, "No extension specified")]
    channel = exchange.switch.channels.get(name)
    if channel is None:
        return [error(request, "Channel specified does not exist")]
    try:
        exchange.lines.transfer(channel, request.get("Context") or channel.context, exten)
    except CannotDoThat as why:
        return [error(request, str(why))]
    return [success(request, "Transfer succeeded")]


def attended_transfer(exchange: Exchange, request: Request) -> list[Message]:
    """As on a PBX whose features.conf names no `atxfer` code; phones transfer by REFER."""
    if not request.get("Channel"):
        return [error(request, "No channel specified")]
    if not request.get("Exten"):
        return [error(request, "No extension specified")]
    if request.get("Channel") not in exchange.switch.channels:
        return [error(request, "Channel specified does not exist")]
    return [error(request, "No attended transfer feature code found")]


def queue_pause(exchange: Exchange, request: Request) -> list[Message]:
    interface, paused = request.get("Interface"), request.get("Paused")
    if not interface or not paused:
        return [error(request, "Need 'Interface' and 'Paused' parameters.")]
    on = _is_true(paused)
    queue = request.get("Queue") or None
    if not exchange.queues.pause(interface, paused=on, reason=request.get("Reason"), queue_name=queue):
        return [error(request, "Interface not found")]
    return [success(request, "Interface paused successfully" if on else "Interface unpaused successfully")]


def pjsip_notify(exchange: Exchange, request: Request) -> list[Message]:
    """PJSIPNotify with `Variable: Event=talk|hold`: the remote buttons of a desk phone. Takes Endpoint, URI or Channel."""
    endpoint, uri, name = request.get("Endpoint"), request.get("URI"), request.get("Channel")
    given = [value for value in (endpoint, uri, name) if value]
    if len(given) != 1:
        only = "  You must use only one of them." if given else ""
        return [error(request, f"PJSIPNotify requires either an endpoint name, a SIP URI, or a channel.{only}")]
    if request.get("Option"):
        return [error(request, f"Unable to find notify type '{request.get('Option')}'")]
    sip_event = next((value for key, value in request.variables().items() if key.lower() == "event"), "")
    if name:
        channel = exchange.switch.channels.get(name)
        if channel is None:
            return [error(request, "Channel not found")]
        phone = exchange.phones.get(channel.endpoint)
        if phone is not None:
            phone.notify(sip_event, channel)
    elif endpoint:
        extension = re.sub(r"^(pj)?sip/", "", endpoint, flags=re.IGNORECASE)
        if extension not in exchange.phones:
            return [error(request, f"Unable to retrieve endpoint {extension}")]
        exchange.phones[extension].notify(sip_event)
    return [success(request, "NOTIFY sent")]


def _is_true(text: str) -> bool:
    return text.lower() in {"1", "true", "yes", "on", "y", "t"}


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 9


@dataclass(frozen=True, slots=True)
class Known:
    """An action, with the privilege and synopsis that ListCommands shows."""

    act: Callable[[Exchange, Request], list[Message]]
    privilege: str
    synopsis: str


ACTIONS: dict[str, Known] = {
    "Atxfer": Known(attended_transfer, "call,all", "Attended transfer."),
    "BlindTransfer": Known(blind_transfer, "call,all", "Blind transfer channel(s) to the given destination"),
    "BridgeInfo": Known(listings.bridge_info, "<none>", "Get information about a bridge."),
    "BridgeList": Known(listings.bridge_list, "<none>", "Get a list of bridges in the system."),
    "ConfbridgeListRooms": Known(listings.confbridge_rooms, "reporting,all", "List active conferences."),
    "CoreSettings": Known(listings.core_settings, "system,reporting,all", "Show PBX core settings (version etc)."),
    "CoreShowChannels": Known(listings.core_show_channels, "system,reporting,all", "List currently active channels."),
    "CoreStatus": Known(listings.core_status, "system,reporting,all", "Show PBX core status variables."),
    "DeviceStateList": Known(listings.device_states, "call,reporting,all", "List the current known device states."),
    "Hangup": Known(hang_up, "system,call,all", "Hangup channel."),
    "Originate": Known(originate, "originate,all", "Originate a call."),
    "ParkedCalls": Known(listings.parked_calls, "call,all", "List parked calls."),
    "PJSIPNotify": Known(
        pjsip_notify, "system,all", "Send NOTIFY to either an endpoint, an arbitrary URI, or inside a SIP dialog."
    ),
    "QueuePause": Known(queue_pause, "agent,all", "Makes a queue member temporarily unavailable."),
    "QueueStatus": Known(listings.queue_status, "<none>", "Show queue status."),
    "QueueSummary": Known(listings.queue_summary, "<none>", "Show queue summary."),
    "Redirect": Known(redirect, "call,all", "Redirect (transfer) a call."),
    "Status": Known(listings.status, "system,call,reporting,all", "List channel status."),
}
"""Login, Logoff, Challenge, Ping, Events and ListCommands belong to the session."""

_BY_LOWER_NAME = {name.lower(): known for name, known in ACTIONS.items()}


def find(name: str) -> Known | None:
    """The action of that name, whatever its case."""
    return _BY_LOWER_NAME.get(name.lower())
