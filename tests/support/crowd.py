"""A crowd on the real PBX: customers who call at a rate, and the phones of many agents, all played by SIPp.

What comes in: how many calls of which kind. What goes out: SIP on the wire. Every customer has a number of its own, so that each
call can be told from every other in the PBX's record and in the store. Agents are grouped by what they do: those who answer and
wait, those who answer and hang up, the deaf (who never answer), the busy, and those who transfer. One SIPp process plays all
phones of a group, and one all customers of a kind.
"""

import asyncio
from asyncio.subprocess import STDOUT, Process
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

from tests.support.pbx import Network, Pbx
from tests.support.sipp import SCENARIOS, SIP_PORT, listening_on

LONGEST_CALL_MS = 120_000
AGENTS_TALK_MS = 20_000
"""So long a customer waits for an agent to hang up: far more than the brisk need, but the PBX may have died meanwhile."""
FIRST_CALLER_PORT = 5060


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Agents who all do the same. `host` is the last byte of the address on which their phones are."""

    name: str
    host: int
    extensions: tuple[str, ...]
    scenario: str = "crowd_agent.xml"
    ring_ms: int = 300
    then: str = f'<recv request="BYE" timeout="{LONGEST_CALL_MS}" ontimeout="hang_up" next="hung_up_there"/>'
    targets: Sequence[str] = ()


def _extensions(first: int, last: int) -> tuple[str, ...]:
    return tuple(str(number) for number in range(first, last + 1))


TALKERS = Group(name="talkers", host=30, extensions=_extensions(1101, 1150))
BRISK = Group(
    name="brisk",
    host=31,
    extensions=_extensions(1151, 1160),
    then='<recv request="BYE" timeout="2500" ontimeout="hang_up" next="hung_up_there"/>',
)
DEAF = Group(name="deaf", host=32, extensions=_extensions(1171, 1178), ring_ms=LONGEST_CALL_MS)
BUSY = Group(name="busy", host=33, extensions=_extensions(1181, 1182), scenario="crowd_busy.xml")
SENDERS = Group(name="senders", host=34, extensions=_extensions(1191, 1195), then="refer", targets=_extensions(1145, 1150))
GROUPS = (TALKERS, BRISK, DEAF, BUSY, SENDERS)
EXTENSIONS = tuple(extension for group in GROUPS for extension in group.extensions)

QUEUES = {
    "rush": ("rrmemory", 5, TALKERS.extensions[:36]),
    "brief": ("rrmemory", 5, BRISK.extensions),
    "patience": ("rrmemory", 2, DEAF.extensions[:4]),
    "second": ("linear", 2, DEAF.extensions[4:6] + TALKERS.extensions[36:40]),
}
"""Strategy, seconds of ringing, members. In `second` the deaf ring first."""
QUEUE_DIDS = {"7001": "rush", "7002": "brief", "7003": "patience", "7004": "second"}


def direct(extension: str) -> str:
    """The number that rings one agent's phone without a queue."""
    return f"7{extension}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """Customers who all do the same. They dial `dids` in turn, and stay between `least` and `most` seconds; None: until the agent
    hangs up. `share` is their part of all calls; `digit` marks their numbers."""

    name: str
    digit: int
    share: float
    dids: Sequence[str]
    stay: tuple[float, float] | None
    scenario: str = "crowd_caller.xml"

    def number(self, nth: int) -> str:
        """A British number, as a trunk presents it."""
        return f"0207{self.digit}{nth:06d}"


CANCELLED = DEAF.extensions[6:]
KINDS = (
    Kind(name="answered", digit=0, share=0.40, dids=("7001",), stay=(2, 6)),
    Kind(name="agent hangs up", digit=1, share=0.15, dids=("7002",), stay=None),
    Kind(name="abandoned", digit=2, share=0.15, dids=("7003",), stay=(0.5, 5)),
    Kind(name="second agent", digit=3, share=0.10, dids=("7004",), stay=(7, 10)),
    Kind(name="direct", digit=4, share=0.08, dids=tuple(map(direct, TALKERS.extensions[40:44])), stay=(1, 4)),
    Kind(name="busy", digit=5, share=0.04, dids=tuple(map(direct, BUSY.extensions)), stay=(1, 1)),
    Kind(name="cancelled", digit=6, share=0.03, dids=tuple(map(direct, CANCELLED)), stay=(1, 3), scenario="crowd_cancel.xml"),
    Kind(name="transferred", digit=7, share=0.05, dids=tuple(map(direct, SENDERS.extensions)), stay=(5, 8)),
)


def add_to(pbx: Pbx) -> None:
    """Gives a running PBX the crowd's phones, queues and numbers."""
    etc = pbx.folder / "etc"
    for name, text in (
        ("pjsip.conf", "".join(_phone(pbx.network, group, extension) for group in GROUPS for extension in group.extensions)),
        ("queues.conf", "".join(_queue(name, *queue) for name, queue in QUEUES.items())),
        ("extensions.conf", _numbers()),
    ):
        with (etc / name).open("a") as file:
            file.write(text)
    pbx.command("core reload")


def _phone(network: Network, group: Group, extension: str) -> str:
    return (
        f'\n[{extension}](agent)\naors = {extension}\ncallerid = "Agent {extension}" <{extension}>\n'
        f"[{extension}](phone)\ncontact = sip:{extension}@{network.prefix}.{group.host}:{SIP_PORT}\n"
    )


