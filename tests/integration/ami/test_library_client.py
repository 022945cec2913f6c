"""Why the transport is ours: each defect of asterisk-ami 0.1.7's client, shown, beside our client in the same situation.

Its `Action` and `Response` types are used everywhere; its `AMIClient` nowhere but here.
"""

import asyncio
import contextlib
import inspect
import socket
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from ssl import SSLContext
from types import SimpleNamespace

import pytest
from asterisk.ami import AMIClient, AutoReconnect, SimpleAction

from cti_bridge.ami import actions
from cti_bridge.ami.client import AmiClient
from cti_bridge.ami.connection import AmiConnection, Limits, system_clock
from cti_bridge.ami.conversation import Conversation
from cti_bridge.ami.stream import EventStream
from tests.support.ami import SECRET, a_client, event_named, resynced, running, settings_of, until
from tests.support.fake_pbx import FakePbx

pytestmark = pytest.mark.filterwarnings("ignore:notifyAll.. is deprecated:DeprecationWarning")

SNAPSHOT = (
    "Event: Newchannel\r\nPrivilege: call,all\r\nChannel: PJSIP/trunk-00000001\r\nChannelState: 4\r\nChannelStateDesc: Ring\r\n"
    "CallerIDNum: +442079460000\r\nCallerIDName: {name}\r\nConnectedLineNum: <unknown>\r\nConnectedLineName: <unknown>\r\n"
    "Language: en\r\nAccountCode: \r\nContext: from-trunk\r\nExten: 8001\r\nPriority: 1\r\nUniqueid: 1795314829.43\r\n"
    "Linkedid: 1795314829.43\r\n\r\n"
)


@contextlib.asynccontextmanager
async def library_client(pbx: FakePbx, *, timeout_seconds: float = 0.5) -> AsyncIterator[SimpleNamespace]:
    """The library's client, signed in, in its own thread; `events` is what it heard, `ended` is set when its reader died."""
    heard = SimpleNamespace(events=[], ended=threading.Event(), error=None)

    def on_disconnect(source, error=None) -> None:
        heard.error = error
        heard.ended.set()

    heard.client = AMIClient("127.0.0.1", pbx.port, timeout=timeout_seconds)
    heard.client.add_listener(on_disconnect=on_disconnect, on_event=lambda source, event: heard.events.append(event))
    await asyncio.to_thread(lambda: heard.client.login("cti", SECRET).response)
    try:
        yield heard
    finally:
        await asyncio.to_thread(heard.client.disconnect)


async def test_3_seconds_of_silence_end_the_library_and_not_us() -> None:
    async with FakePbx() as pbx, running(a_client(pbx, limits=Limits(idle=60, dead=60))) as client:
        await resynced(client)
        async with library_client(pbx, timeout_seconds=3) as library:  # its default
            await asyncio.to_thread(library.ended.wait, 10)
            pbx.tell(SNAPSHOT.format(name="late").encode())
            event = await event_named(client, "Newchannel")

            assert isinstance(library.error, TimeoutError)
            assert [heard.name for heard in library.events] == ["FullyBooted"]
            assert event.get("CallerIDName") == "late"


async def test_after_a_reset_the_library_does_not_connect_again_and_we_do() -> None:
    async with FakePbx() as pbx:
        async with library_client(pbx) as library:
            reconnecting = AutoReconnect(library.client)
            reconnecting._login_args = (("cti", SECRET), {})
            pbx.sessions[0].reset()
            await asyncio.to_thread(library.ended.wait, 10)
            came_back = await asyncio.to_thread(reconnecting.try_reconnect)

            assert not came_back
            assert pbx.attempts == 1
            reconnecting._rollback_client()

        async with running(a_client(pbx)) as client:
            await resynced(client)
            pbx.listeners[0].reset()
            await resynced(client)


