"""AMI events as Asterisk writes them, for tests that make up their own."""

from typing import Any


def snapshot(prefix: str = "", channel: str = "PJSIP/trunk-00000001", uid: str = "1.1", **values: str) -> dict[str, str]:
    """The headers of a channel snapshot in Asterisk's order; `values` replace some (without the prefix)."""
    headers = {
        "Channel": channel,
        "ChannelState": "6",
        "ChannelStateDesc": "Up",
        "CallerIDNum": "0612345678",
        "CallerIDName": "Jan",
        "ConnectedLineNum": "<unknown>",
        "ConnectedLineName": "<unknown>",
        "Language": "en",
        "AccountCode": "",
        "Context": "from-trunk",
        "Exten": "8001",
        "Priority": "1",
        "Uniqueid": uid,
        "Linkedid": uid,
    }
    return {prefix + key: value for key, value in (headers | values).items()}


def block(name: str, privilege: str = "call,all", **headers: Any) -> bytes:
    """One event, without the blank line that ends it."""
    lines = [f"Event: {name}", f"Privilege: {privilege}", *(f"{key}: {value}" for key, value in headers.items())]
    return "\r\n".join(lines).encode("utf-8", "surrogateescape")


def wire(*blocks: bytes) -> bytes:
    """Events as they come from the socket."""
    return b"".join(each + b"\r\n\r\n" for each in blocks)
