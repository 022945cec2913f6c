"""What every command of the program does alike: reads its settings, runs to its end, says what went wrong and leaves."""

import asyncio
import os
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, Never

import typer

from config.load import load_settings
from config.settings import Settings

ConfigOption = Annotated[
    Path | None, typer.Option("--config", help="Settings file; without it ./cti.toml, or CTI_… variables only.")
]


def settings_of(config: Path | None) -> Settings:
    """The settings of the file, or of ./cti.toml, or of variables alone. Raises ConfigError."""
    default = Path("cti.toml")
    return load_settings(config or (default if default.exists() else None), os.environ)


def run_to_end(coroutine: Coroutine[Any, Any, None]) -> None:
    asyncio.run(coroutine)


def complain(error: object, *, code: int) -> Never:
    """Says it on stderr and ends the program with `code`."""
    print(f"cti-bridge: {error}", file=sys.stderr)
    raise SystemExit(code)
