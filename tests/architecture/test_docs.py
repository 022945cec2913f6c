"""The documents name what people rely on: metrics, commands, close codes, log events, settings. Their links lead somewhere."""

import ast
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer.core
from prometheus_client import CollectorRegistry
from pydantic import BaseModel
from typer.main import get_command

from config.settings import PbxSettings, Settings
from cti_bridge.cli import app
from cti_bridge.external.adapters import ExternalMetrics
from cti_bridge.live.board import Board
from cti_bridge.record.metrics import AuditMetrics
from cti_bridge.state import ProcessMetrics
from screen_pop import wire
from screen_pop.metrics import WebMetrics

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
PRODUCT = ("cti_bridge", "screen_pop", "routing", "storage", "config")


def page(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def test_every_metric_is_explained() -> None:
    registry = CollectorRegistry()
    WebMetrics(registry)
    board = Board(since=datetime.now(UTC), service_level_seconds=20, short_abandon_seconds=5, wrap_up_seconds=30)
    registry.register(ProcessMetrics(board, {}, dict.fromkeys(counted_components(), dict)))
    registry.register(AuditMetrics(dict))
    registry.register(ExternalMetrics(()))

    names = {metric.name + ("_total" if metric.type == "counter" else "") for metric in registry.collect()}

    assert len(names) > 15
    assert {name for name in names if f"`{name}`" not in page("docs/operations.md")} == set()


def counted_components() -> list[str]:
    """The keys of the dictionary that the root hands to ProcessMetrics."""
    tree = ast.parse((ROOT / "cti_bridge" / "app.py").read_text("utf-8"))
    (register,) = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == "_register_metrics")
    (counters,) = (node for node in ast.walk(register) if isinstance(node, ast.Dict))
    return [ast.literal_eval(key) for key in counters.keys if key is not None]


def test_every_command_is_in_the_readme_and_no_other() -> None:
    readme = page("README.md")
    commands = set(leaf_commands(get_command(app), ()))
    table = readme.partition("## Commands")[2].partition("\n## ")[0]
    told = {first.split(" ", 1)[0] for first in re.findall(r"`cti-bridge ([a-z].*?)`", table)}

    assert {command for command in commands if f"`cti-bridge {command}" not in table and f"`{command}`" not in table} == set()
    assert told == {command.split(" ")[0] for command in commands}


def leaf_commands(command: object, path: tuple[str, ...]) -> Iterator[str]:
    if isinstance(command, typer.core.TyperGroup):
        for name, inner in command.commands.items():
            yield from leaf_commands(inner, (*path, name))
    else:
        yield " ".join(path)


def test_every_close_code_is_in_the_protocol() -> None:
    codes = {str(code) for name, code in vars(wire).items() if name.startswith("CLOSE_") and code != wire.CLOSE_INTERNAL}

    assert len(codes) > 5
    assert {code for code in codes if code not in page("docs/protocol.md")} == set()


def test_every_log_event_of_the_service_is_explained() -> None:
    operations = page("docs/operations.md")
    events = set(log_events())

    assert len(events) > 20
    assert {event for event in events if f"`{event}`" not in operations} == set()


def log_events() -> Iterator[str]:
    """The literal names given to `log.…(…)` in the product; the simulator is for the demo only."""
    for package in PRODUCT:
        for path in (ROOT / package).rglob("*.py"):
            if "simulator" in path.parts:
                continue
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                match node:
                    case ast.Call(func=ast.Attribute(value=ast.Name(id="log")), args=[ast.Constant(value=str(event)), *_]):
                        yield event
                    case _:
                        pass


def test_every_setting_is_in_the_example() -> None:
    example = page("config/example.toml")
    names = {*(setting_names(Settings)), *(setting_names(PbxSettings))}

    assert {name for name in names if not re.search(rf"\b{name} = |^(# )?\[+(\w+\.)?{name}\]", example, re.M)} == set()


def setting_names(section: type[BaseModel]) -> Iterator[str]:
    for name, field in section.model_fields.items():
        yield name
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from setting_names(field.annotation)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    text = re.sub(r"```.*?```", "", path.read_text("utf-8"), flags=re.S)

    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith("https://"):
            continue
        file, _, anchor = target.partition("#")
        linked = path.parent / file if file else path
        assert linked.exists(), target
        assert not anchor or anchor in anchors(linked), target


def anchors(path: Path) -> set[str]:
    """As GitHub makes them of headings."""
    headings = re.findall(r"^#+ (.*)$", path.read_text("utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
