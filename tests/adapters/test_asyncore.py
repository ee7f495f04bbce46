"""The drop-in asyncore: its channels and its loop, and where it is better than what it replaces.

CPython's own tests run over it, too (`test_asyncore_cpython.py`); here is what they leave out.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import resource
import select
import socket
import subprocess
import sys
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from old_python import original

from framer import UsageError
from framer_adapters import asyncore
from framer_adapters.asyncore import (
    ExitNow,
    close_all,
    dispatcher,
    dispatcher_with_send,
    file_dispatcher,
    loop,
    poll,
    poll2,
)

Map = dict[int, Any]
Turn = Callable[[float, Map], None]
TURNS = pytest.mark.parametrize("turn", [poll, poll2])


class Recorder(dispatcher):
    """Notes which of its handlers were called."""

    writes = False

    def __init__(self, sock: Any = None, map: Map | None = None) -> None:  # noqa: A002
        self.calls: list[str] = []
        self.received = b""
        dispatcher.__init__(self, sock, map)

    def writable(self) -> bool:
        """Say what it was told to."""
        return self.writes

    def handle_read(self) -> None:
        """Read a little."""
        self.calls.append("read")
        self.received += self.recv(4)

    def handle_write(self) -> None:
        """Note it."""
        self.calls.append("write")

    def handle_connect(self) -> None:
        """Note it."""
        self.calls.append("connect")

    def handle_close(self) -> None:
        """Note it, and close."""
        self.calls.append("close")
        self.close()

    def handle_error(self) -> None:
        """Note it, and leave it to the test."""
        self.calls.append("error")
        raise  # noqa: PLE0704 - it is called in an except clause


@pytest.fixture
def channels() -> Iterator[Map]:
    """A map; what is left in it is closed."""
    made: Map = {}
    yield made
    close_all(made, ignore_all=True)


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two connected sockets."""
    one, other = socket.socketpair()
    with one, other:
        yield one, other


def listener(channels: Map, made: list[Any], kind: type[dispatcher] = Recorder) -> dispatcher:
    """Make a channel that listens, and puts what it accepts into channels of a kind."""

    class Listener(Recorder):
        def handle_accepted(self, sock: socket.socket, addr: Any) -> None:
            made.append(kind(sock, channels))

    server = Listener(map=channels)
    server.create_socket()
    server.set_reuse_addr()
    server.bind(("127.0.0.1", 0))
    server.listen(100)
    return server


def address(channel: dispatcher) -> Any:
    """Where it listens."""
    assert channel.socket is not None
    return channel.socket.getsockname()


# -- Names ---------------------------------------------------------------------------------


def test_all_names_are_there() -> None:
    """Those of 3.11, public or used by programs all the same, and what a star brought along."""
    names = {
        *("ExitNow", "close_all", "compact_traceback", "dispatcher", "dispatcher_with_send"),
        *("file_dispatcher", "file_wrapper", "loop", "poll", "poll2", "poll3", "read"),
        *("readwrite", "socket_map", "write", "_DISCONNECTED", "_exception"),
        *("_reraised_exceptions", "_strerror", "os", "select", "socket", "sys", "time"),
        *("warnings", "errorcode", "EAGAIN", "EALREADY", "EBADF", "ECONNABORTED"),
        *("ECONNRESET", "EINPROGRESS", "EINVAL", "EISCONN", "ENOTCONN", "EPIPE"),
        *("ESHUTDOWN", "EWOULDBLOCK"),
    }
    assert [name for name in names if not hasattr(asyncore, name)] == []
    public = {name for name in names if not name.startswith("_")}
    assert set(asyncore.__all__) == public | {"install", "run_in_asyncio"}


