"""Every action this service can send to a PBX, and the one place where an action becomes bytes.

Comes in: values from settings, from the PBX's own events, and (numbers, reasons) from people. Goes out: asterisk-ami's `Action`,
then bytes. The list is closed: `encode` refuses an action, a header or a variable that is not in `_HEADERS`, so that no path
through the code can send `Command`, `Application` or `Data` (AMI.md 8: originate without them is still powerful, hence fixed
contexts and checked numbers). Limits are Asterisk 22's (main/manager.c): lines of 1,024 bytes, 128 headers; ours are tighter,
because exactly 1,023 bytes desynchronise its parser.
"""

import re
from typing import Final

from asterisk.ami import Action

MAX_LINE_BYTES: Final = 1000
MAX_HEADERS: Final = 100

# Allowed headers in the order they are sent: what we fix stands before what people give, since Asterisk takes the first match.
_HEADERS: Final[dict[str, tuple[str, ...]]] = {
    "Challenge": ("AuthType",),
    "Login": ("AuthType", "Events", "Username", "Key", "Secret"),
    "Ping": (),
    "CoreStatus": (),
    "CoreSettings": (),
    "CoreShowChannels": (),
    "BridgeList": (),
    "ParkedCalls": (),
    "QueueStatus": ("Queue",),
    "ListCommands": (),
    "ShowDialPlan": (),
    "Getvar": ("Variable",),
    "Originate": ("Async", "Context", "Priority", "Timeout", "ChannelId", "Channel", "Exten", "CallerID"),
    "Hangup": ("Cause", "Channel"),
    "Redirect": ("Context", "Priority", "Channel", "Exten"),
    "BlindTransfer": ("Context", "Channel", "Exten"),
    "Atxfer": ("Context", "Channel", "Exten"),
    "CancelAtxfer": ("Channel",),
    "Park": ("Channel", "AnnounceChannel", "Timeout"),
    "QueueAdd": ("Queue", "Penalty", "Paused", "Interface", "MemberName"),
    "QueueRemove": ("Queue", "Interface"),
    "QueuePause": ("Paused", "Queue", "Interface", "Reason"),
    "MixMonitor": ("Channel", "File", "Options"),
    "StopMixMonitor": ("Channel",),
    "MixMonitorMute": ("Direction", "State", "Channel"),
    "PJSIPNotify": ("Channel",),
}
_VARIABLES: Final[dict[str, dict[str, frozenset[str]]]] = {"PJSIPNotify": {"Event": frozenset({"talk", "hold"})}}

# What `write=` of the manager user must hold (read off ListCommands, Asterisk 22.10.1; of several, the weakest).
WRITE_CLASS: Final[dict[str, str]] = {
    "CoreStatus": "reporting",
    "CoreSettings": "reporting",
    "CoreShowChannels": "reporting",
    "ParkedCalls": "call",
    "ShowDialPlan": "reporting",
    "Getvar": "reporting",
    "Originate": "originate",
    "Hangup": "call",
    "Redirect": "call",
    "BlindTransfer": "call",
    "Atxfer": "call",
    "CancelAtxfer": "call",
    "Park": "call",
    "QueueAdd": "agent",
    "QueueRemove": "agent",
    "QueuePause": "agent",
    "MixMonitor": "system",
    "StopMixMonitor": "call",
    "MixMonitorMute": "call",
    "PJSIPNotify": "system",
}

# Actions of modules that a PBX may not have loaded.
MODULE: Final[dict[str, str]] = {
    "MixMonitor": "app_mixmonitor",
    "MixMonitorMute": "app_mixmonitor",
    "ParkedCalls": "res_parking",
    "Park": "res_parking",
    "PJSIPNotify": "res_pjsip_notify (with a pjsip_notify.conf)",
    "QueueStatus": "app_queue",
    "QueuePause": "app_queue",
    "QueueAdd": "app_queue",
    "QueueRemove": "app_queue",
    "StopMixMonitor": "app_mixmonitor",
}