async def test_the_library_writes_a_part_of_an_action_and_we_write_all() -> None:
    """`socket.send` may take less than it is given; its result is ignored there."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    library = AMIClient()
    library._socket = ours
    with theirs:
        library.send("x" * 8_000_000)
        ours.close()
        assert len(await asyncio.to_thread(read_all, theirs)) < 8_000_000

    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    conversation = Conversation(username="cti", secret=SECRET, auth="plain", events="off", token="t")
    stream = EventStream(username="cti", note=lambda *_: None)
    connection = AmiConnection(conversation, limits=Limits(), clock=system_clock, listener=stream)
    with theirs:
        await asyncio.get_running_loop().create_connection(lambda: connection, sock=ours)
        theirs.sendall(b"Asterisk Call Manager/11.0.0\r\nResponse: Success\r\nActionID: cti-t-0\r\n\r\n")
        await connection.signed_in()
        for _ in range(300):
            connection.perform(actions.queue_pause("PJSIP/1001", paused=True, reason="中" * 80))
        reading = asyncio.create_task(asyncio.to_thread(read_blocks, theirs, 307))
        blocks = await reading
        connection.drop("done")
        await connection.ended()

    assert sum(block.startswith(b"Action: QueuePause\r\n") and block.endswith("中".encode()) for block in blocks) == 300


def read_all(sock: socket.socket) -> bytes:
    data = b""
    while more := sock.recv(1 << 20):
        data += more
    return data


def read_blocks(sock: socket.socket, count: int) -> list[bytes]:
    """Login, six resync actions, and what follows."""
    data = b""
    while data.count(b"\r\n\r\n") < count:
        data += sock.recv(4096)
    return data.split(b"\r\n\r\n")[:-1]


async def test_a_line_break_in_a_value_is_a_second_action_for_the_library_and_an_error_for_us() -> None:
    evil = "PJSIP/1001\r\n\r\nAction: Command\r\nCommand: core stop now"
    async with FakePbx() as pbx:
        async with library_client(pbx) as library:
            await asyncio.to_thread(lambda: library.client.send_action(SimpleAction("Hangup", Channel=evil)).response)
            await pbx.until(lambda: len(pbx.sessions[0].actions) == 3)
            assert [action["Action"] for action in pbx.sessions[0].actions] == ["Login", "Hangup", "Command"]

        async with running(a_client(pbx)) as client:
            await client._control_link.connected()
            with pytest.raises(ValueError, match="control character"):
                await client.control.send(SimpleAction("Hangup", Channel=evil))
            assert "Hangup" not in [action["Action"] for session in pbx.sessions[1:] for action in session.actions]


@pytest.mark.parametrize("separator", ["\u2028", "\u0085"], ids=["U+2028", "U+0085"])
async def test_a_name_can_forge_the_number_for_the_library_and_not_for_us(separator: str) -> None:
    """It splits lines at Unicode's separators, which Asterisk lets through in a caller's name."""
    name = f"Eve{separator}CallerIDNum: +18005550000"
    async with FakePbx() as pbx, running(a_client(pbx)) as client:
        await resynced(client)
        async with library_client(pbx) as library:
            pbx.tell(SNAPSHOT.format(name=name).encode())
            event = await event_named(client, "Newchannel")
            await until(lambda: any(heard.name == "Newchannel" for heard in library.events))

            assert library.events[-1].keys["CallerIDNum"] == "+18005550000"
            assert event.get("CallerIDNum") == "+442079460000"
            assert event.get("CallerIDName") == name


async def test_the_library_has_no_tls(server_tls: tuple[SSLContext, Path]) -> None:
    context, authority = server_tls
    options = set(inspect.signature(AMIClient.__init__).parameters)
    async with (
        FakePbx(tls=context) as pbx,
        running(AmiClient(settings_of(pbx, tls=True, tls_ca=authority), SECRET)) as client,
    ):
        await resynced(client)

    assert not {option for option in options if "tls" in option or "ssl" in option}