@pytest.mark.parametrize("name", ["dispatcher", "dispatcher_with_send", "file_dispatcher"])
def test_same_names_as_the_original(name: str) -> None:
    """No attribute of a class is missing, and no private one more could collide."""
    old, new = (set(dir(getattr(module, name))) for module in (original("asyncore"), asyncore))
    assert old <= new
    mangled = {attribute for attribute in new - old if attribute.startswith(f"_{name}__")}
    assert new - old - mangled <= {"__annotations__", "out_buffer", "__init_subclass__"} | {
        attribute for attribute in new if attribute.startswith("_dispatcher_with_send__")
    }


def test_no_warning_and_no_asyncio() -> None:
    """To import it is no offence, and costs no asyncio."""
    program = "import sys, framer_adapters.asynchat; print('asyncio' in sys.modules)"
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=True
    )
    assert ran.stdout == "False\n"


def test_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes under its old name; a module that is there is hidden by force only."""
    monkeypatch.setitem(sys.modules, "asyncore", object())
    with pytest.raises(UsageError, match="install"):
        asyncore.install()
    asyncore.install(force=True)
    assert sys.modules["asyncore"] is asyncore
    asyncore.install()


# -- Channels ------------------------------------------------------------------------------


def test_a_conversation(channels: Map) -> None:
    """Connect, accept, send, receive, close: each is told, with its attributes right."""
    made: list[Recorder] = []
    server = listener(channels, made)
    assert (server.accepting, server.connected) == (True, False)
    client = Recorder(map=channels)
    client.writes = True
    client.create_socket()
    assert client.family_and_type == (socket.AF_INET, socket.SOCK_STREAM)
    client.connect(address(server))
    loop(1, map=channels, count=2)
    assert client.calls[:2] == ["connect", "write"]
    assert (client.connected, client.connecting, client.addr) == (True, False, address(server))
    (accepted,) = made
    assert accepted.addr == address(client)
    assert client.send(b"spam") == 4
    client.writes = False
    poll(1, channels)
    assert accepted.received == b"spam"
    client.close()
    poll(1, channels)
    assert accepted.calls == ["read", "read", "close"]
    assert list(channels.values()) == [server]


@TURNS
def test_connection_refused(channels: Map, turn: Turn) -> None:
    """The error is the channel's to handle, not the loop's."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        client = Recorder(map=channels)
        client.writes = True
        client.create_socket()
        with pytest.raises(ConnectionRefusedError):
            for _ in range(2):  # some systems refuse in connect()
                client.connect(nobody.getsockname())
                turn(1, channels)
    assert client.calls[-1:] == ["error"]


@pytest.mark.parametrize(
    ("err", "connected"), [(0, True), (errno.EISCONN, True), (errno.EINPROGRESS, False)]
)
def test_connect(err: int, connected: bool) -> None:
    """It may be done at once."""

    class Sock:
        def connect_ex(self, address: object) -> int:
            return err

        def getsockopt(self, level: int, option: int) -> int:
            return 0

    channel: Any = Recorder(map={})
    channel.socket = Sock()
    channel.connect(("host", 1))
    assert (channel.connected, channel.connecting) == (connected, not connected)
    assert channel.addr == ("host", 1)


def test_connect_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """At once, with the name of the error; on Windows EINVAL is not one."""

    class Sock:
        def connect_ex(self, address: object) -> int:
            return errno.EINVAL

    channel: Any = Recorder(map={})
    channel.socket = Sock()
    with pytest.raises(OSError, match="EINVAL"):
        channel.connect("x")
    assert channel.addr is None
    monkeypatch.setattr(os, "name", "nt")
    channel.connect("x")
    assert channel.addr == "x"


def test_a_socket_that_is_not_connected(channels: Map) -> None:
    """It may be given all the same; one that is broken may not, and is not in the map then."""
    with socket.socket() as sock:
        channel = Recorder(sock, channels)
        assert not channel.connected
        with pytest.raises(OSError, match="descriptor"), socket.socket() as other:
            broken: Any = Broken(other)
            Recorder(broken, channels)
        assert list(channels.values()) == [channel]