_NUMBER: Final = re.compile(r"[0-9*#+]{1,32}")
_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,79}")
_CHANNEL: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*/[A-Za-z0-9_.@/+:;=*#-]{1,120}")
_INTERFACE: Final = re.compile(r"(PJSIP|Local|SIP)/[A-Za-z0-9_.@/-]{1,120}")
_UNIQUE: Final = re.compile(r"[A-Za-z0-9_.-]{1,149}")
_ACTION_ID: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_FILE: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,199}")
_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f]")
_CONFIG_PART: Final = re.compile(
    r"(?!secret)[A-Za-z0-9_.-]{1,79}(\([a-z]{1,20}\([A-Za-z]{1,40}\),[a-z]{1,20}\([A-Za-z]{1,40}\)\))?"
)
_READABLE: Final = re.compile(
    rf"AST_CONFIG\({_CONFIG_PART.pattern},{_CONFIG_PART.pattern},{_CONFIG_PART.pattern}(,[0-9]{{1,2}})?\)"
    r"|DIALPLAN_EXISTS\([A-Za-z0-9_-]{1,79}(,[0-9*#+]{1,32},1)?\)"
    r"|QUEUE_EXISTS\([A-Za-z0-9_.-]{1,79}\)|IFMODULE\([a-z0-9_]{1,60}\.so\)|STRFTIME\(,,%z\)|[A-Za-z_][A-Za-z0-9_]{0,79}"
)
"""All that `Getvar` may ask: it evaluates dialplan functions, and some of those do things. No secret is ever asked for."""


def encode(action: Action, action_id: str) -> bytes:
    """The bytes of one action, ending in the one blank line.

    Raises ValueError for anything that is not on the list, for a control character anywhere, a line over 1,000 bytes, more than
    100 headers, a channel that Asterisk would read as a pattern (`/…`) or as several (`&`), and text that is not valid Unicode.
    """
    allowed = _HEADERS.get(action.name)
    if allowed is None:
        raise ValueError(f"{action.name!r} is not an action of this service")
    unknown = set(action.keys) - set(allowed)
    if unknown:
        raise ValueError(f"{action.name} has no header {sorted(map(str, unknown))}")
    headers = [("Action", action.name), ("ActionID", _checked(_ACTION_ID, action_id, "ActionID"))]
    headers += [(key, action.keys[key]) for key in allowed if key in action.keys]
    headers += [("Variable", f"{name}={_variable(action.name, name, value)}") for name, value in action.variables.items()]
    if action.name == "Getvar":
        _checked(_READABLE, str(action.keys.get("Variable", "")), "question")
    if len(headers) > MAX_HEADERS:
        raise ValueError(f"{action.name} has {len(headers)} headers, at most {MAX_HEADERS} are sent")
    return b"".join(_line(key, value) for key, value in headers) + b"\r\n"


def _line(key: str, value: object) -> bytes:
    if not isinstance(value, str):
        raise ValueError(f"{key} is not text")
    if _UNPRINTABLE.search(value):
        raise ValueError(f"{key} holds a control character")
    if key in {"Channel", "AnnounceChannel", "Interface"} and (value.startswith("/") or "&" in value):
        raise ValueError(f"{key} must name one channel")
    line = f"{key}: {value}\r\n".encode()
    if len(line) > MAX_LINE_BYTES:
        raise ValueError(f"{key} is {len(line)} bytes long, at most {MAX_LINE_BYTES} are sent")
    return line


def _variable(action_name: str, name: str, value: object) -> str:
    if value not in _VARIABLES.get(action_name, {}).get(name, frozenset()):
        raise ValueError(f"{action_name} takes no variable {name!r} of that value")
    return str(value)


def _checked(pattern: re.Pattern[str], value: str, what: str) -> str:
    if not pattern.fullmatch(value):
        raise ValueError(f"not a valid {what}: {value[:40]!r}")
    return value


def number(value: str) -> str:
    """A number that may be dialled: digits, `*`, `#`, `+`, at most 32. ValueError for anything else."""
    return _checked(_NUMBER, value, "number")


def _channel(value: str) -> str:
    return _checked(_CHANNEL, value, "channel")


def _interface(value: str) -> str:
    return _checked(_INTERFACE, value, "interface")


def challenge() -> Action:
    """Asks for the digits that `login_md5` proves the secret with."""
    return Action("Challenge", {"AuthType": "MD5"})


def login_plain(username: str, secret: str, *, events: str) -> Action:
    """`events` is the mask set together with the login, so that nothing is missed or unwanted: classes or `off`."""
    return Action("Login", {"Username": username, "Secret": secret, "Events": events})


