"""A FastAGI server of the tests' own, good and bad: what the dialplan must survive is shown with it.

What comes in: Asterisk's question. What goes out, by `Mood`: variables, nothing, or nothing for ever.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager, closing
from enum import Enum

AGI_PORT = 4573


class Mood(Enum):
    ANSWERS = "sets the variables it was given and closes"
    SILENT = "closes without setting anything"
    HUNG = "accepts, and never says a word"
    DEAF = "listens, but its backlog is full: connecting takes for ever"
    DOWN = "does not listen"


class FakeAgi:
    """`questions` are Asterisk's, each as its `agi_` variables."""

    def __init__(self, mood: Mood, variables: Mapping[str, str]) -> None:
        self.questions: list[dict[str, str]] = []
        self._mood = mood
        self._variables = variables
        self._given_up = asyncio.Event()

    async def given_up(self, seconds: float = 5.0) -> None:
        """Wait until Asterisk has closed a hung conversation."""
        await asyncio.wait_for(self._given_up.wait(), seconds)

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        question = (await reader.readuntil(b"\n\n")).decode()
        self.questions.append(dict(line.split(": ", 1) for line in question.splitlines() if ": " in line))
        if self._mood is Mood.HUNG:
            await reader.read()
            self._given_up.set()
        if self._mood is Mood.ANSWERS:
            for name, value in self._variables.items():
                writer.write(f'SET VARIABLE {name} "{value}"\n'.encode())
                assert (await reader.readline()).startswith(b"200 ")
        writer.close()
        await writer.wait_closed()


@asynccontextmanager
async def fake_agi(address: str, mood: Mood, variables: Mapping[str, str] | None = None) -> AsyncIterator[FakeAgi]:
    """Serve at `address`:4573 until the context ends."""
    agi = FakeAgi(mood, variables or {})
    with ExitStack() as stack:
        if mood is Mood.DEAF:
            _fill_backlog(address, stack)
            yield agi
        elif mood is Mood.DOWN:
            yield agi
        else:
            async with await asyncio.start_server(agi.converse, address, AGI_PORT):
                yield agi


def _fill_backlog(address: str, stack: ExitStack) -> None:
    """A listener that accepts nobody, with so many waiting that Linux drops further SYNs."""
    listener = stack.enter_context(closing(socket.create_server((address, AGI_PORT), backlog=0)))
    listener.setblocking(False)
    for _ in range(4):
        waiting = stack.enter_context(closing(socket.socket()))
        waiting.setblocking(False)
        waiting.connect_ex((address, AGI_PORT))