class Broken:
    """A socket that has no peer, for a reason of its own."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock

    def __getattr__(self, name: str) -> Any:
        return getattr(self.sock, name)

    def getpeername(self) -> Any:
        """Fail."""
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))


def test_repr(pair: tuple[socket.socket, socket.socket]) -> None:
    """It says what the channel does, and with whom, under the name that programs know."""

    def said(channel: dispatcher) -> str:
        text = repr(channel)
        assert text.endswith(f" at {id(channel):#x}>")
        return text.removesuffix(f" at {id(channel):#x}>")

    channel = dispatcher(map={})
    assert said(channel) == "<asyncore.dispatcher"
    channel.addr = "127.0.0.1", 80
    channel.accepting = True
    assert said(channel) == "<asyncore.dispatcher listening 127.0.0.1:80"
    channel.accepting, channel.connected = False, True
    channel.addr = "::1", 80, 0, 0
    assert said(channel) == "<asyncore.dispatcher connected ('::1', 80, 0, 0)"
    assert said(Recorder(map={})) == f"<{__name__}.Recorder"


def test_own_and_other_maps(pair: tuple[socket.socket, socket.socket]) -> None:
    """A channel is in its own map, in `socket_map` by default, or wherever it is put."""
    one, other = pair
    mine: Map = {}
    theirs: Map = {}
    channel = dispatcher(one, mine)
    fd = one.fileno()
    assert mine == {fd: channel}
    channel.add_channel(theirs)
    assert theirs == {fd: channel}
    channel.del_channel(theirs)
    assert (theirs, mine, channel._fileno) == ({}, {fd: channel}, None)
    default = dispatcher(other)
    assert asyncore.socket_map == {other.fileno(): default}
    close_all()
    assert asyncore.socket_map == {}


@TURNS
def test_the_map_of_the_module_may_be_replaced(
    monkeypatch: pytest.MonkeyPatch, pair: tuple[socket.socket, socket.socket], turn: Any
) -> None:
    """What has no map of its own looks it up when it needs it."""
    monkeypatch.setattr(asyncore, "socket_map", {})
    channel = Recorder(pair[0])
    pair[1].send(b"spam")
    turn()
    assert channel.received == b"spam"
    loop(0, count=1)
    close_all()


@pytest.mark.parametrize("error", [errno.EWOULDBLOCK, errno.ECONNABORTED])
def test_nobody_to_accept(error: int) -> None:
    """Who has gone again was never there."""

    class Sock:
        def accept(self) -> Any:
            raise OSError(error, "")

    channel: Any = Recorder(map={})
    channel.socket = Sock()
    assert channel.accept() is None
    channel.accepting = True
    channel.handle_read_event()
    assert channel.calls == []


def test_accept_fails() -> None:
    """For want of descriptors, say. A socket that accepts nothing is no error."""

    class Sock:
        error: Exception = OSError(errno.EMFILE, "")

        def accept(self) -> Any:
            raise self.error

    channel: Any = Recorder(map={})
    channel.socket = Sock()
    with pytest.raises(OSError):
        channel.accept()
    Sock.error = TypeError()
    assert channel.accept() is None


@pytest.mark.parametrize("error", sorted(asyncore._DISCONNECTED))
def test_a_connection_that_is_gone(error: int) -> None:
    """To send or receive is no error; the channel is told that this is the end, once."""

    class Sock:
        def fail(self, *args: object) -> Any:
            raise OSError(error, "")

        send = recv = fail

        def close(self) -> None:
            pass

    for method, argument, answer in (("send", b"x", 0), ("recv", 1, b"")):
        channel: Any = Recorder(map={})
        channel.socket = Sock()
        assert getattr(channel, method)(argument) == answer
        assert channel.calls == ["close"]


def test_an_end_that_is_text() -> None:
    """Whatever a socket of the program's gives for the end, it is received as bytes."""

    class Sock:
        def recv(self, _size: int) -> str:
            return ""

        def close(self) -> None:
            pass

    channel: Any = Recorder(map={})
    channel.socket = Sock()
    assert channel.recv(1) == b""
    assert channel.calls == ["close"]