def login_md5(username: str, key: str, *, events: str) -> Action:
    """`key` is the hexadecimal MD5 of the challenge followed by the secret."""
    return Action("Login", {"AuthType": "MD5", "Username": username, "Key": key, "Events": events})


def ping() -> Action:
    return Action("Ping")


def core_status() -> Action:
    """Tells when this Asterisk process started: the sign of a restart."""
    return Action("CoreStatus")


def core_settings() -> Action:
    """Tells Asterisk's version and system name."""
    return Action("CoreSettings")


def core_show_channels() -> Action:
    return Action("CoreShowChannels")


def bridge_list() -> Action:
    return Action("BridgeList")


def parked_calls() -> Action:
    return Action("ParkedCalls")


def queue_status(queue: str | None = None) -> Action:
    """Queues, their members and waiting callers; all queues without `queue`."""
    return Action("QueueStatus", {} if queue is None else {"Queue": _checked(_NAME, queue, "queue")})


def list_commands() -> Action:
    """One response with every action the user may send, as its header names."""
    return Action("ListCommands")


def show_dialplan() -> Action:
    """Every step of the whole dialplan, as the PBX has it in memory."""
    return Action("ShowDialPlan")


def config_value(file: str, section: str, name: str, *, index: int = 0) -> Action:
    """One line of a configuration file as it stands on the PBX's disk now (which may not be loaded yet); empty where absent.

    `index` counts lines of the same name from 0. The answer's `Value`; needs Asterisk's module func_config.
    """
    for part in (file, section, name):
        _checked(_CONFIG_PART, part, "part of a configuration line")
    return Action("Getvar", {"Variable": f"AST_CONFIG({file},{section},{name}{f',{index}' if index else ''})"})


def dialplan_exists(context: str, exten: str | None = None) -> Action:
    """`Value` 1 where the context, or the extension in it, is in the dialplan in memory; 0 where not."""
    _checked(_NAME, context, "context")
    return Action("Getvar", {"Variable": f"DIALPLAN_EXISTS({context}{f',{number(exten)},1' if exten else ''})"})


def queue_exists(queue: str) -> Action:
    """`Value` 1 where the PBX knows the queue, one kept in a database included; 0 where not."""
    return Action("Getvar", {"Variable": f"QUEUE_EXISTS({_checked(_NAME, queue, 'queue')})"})


def module_loaded(module: str) -> Action:
    """`Value` 1 where the module (`cel_custom`) is loaded; 0 where not."""
    return Action("Getvar", {"Variable": f"IFMODULE({module}.so)"})


def global_variable(name: str) -> Action:
    """A variable of `[globals]`, or one of Asterisk's own as `ENTITYID`; empty where there is none."""
    return Action("Getvar", {"Variable": name})


def utc_offset() -> Action:
    """The PBX's offset from UTC now, as `+0100`."""
    return Action("Getvar", {"Variable": "STRFTIME(,,%z)"})


def originate(*, channel: str, context: str, exten: str, caller_id: str, channel_id: str, timeout_seconds: int = 30) -> Action:
    """Rings `channel`, then sends it to `exten` of the fixed `context`; `channel_id` becomes its Uniqueid.

    Always `Async: true`: a synchronous Originate stops the session until the phone is answered. The result is an
    `OriginateResponse` event with the action's ActionID.
    """
    if not 1 <= timeout_seconds <= 300:
        raise ValueError(f"timeout_seconds is {timeout_seconds}, not within 1 to 300")
    return Action(
        "Originate",
        {
            "Async": "true",
            "Context": _checked(_NAME, context, "context"),
            "Priority": "1",
            "Timeout": str(timeout_seconds * 1000),
            "ChannelId": _checked(_UNIQUE, channel_id, "channel id"),
            "Channel": _interface(channel),
            "Exten": number(exten),
            "CallerID": number(caller_id),
        },
    )


def hangup(channel: str, *, cause: int = 16) -> Action:
    """`cause` is a Q.850 cause, 16 = normal clearing; without one Asterisk reports cause 0."""
    if not 0 <= cause <= 127:
        raise ValueError(f"cause {cause} is not within 0 to 127")
    return Action("Hangup", {"Channel": _channel(channel), "Cause": str(cause)})


