"""An AMI action as it was read, and the shapes of Asterisk's answers to one. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from cti_bridge.simulator.wire import Header

Message = list[Header]


@dataclass(frozen=True, slots=True)
class Request:
    headers: tuple[Header, ...]

    def get(self, key: str) -> str:
        """The first value of that key, whatever its case; empty where there is none (astman_get_header)."""
        wanted = key.lower()
        return next((value for name, value in self.headers if name.lower() == wanted), "")

    def variables(self) -> dict[str, str]:
        """All `Variable: name=value,name=value` headers."""
        pairs: dict[str, str] = {}
        for name, value in self.headers:
            if name.lower() == "variable":
                for pair in value.split(","):
                    key, _, text = pair.partition("=")
                    pairs[key.strip()] = text.strip()
        return pairs

    @property
    def tag(self) -> list[Header]:
        """The ActionID to echo."""
        action_id = self.get("ActionID")
        return [("ActionID", action_id)] if action_id else []


def success(request: Request, message: str | None = None, *more: Header) -> Message:
    text = [("Message", message)] if message is not None else []
    return [("Response", "Success"), *request.tag, *text, *more]


def error(request: Request, message: str) -> Message:
    return [("Response", "Error"), *request.tag, ("Message", message)]


def listing(request: Request, message: str, items: Iterable[Message], complete: str, *more: Header) -> list[Message]:
    """A list answer: start, items, and the completing event with its count."""
    body = list(items)
    start = [("Response", "Success"), *request.tag, ("EventList", "start"), ("Message", message)]
    count = str(len(body))
    end = [("Event", complete), *request.tag, ("EventList", "Complete"), ("ListItems", count), *more]
    return [start, *body, end]