def test_send_and_recv_that_would_block(pair: tuple[socket.socket, socket.socket]) -> None:
    """Nothing is sent; that there is nothing to receive is an error, as it was."""
    channel = Recorder(pair[0], {})
    with pytest.raises(BlockingIOError):
        channel.recv(1)
    while channel.send(bytes(1 << 16)):
        pass
    assert channel.calls == []


@pytest.mark.parametrize("method", ["send", "recv"])
def test_other_errors(method: str) -> None:
    """They are raised, for `handle_error`."""

    class Sock:
        def fail(self, *args: object) -> Any:
            raise OSError(errno.EACCES, "")

        send = recv = fail

    channel: Any = Recorder(map={})
    channel.socket = Sock()
    with pytest.raises(PermissionError):
        getattr(channel, method)(b"x")


def test_close_and_errors() -> None:
    """A socket that is closed already is no error; another one is."""

    class Sock:
        error = errno.EBADF

        def close(self) -> None:
            raise OSError(self.error, "")

    channel: Any = dispatcher(map={})
    channel.close()
    channel.socket = Sock()
    channel.close()
    Sock.error = errno.EIO
    with pytest.raises(OSError):
        channel.close()


def test_set_reuse_addr() -> None:
    """Where it cannot be had, it is done without."""

    class Sock:
        def getsockopt(self, *args: object) -> int:
            raise OSError

    channel: Any = dispatcher(map={})
    channel.socket = Sock()
    channel.set_reuse_addr()


def test_errors_in_handlers(channels: Map, capsys: pytest.CaptureFixture[str]) -> None:
    """They are printed, with the way to them, and the channel is closed; the loop goes on."""

    class Bad(dispatcher):
        def handle_read(self) -> None:
            raise ValueError("spam")

    class Worse(Bad):
        def __repr__(self) -> str:
            raise ValueError("eggs")

    for kind in (Bad, Worse):
        one, other = socket.socketpair()
        with other:
            kind(one, channels)
            other.send(b"x")
            poll(1, channels)
        assert channels == {}
        said = capsys.readouterr().out
        assert said.startswith("error: uncaptured python exception, closing channel <")
        assert "(<class 'ValueError'>:spam [" in said
        assert "|handle_read|" in said


def test_what_is_unhandled_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """As a warning, and warnings are ignored unless a program says otherwise."""

    class Closed:
        def close(self) -> None:
            pass

    for ignored in (dispatcher.ignore_log_types, frozenset[str]()):
        channel: Any = dispatcher(map={})
        channel.ignore_log_types = ignored
        for handler in ("expt", "read", "write", "connect", "close"):
            getattr(channel, f"handle_{handler}")()
        channel.handle_accepted(Closed(), None)
        channel.log_info("spam")
    said = capsys.readouterr().out.splitlines()
    assert said[0] == said[-1] == "info: spam"
    assert len(said[1:-1]) == 6
    assert all(line.startswith("warning: unhandled ") for line in said[1:-1])


def test_log(capsys: pytest.CaptureFixture[str]) -> None:
    """It goes to stderr, whatever it is."""
    dispatcher(map={}).log(("spam", 1))
    assert capsys.readouterr().err == "log: ('spam', 1)\n"


def test_urgent_data_and_errors(pair: tuple[socket.socket, socket.socket]) -> None:
    """A socket with an error is closed; else there is urgent data."""

    class Sock:
        error = 0

        def getsockopt(self, *args: object) -> int:
            return self.error

        def close(self) -> None:
            pass

    class Urgent(Recorder):
        def handle_expt(self) -> None:
            self.calls.append("expt")

    channel: Any = Urgent(map={})
    channel.socket = sock = Sock()
    channel.handle_expt_event()
    sock.error = errno.ECONNRESET
    channel.handle_expt_event()
    assert channel.calls == ["expt", "close"]
    channel.connecting = True
    with pytest.raises(OSError):
        channel.handle_write_event()