def redirect(channel: str, *, context: str, exten: str) -> Action:
    """Pulls the channel out of what it does, a queue included (which then counts an abandoned call), to the extension."""
    return Action(
        "Redirect",
        {"Channel": _channel(channel), "Context": _checked(_NAME, context, "context"), "Exten": number(exten), "Priority": "1"},
    )


def blind_transfer(channel: str, *, context: str, exten: str) -> Action:
    """`channel` is the transferring party's; its peer goes to the extension, and success means only that this exists."""
    return Action("BlindTransfer", _transfer(channel, context, exten))


def attended_transfer(channel: str, *, context: str, exten: str) -> Action:
    """Starts a consultation: Asterisk types the `atxfer` feature code on `channel`; features.conf and option t/T must let it."""
    return Action("Atxfer", _transfer(channel, context, exten))


def _transfer(channel: str, context: str, exten: str) -> dict[str, str]:
    return {"Channel": _channel(channel), "Context": _checked(_NAME, context, "context"), "Exten": number(exten)}


def cancel_attended_transfer(channel: str) -> Action:
    return Action("CancelAtxfer", {"Channel": _channel(channel)})


def park(channel: str, *, announce_to: str, timeout_seconds: int = 45) -> Action:
    """Parks `channel` in the default lot; after `timeout_seconds` it comes back to `announce_to`."""
    return Action(
        "Park",
        {"Channel": _channel(channel), "AnnounceChannel": _channel(announce_to), "Timeout": str(timeout_seconds * 1000)},
    )


def queue_add(queue: str, interface: str, *, member_name: str, penalty: int = 0) -> Action:
    return Action(
        "QueueAdd",
        {
            "Queue": _checked(_NAME, queue, "queue"),
            "Interface": _interface(interface),
            "MemberName": member_name,
            "Penalty": str(penalty),
            "Paused": "false",
        },
    )


def queue_remove(queue: str, interface: str) -> Action:
    return Action("QueueRemove", {"Queue": _checked(_NAME, queue, "queue"), "Interface": _interface(interface)})


def queue_pause(interface: str, *, paused: bool, reason: str | None = None, queue: str | None = None) -> Action:
    """Pauses the member in one queue, or without `queue` in all of its queues; `reason` is free text of at most 80 characters."""
    keys = {"Paused": "true" if paused else "false", "Interface": _interface(interface)}
    if queue is not None:
        keys["Queue"] = _checked(_NAME, queue, "queue")
    if reason:
        if len(reason) > 80:
            raise ValueError("a pause reason has at most 80 characters")
        keys["Reason"] = reason
    return Action("QueuePause", keys)


def record_channel(channel: str, *, file: str) -> Action:
    """Records into `file` (a plain name; Asterisk's monitor directory) while the channel is bridged. Needs write class system."""
    return Action("MixMonitor", {"Channel": _channel(channel), "File": _checked(_FILE, file, "file name"), "Options": "b"})


def stop_recording(channel: str) -> Action:
    return Action("StopMixMonitor", {"Channel": _channel(channel)})


def mute_recording(channel: str, *, muted: bool) -> Action:
    """Silence instead of speech in the recording, for a card number said aloud."""
    return Action("MixMonitorMute", {"Channel": _channel(channel), "Direction": "both", "State": "1" if muted else "0"})


def phone_talk(channel: str) -> Action:
    """Asks the phone itself, by a NOTIFY `Event: talk` inside its dialog, to answer, or to resume a call it holds.

    AMI has no answer and no hold of its own: only the phone can do these. Phones that know `talk` and `hold` (Polycom, Yealink,
    Snom, Grandstream, where switched on) do; others ignore it, and Asterisk answers `NOTIFY sent` all the same, so success shows
    only in the events that follow. PJSIP channels only; needs write class system.
    """
    return Action("PJSIPNotify", {"Channel": _pjsip(channel)}, {"Event": "talk"})


def phone_hold(channel: str) -> Action:
    """Asks the phone to hold its call; see `phone_talk` for what that takes."""
    return Action("PJSIPNotify", {"Channel": _pjsip(channel)}, {"Event": "hold"})


def _pjsip(channel: str) -> str:
    if not channel.startswith("PJSIP/"):
        raise ValueError(f"not a PJSIP channel: {channel[:40]!r}")
    return _channel(channel)
