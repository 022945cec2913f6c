"""What the layout promises and no compiler checks."""

import ast
import importlib
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("cti_bridge", "screen_pop", "routing", "storage", "config")
MOST_LINES = 400
RIMS = {
    "cti_bridge/external/source.py": "one question to another system's adapter, which others may write",
    "cti_bridge/pipeline.py": "one call's story",
    "routing/fastagi.py": "one question of the PBX",
    "screen_pop/api/problems.py": "one request of a browser",
    "screen_pop/session.py": "one browser's websocket",
}
"""Where any exception ends one unit only, and is logged and counted there. Elsewhere it must go on up."""


def sources() -> Iterator[Path]:
    for package in PACKAGES:
        yield from (ROOT / package).rglob("*.py")


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("folder", [*PACKAGES, "tests", "tools"])
def test_files_are_short_enough_to_read_in_one_go(folder: str):
    lengths = {named(path): len(path.read_text("utf-8").splitlines()) for path in (ROOT / folder).rglob("*.py")}

    assert {path: lines for path, lines in lengths.items() if lines > MOST_LINES} == {}


@pytest.mark.parametrize("package", PACKAGES)
def test_root_names_are_ours(package: str):
    """`config`, `storage` and `routing` exist on the package index too: nothing installed may stand in for them."""
    file = importlib.import_module(package).__file__

    assert file is not None
    assert Path(file).parent == ROOT / package
    assert set(packages_distributions().get(package, ())) <= {"cti-bridge"}


def test_tests_hide_no_package():
    """With an `__init__.py`, pytest would make tests/storage importable as `storage`."""
    assert [named(path) for path in (ROOT / "tests").rglob("__init__.py")] == []


def test_every_module_says_why_it_exists():
    assert [named(path) for path in sources() if not ast.get_docstring(ast.parse(path.read_text("utf-8")))] == []


def broad_handlers(path: Path) -> list[ast.ExceptHandler]:
    """Handlers that take any exception and do not raise it again."""
    return [
        node
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ExceptHandler) and _is_broad(node.type) and not _raises(node)
    ]


def _is_broad(caught: ast.expr | None) -> bool:
    names = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    return any(name is None or (isinstance(name, ast.Name) and name.id in {"Exception", "BaseException"}) for name in names)


def _raises(handler: ast.ExceptHandler) -> bool:
    return isinstance(handler.body[-1], ast.Raise) and handler.body[-1].exc is None


def test_any_exception_is_taken_at_the_named_rims_only():
    found = {named(path): len(handlers) for path in sources() if (handlers := broad_handlers(path))}

    assert found == dict.fromkeys(RIMS, 1)


def test_no_exception_of_any_kind_is_suppressed():
    """`suppress(Exception)` and `gather(return_exceptions=True)` whose result nobody reads would hide mistakes."""
    suppressed = [
        named(path)
        for path in sources()
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute | ast.Name)
        and (node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id) == "suppress"
        and any(_is_broad(argument) for argument in node.args)
    ]

    assert suppressed == []


def test_queues_are_bounded():
    unbounded = [
        f"{named(path)}:{node.lineno}"
        for path in sources()
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute | ast.Name | ast.Subscript)
        and ast.unparse(node.func).partition("[")[0] in {"asyncio.Queue", "Queue", "asyncio.LifoQueue", "asyncio.PriorityQueue"}
        and ast.unparse(node.func) != "Queue"  # the simulator's own type of that name
        and not (node.args or node.keywords)
    ]

    assert unbounded == []


def test_imports_run_one_way():
    script = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([str(script), "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


def test_what_shows_a_customer_is_decided_in_one_place():
    """Routes get their documents from `asked.view`, which masks them; those that may show the whole are named here."""
    documents = {"account_document", "call_document", "interaction_document", "duplicate_document", "candidate_document"}
    users = {
        named(path)
        for path in (ROOT / "screen_pop").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom) and documents & {alias.name for alias in node.names}
    }

    assert users == {"screen_pop/visible.py", "screen_pop/pop.py", "screen_pop/hub.py"}