def test_what_listens_does_not_write() -> None:
    """Told to, it does nothing."""
    channel = Recorder(map={})
    channel.accepting = True
    channel.handle_write_event()
    channel.accepting = False
    channel.handle_write_event()
    channel.connected = True
    channel.handle_write_event()
    assert channel.calls == ["write", "write"]


def test_connected_by_reading() -> None:
    """What comes first may be the first bytes."""

    class Sock:
        def getsockopt(self, *args: object) -> int:
            return 0

        def recv(self, size: int) -> bytes:
            return b"x"

    channel: Any = Recorder(map={})
    channel.socket = Sock()
    channel.connecting = True
    channel.handle_read_event()
    channel.handle_read_event()
    assert channel.calls == ["connect", "read", "read"]


# -- The loop ------------------------------------------------------------------------------


def test_loop_counts(pair: tuple[socket.socket, socket.socket]) -> None:
    """It ends after so many turns, or with the last channel."""
    channels: Map = {}
    channel = Recorder(pair[0], channels)
    pair[1].send(b"spameggs")
    for count in (0, 1, 0.5, None):
        channel.calls.clear()
        if count is None:
            pair[1].close()
        loop(1, map=channels, count=count, use_poll=count == 1)
        assert len(channel.calls) == {0: 0, 1: 1, 0.5: 1, None: 2}[count]
    assert channels == {}


@TURNS
def test_an_empty_map(turn: Turn) -> None:
    """There is nothing to wait for."""
    turn(0, {})


def test_nothing_to_wait_for(
    monkeypatch: pytest.MonkeyPatch, pair: tuple[socket.socket, socket.socket]
) -> None:
    """Then a turn sleeps, and does not spin."""
    slept: list[float] = []
    monkeypatch.setattr(asyncore.time, "sleep", slept.append)

    class Idle(Recorder):
        def readable(self) -> bool:
            return False

    poll(3, {pair[0].fileno(): Idle(pair[0], {})})
    assert slept == [3]


@TURNS
@pytest.mark.parametrize("error", [ExitNow, KeyboardInterrupt, SystemExit])
def test_errors_that_leave_the_loop(
    channels: Map, pair: tuple[socket.socket, socket.socket], turn: Turn, error: type[BaseException]
) -> None:
    """Three of them pass."""

    class Leaves(Recorder):
        def handle_read(self) -> None:
            raise error

    Leaves(pair[0], channels)
    pair[1].send(b"x")
    with pytest.raises(error):
        turn(1, channels)


@TURNS
def test_a_map_of_another_kind(turn: Turn, pair: tuple[socket.socket, socket.socket]) -> None:
    """Weak references, or a dict that watches what is done to it, are maps as well."""

    class Watched(dict[int, Any]):
        def __delitem__(self, fd: int) -> None:
            gone.append(fd)
            super().__delitem__(fd)

    gone: list[int] = []
    weak: Any = weakref.WeakValueDictionary[int, Any]()
    pair[1].send(b"spam")
    for channels in (Watched(), weak):
        channel = Recorder(pair[0], channels)
        turn(1, channels)
        assert channel.calls == ["read"]
        pair[1].send(b"eggs")
        channel.del_channel()
        assert not channels
    assert gone == [pair[0].fileno()]


@TURNS
def test_channels_that_vanish(channels: Map, turn: Turn) -> None:
    """A channel that another one closes in the same turn is left alone."""
    pairs = [socket.socketpair() for _ in range(3)]
    everybody: list[Recorder] = []

    class Killer(Recorder):
        def handle_read(self) -> None:
            super().handle_read()
            for channel in everybody:
                if channel is not self:
                    channel.close()

    everybody.extend(Killer(one, channels) for one, _ in pairs)
    for _, other in pairs:
        other.send(b"x")
    turn(1, channels)
    assert [channel.calls for channel in everybody] == [["read"], [], []]
    for _, other in pairs:
        other.close()