def _queue(name: str, strategy: str, ring_seconds: int, members: Iterable[str]) -> str:
    seats = "".join(f"member => PJSIP/{extension},0,Agent {extension},PJSIP/{extension}\n" for extension in members)
    return (
        f"\n[{name}]\nstrategy = {strategy}\ntimeout = {ring_seconds}\nretry = 1\nringinuse = no\njoinempty = yes\n"
        f"leavewhenempty = no\nsetinterfacevar = yes\nsetqueuevar = yes\nservicelevel = 10\n{seats}"
    )


def _numbers() -> str:
    queues = "".join(
        f"exten => {did},1,Answer()\n same => n,Queue({queue},tT,,,120)\n same => n,Hangup()\n"
        for did, queue in QUEUE_DIDS.items()
    )
    straight = "exten => _71XXX,1,Dial(PJSIP/${EXTEN:1},15,tT)\n same => n,Goto(d-${DIALSTATUS},1)\n"
    colleagues = "exten => _11XX,1,Dial(PJSIP/${EXTEN},20,tT)\n same => n,Hangup()\n"
    return f"\n[from-trunk](+)\n{queues}{straight}\n[agents](+)\n{colleagues}"


@asynccontextmanager
async def phones_on(network: Network, folder: Path) -> AsyncIterator[None]:
    """All the crowd's phones, until the context ends. `folder` takes the scenarios as they were played, and SIPp's errors."""
    async with AsyncExitStack() as stack:
        for group in GROUPS:
            address = f"{network.prefix}.{group.host}"
            scenario = _written(folder, group.name, group.scenario, RING=group.ring_ms, THEN=_then(group, network))
            targets = [(target,) for target in group.targets]
            options = ("-inf", str(_table(folder / f"{group.name}.csv", targets))) if targets else ()
            await stack.enter_async_context(_sipp(folder, group.name, scenario, address, SIP_PORT, *options))
            await listening_on(address)
        yield


async def call_in(
    network: Network,
    folder: Path,
    kind: Kind,
    *,
    calls: int,
    rate: float,
    stay: tuple[float, float] | None = None,
) -> None:
    """`calls` customers of this kind call, `rate` a second, numbered from 0 on; returns when the last has hung up.

    `stay` replaces that of the kind. A PBX that is away is no error: SIP repeats what is not answered for half a minute.
    """
    name = f"{kind.name} callers"
    scenario = _written(folder, name, kind.scenario, STAY=_stay(stay or kind.stay))
    people = zip((kind.number(nth) for nth in range(calls)), islice(cycle(kind.dids), calls), strict=True)
    table = _table(folder / f"{name}.csv", list(people))
    options = ("-inf", str(table), "-m", str(calls), "-r", str(max(1, round(rate * 1000))), "-rp", "1000s", "-l", str(calls))
    port = FIRST_CALLER_PORT + kind.digit
    async with _sipp(folder, name, scenario, network.sipp, port, *options, network.pbx) as process:
        await process.wait()


@asynccontextmanager
async def calling(pbx: Pbx, folder: Path, *, calls: int, rate: float) -> AsyncIterator[None]:
    """Customers who call the queue `rush` and stay until the context ends; then the PBX hangs up on all of them."""
    kind = KINDS[0]
    stay = (LONGEST_CALL_MS / 1000, LONGEST_CALL_MS / 1000)
    staying = asyncio.create_task(call_in(pbx.network, folder, kind, calls=calls, rate=rate, stay=stay))
    try:
        yield
    finally:
        await asyncio.to_thread(pbx.command, "channel request hangup all")
        staying.cancel()
        await asyncio.gather(staying, return_exceptions=True)


def _stay(stay: tuple[float, float] | None) -> str:
    if stay is None:
        return f'<recv request="BYE" timeout="{AGENTS_TALK_MS}" ontimeout="hang_up" next="hung_up_there"/>'
    least, most = (int(seconds * 1000) for seconds in stay)
    return f'<pause distribution="uniform" min="{least}" max="{most + 1}"/>'


def _then(group: Group, network: Network) -> str:
    if group.then != "refer":
        return group.then
    return (SCENARIOS / "crowd_refer.part.xml").read_text().replace("{{TALK}}", "1500").replace("{{PBX}}", network.pbx)


def _written(folder: Path, name: str, scenario: str, **values: object) -> Path:
    text = (SCENARIOS / scenario).read_text()
    for key, value in values.items():
        text = text.replace(f"{{{{{key}}}}}", str(value))
    file = folder / f"{name}.xml"
    file.write_text(text)
    return file


def _table(file: Path, rows: Sequence[tuple[str, ...]]) -> Path:
    file.write_text("SEQUENTIAL\n" + "".join(f"{';'.join(row)}\n" for row in rows))
    return file


@asynccontextmanager
async def _sipp(folder: Path, name: str, scenario: Path, local: str, port: int, *options: str) -> AsyncIterator[Process]:
    place = ("-i", local, "-p", str(port), "-mi", local, "-nostdin")
    errors = ("-trace_err", "-error_file", str(folder / f"{name}.errors"))
    with (folder / f"{name}.out").open("wb") as out:
        process = await asyncio.create_subprocess_exec(
            "sipp", *options, "-sf", str(scenario), *place, *errors, stdout=out, stderr=STDOUT, cwd=folder
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
