"""Where a value stands in a JSON document, as `customer.phones[0].number`: names with dots between, places in lists from 0."""

import re
from typing import Any, Final

JsonPath = tuple[str | int, ...]

_STEP: Final = re.compile(r"([^.\[\]\s][^.\[\]]*)?((?:\[[0-9]{1,4}\])*)")
_LONGEST: Final = 200


def json_path(text: str) -> JsonPath:
    """The path; none at all ("") is the document itself. Raises ValueError where the text is no path."""
    if not text:
        return ()
    if len(text) > _LONGEST or not text.isprintable():
        raise ValueError(f"a path has at most {_LONGEST} characters, and none that cannot be seen")
    path: list[str | int] = []
    for number, step in enumerate(text.split(".")):
        found = _STEP.fullmatch(step)
        if not found or not step or (found[1] is None and number):
            raise ValueError(f"{text!r} is no path: write names with dots between and places in lists, as items[0].name")
        path += [found[1]] if found[1] is not None else []
        path += [int(place) for place in re.findall(r"[0-9]+", found[2])]
    return tuple(path)


def value_at(document: Any, path: JsonPath) -> Any:
    """What stands there. Raises LookupError where the path leads nowhere."""
    here = document
    for step in path:
        match here, step:
            case dict(), str():
                here = here[step]
            case list(), int():
                here = here[step]
            case _:
                raise LookupError(f"no {step!r} in a {type(here).__name__}")
    return here