@TURNS
def test_a_descriptor_that_is_used_again(channels: Map, turn: Turn) -> None:
    """What was found for the old socket is not told to the new one with its number."""
    first, second = socket.socketpair(), socket.socketpair()
    made: list[Recorder] = []

    class Replacer(Recorder):
        def handle_read(self) -> None:
            super().handle_read()
            victim.close()
            new = Recorder(map=channels)
            new.writes = True
            new.create_socket()
            assert new._fileno == number
            made.append(new)

    Replacer(first[0], channels)
    victim = Recorder(second[0], channels)
    victim.writes = True
    number = second[0].fileno()
    first[1].send(b"x")
    second[1].send(b"x")
    turn(1, channels)
    assert made[0].calls == []
    assert victim.calls == []
    first[1].close()
    second[1].close()


@TURNS
def test_a_channel_that_connects_anew(channels: Map, turn: Turn) -> None:
    """The write that the old socket had ready does not say that the new one is connected."""
    server = listener(channels, [])

    class Client(Recorder):
        writes = True

        def handle_close(self) -> None:
            super().handle_close()
            old = one.fileno()
            self.create_socket()
            assert old == -1
            self.connect(address(server))
            self.calls.append("again")

    one, other = socket.socketpair()
    client = Client(one, channels)
    other.close()
    turn(1, channels)
    assert client.calls[-2:] == ["close", "again"]
    assert client.connecting


@TURNS
def test_the_map_may_change_meanwhile(
    channels: Map, pair: tuple[socket.socket, socket.socket], turn: Turn
) -> None:
    """Whoever is asked whether he reads may come or go."""

    class Restless(Recorder):
        def readable(self) -> bool:
            channels.setdefault(10_000 + len(channels), Recorder(map={}))
            return True

        def handle_read(self) -> None:
            super().handle_read()
            for fd in [fd for fd in channels if fd >= 10_000]:
                del channels[fd]

    channel = Restless(pair[0], channels)
    pair[1].send(b"x")
    turn(1, channels)
    assert list(channels.values()) == [channel]


@pytest.mark.parametrize("kind", ["socket", "pipe"])
def test_all_is_read_before_a_hang_up(channels: Map, kind: str) -> None:
    """poll2 lost what did not fit into one read; now the end comes when all was read."""
    channel: Recorder | PipeRecorder
    if kind == "socket":
        one, other = socket.socketpair()
        other.send(b"spameggsham")
        other.close()
        channel = Recorder(one, channels)
    else:
        ours, theirs = os.pipe()
        os.write(theirs, b"spameggsham")
        os.close(theirs)
        channel = PipeRecorder(ours, channels)
        os.close(ours)
    loop(1, True, channels)
    assert channel.received == b"spameggsham"
    assert channel.calls[-1] == "close"
    assert channel.calls.count("close") == 1


class PipeRecorder(file_dispatcher, Recorder):
    """The same on a file."""

    def __init__(self, fd: Any, channels: Map) -> None:
        Recorder.__init__(self, map=channels)
        file_dispatcher.__init__(self, fd, channels)


def test_a_channel_that_does_not_read_is_closed(channels: Map) -> None:
    """It would be told of the hang-up for ever."""

    class Deaf(Recorder):
        def handle_read(self) -> None:
            self.calls.append("deaf")

    one, other = socket.socketpair()
    other.send(b"x")
    other.close()
    channel = Deaf(one, channels)
    loop(1, True, channels, 3)
    assert channel.calls == ["deaf", "close"]


@TURNS
def test_an_error_is_told_alone(channels: Map, turn: Turn) -> None:
    """A channel that raised, and stays, is told nothing more by poll2 in that turn."""

    class Raises(Recorder):
        writes = True

        def handle_read(self) -> None:
            super().handle_read()
            raise ValueError

        def handle_error(self) -> None:
            self.calls.append("error")

    one, other = socket.socketpair()
    channel = Raises(one, channels)
    other.send(b"x")
    turn(1, channels)
    assert channel.calls == ["read", "error", *(["write"] if turn is poll else [])]
    other.close()


def test_a_readwrite_of_the_program(channels: Map, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is put in its place, to watch what goes on, is called, with the channel itself."""
    watched: list[tuple[object, int]] = []

    def watch(obj: Any, flags: int) -> None:
        watched.append((obj, flags))
        readwrite(obj, flags)

    readwrite = asyncore.readwrite
    monkeypatch.setattr(asyncore, "readwrite", watch)
    one, other = socket.socketpair()
    channel = Recorder(one, channels)
    channel.writes = True
    other.send(b"x")
    poll2(1, channels)
    assert watched == [(channel, select.POLLIN), (channel, select.POLLOUT)]
    assert channel.calls == ["read", "write"]
    other.close()


def test_a_hang_up_is_to_be_read(channels: Map) -> None:
    """Poll does not say of the end of a pipe that it can be written to."""
    ours, theirs = os.pipe()
    channel = PipeRecorder(ours, channels)
    channel.writes = True
    os.close(ours)
    os.close(theirs)
    poll(1, channels)
    assert channel.calls == ["read", "close"]


def test_a_server_that_pauses(channels: Map, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who listens, and does not read, can be waited for without a limit of time."""
    waited: list[float | None] = []

    class Poller:
        def register(self, fd: int, events: int) -> None:
            assert (fd, events) == (server._fileno, select.POLLPRI)

        def poll(self, timeout: float | None) -> list[tuple[int, int]]:
            waited.append(timeout)
            return []

    monkeypatch.setattr(select, "poll", Poller)
    server = listener(channels, [])
    vars(server).update(readable=lambda: False, writable=lambda: True)
    poll(None, channels)
    assert waited == [None]


def test_more_than_1024_descriptors(channels: Map) -> None:
    """Both kinds of turns go as far as the system does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * 1100 + 200
    if hard < wanted:
        pytest.skip(f"needs {wanted} file descriptors, and the limit here is {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    with contextlib.ExitStack() as opened:
        opened.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        made: list[Recorder] = []
        for _ in range(1100):
            one, other = socket.socketpair()
            opened.enter_context(other)
            made.append(Recorder(one, channels))
            other.send(b"spameggs")
        assert max(channels) > 1024
        poll(1, channels)
        poll2(1, channels)
        close_all(channels)
    assert {channel.received for channel in made} == {b"spameggs"}


def test_close_all_and_errors() -> None:
    """A descriptor that is not open is no error; the first other one is raised, or none is."""
    closed: list[int] = []

    class Channel:
        def __init__(self, number: int, error: BaseException | None) -> None:
            self.number, self.error = number, error

        def close(self) -> None:
            closed.append(self.number)
            if self.error is not None:
                raise self.error

    def channels(*errors: BaseException | None) -> Map:
        closed.clear()
        return {number: Channel(number, error) for number, error in enumerate(errors)}

    close_all(some := channels(OSError(errno.EBADF, ""), None))
    assert (closed, some) == ([0, 1], {})
    for error in (OSError(errno.EIO, ""), ValueError()):
        with pytest.raises(type(error)):
            close_all(channels(error, None))
        assert closed == [0]
        close_all(channels(error, None), ignore_all=True)
        assert closed == [0, 1]
    with pytest.raises(ExitNow):
        close_all(channels(ExitNow(), None), ignore_all=True)


# -- dispatcher_with_send ------------------------------------------------------------------


def test_what_cannot_be_sent_waits(
    channels: Map, pair: tuple[socket.socket, socket.socket]
) -> None:
    """It goes out in order, as soon as there is room."""
    channel = dispatcher_with_send(pair[0], channels)
    assert not channel.writable()
    pieces = [bytes([byte]) * 50_000 for byte in range(40)]
    for piece in pieces:
        channel.send(piece)
    assert channel.writable()
    assert channel.out_buffer
    received = b""
    pair[1].settimeout(10)
    while len(received) < 50_000 * 40:
        received += pair[1].recv(1 << 16)
        poll(0, channels)
    assert received == b"".join(pieces)
    assert channel.out_buffer == b""


def test_what_waits_is_sent_in_one() -> None:
    """As bytes, also after a part of it was sent: that is all that some sockets know."""
    sent: list[Any] = []

    class Slow:
        def send(self, data: Any) -> int:
            sent.append(data)
            return min(3, len(data))

    channel = dispatcher_with_send(None, {})
    vars(channel).update(socket=Slow(), connected=True)
    channel.send(b"spam")
    channel.send(b"eggs")
    channel.handle_write()
    assert sent == [b"spam", b"meggs", b"gs"]
    assert {type(data) for data in sent} == {bytes}


def test_out_buffer_may_be_set(pair: tuple[socket.socket, socket.socket]) -> None:
    """It is what programs poke at."""

    class Mine(dispatcher_with_send):
        out_buffer = b""  # pyright: ignore[reportAssignmentType, reportIncompatibleMethodOverride]  # hides it

        def __init__(self, sock: socket.socket) -> None:
            dispatcher.__init__(self, sock, {})

    class Plain(dispatcher_with_send):
        out_buffer: Any = ""

    for channel in (Plain(pair[0], {}), Mine(pair[0])):
        assert channel.out_buffer == b""
        channel.initiate_send()
        channel.out_buffer += b"spam"
        channel.out_buffer += b"eggs"
        assert channel.out_buffer == b"spameggs"
        channel.handle_write()
        assert pair[1].recv(20) == b"spameggs"
        channel.out_buffer = b"ham"
        channel.send(b"!")
        assert pair[1].recv(20) == b"ham!"
        assert channel.out_buffer == b""


def test_an_out_buffer_of_the_program() -> None:
    """A property that it has in this place is its own."""

    class Mine(dispatcher_with_send):
        @property
        def out_buffer(self) -> bytes:
            return b"mine"

        @out_buffer.setter
        def out_buffer(self, data: bytes) -> None:
            assert data == b""

    assert Mine(None, {}).out_buffer == b"mine"


def test_sending_is_said(
    pair: tuple[socket.socket, socket.socket], capsys: pytest.CaptureFixture[str]
) -> None:
    """When the program debugs. What is no bytes is refused."""
    channel = dispatcher_with_send(pair[0], {})
    channel.debug = True
    channel.send(b"spam")
    assert capsys.readouterr().out == "info: sending b'spam'\n"
    wrong: Any = "spam"
    with pytest.raises(TypeError):
        channel.send(wrong)


def test_before_the_connection(pair: tuple[socket.socket, socket.socket]) -> None:
    """It waits to write, for that is how it learns of it."""
    channel = dispatcher_with_send(map={})
    assert channel.writable()


# -- file_dispatcher -----------------------------------------------------------------------


def test_a_plain_file(channels: Map, tmp_path: Path) -> None:
    """It is ready at once, by name or by number."""
    (tmp_path / "file").write_bytes(b"spam")
    with (tmp_path / "file").open("rb") as file:
        for what in (file, file.fileno()):
            os.lseek(file.fileno(), 0, os.SEEK_SET)
            channel = PipeRecorder(what, channels)
            assert channel.connected
            assert channel._fileno != file.fileno()
            for turn in (poll, poll2):
                turn(0, channels)
            assert channel.received == b"spam"
            assert channels == {}


# -- Beside asyncio ------------------------------------------------------------------------


def test_run_in_asyncio(channels: Map, pair: tuple[socket.socket, socket.socket]) -> None:
    """The turns are `poll2`'s; more of it is in `test_asyncore_bridge.py`."""
    channel = Recorder(pair[0], channels)
    pair[1].send(b"spam")
    pair[1].close()
    asyncio.run(asyncore.run_in_asyncio(map=channels))
    assert channel.received == b"spam"
    assert channels == {}
    asyncio.run(asyncore.run_in_asyncio())
