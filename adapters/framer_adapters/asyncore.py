r"""A drop-in for the module asyncore, which Python 3.12 removed.

All that Python 3.11 had, under the same names, for programs that stand on it.
What is better said by their documentation is not said here again; where this module differs,
docs/migrating.md says how and why. For a new program there is `framer_adapters.selectors`.

To have ``import asyncore`` find it:

>>> import framer_adapters.asyncore
>>> framer_adapters.asyncore.install()  # doctest: +SKIP

`framer_adapters.asynchat` has an `install` that does it for both.

It is long, for it stays in one piece: programs put things of their own in the place of its names,
`socket_map` and `readwrite` among them, so what uses a name has to be where that name is.

A channel is an object in a map, a plain dict, under the number of its descriptor.
`loop` goes in turns as long as there are any::

    ask each channel: readable()? writable()? ──▶ wait ──▶ handle_*_event() of those ready
                    ▲                                          │
                    └──────────────────────────────────────────┘

The events lead to what programs override::

    handle_read_event    ──▶ handle_accept ──▶ handle_accepted     of a socket that listens
                         ──▶ handle_connect                        once connected
                         ──▶ handle_read
    handle_write_event   ──▶ handle_connect, handle_write
    handle_expt_event    ──▶ handle_expt, or handle_close if the socket has an error

>>> class Echo(dispatcher_with_send):
...     def handle_read(self):
...         self.send(self.recv(8192))
>>> class Server(dispatcher):
...     def handle_accepted(self, sock, addr):
...         Echo(sock, self._map)
>>> channels = {}
>>> server = Server(map=channels)
>>> server.create_socket()
>>> server.bind(("127.0.0.1", 0))
>>> server.listen(5)
>>> with socket.create_connection(server.socket.getsockname()) as client:
...     client.sendall(b"spam")
...     loop(timeout=1, map=channels, count=2)  # it accepts, then it echoes
...     client.recv(4)
b'spam'
>>> close_all(channels)
"""

# ruff: noqa: A002, ANN401, N801 - the names and types it always had

from __future__ import annotations

import os
import select
import socket
import sys
import time
import warnings
from collections.abc import Callable
from errno import (
    EAGAIN,
    EALREADY,
    EBADF,
    ECONNABORTED,
    ECONNRESET,
    EINPROGRESS,
    EINVAL,
    EISCONN,
    ENOTCONN,
    EPIPE,
    ESHUTDOWN,
    EWOULDBLOCK,
    errorcode,
)
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from framer import OutputQueue
from framer_adapters._asyncore_events import (
    DISCONNECTED,
    RERAISED,
    ExitNow,
    compact_traceback,
    exception,
    read,
    readwrite,
    strerror,
    write,
)
from framer_adapters._asyncore_files import file_wrapper
from framer_adapters._asyncore_install import install_under
from framer_adapters._asyncore_polling import (
    HANG_UP,
    PRIORITY,
    READ,
    WRITE,
    Map,
    unread,
    wait,
    wait_as_select,
    waiting,
)

if TYPE_CHECKING:
    from _typeshed import FileDescriptorLike, ReadableBuffer

__all__ = [
    # Channels
    "dispatcher",
    "dispatcher_with_send",
    "file_dispatcher",
    "file_wrapper",
    "socket_map",
    # The loop
    "loop",
    "poll",
    "poll2",
    "poll3",
    "read",
    "write",
    "readwrite",
    "close_all",
    # Errors
    "ExitNow",
    "compact_traceback",
    # What is new
    "install",
    "run_in_asyncio",
    # What `from asyncore import *` brought along, it having no list of its own
    "os",
    "select",
    "socket",
    "sys",
    "time",
    "warnings",
    "EAGAIN",
    "EALREADY",
    "EBADF",
    "ECONNABORTED",
    "ECONNRESET",
    "EINPROGRESS",
    "EINVAL",
    "EISCONN",
    "ENOTCONN",
    "EPIPE",
    "ESHUTDOWN",
    "EWOULDBLOCK",
    "errorcode",
]

_Socket: TypeAlias = socket.socket
# In the body of a class `socket` is the attribute.
_AF_INET = socket.AF_INET
_SOCK_STREAM = socket.SOCK_STREAM

_Address: TypeAlias = tuple[Any, ...] | str | bytes

# Private by name, and yet used by programs.
_DISCONNECTED = DISCONNECTED
_reraised_exceptions = RERAISED
_exception = exception
_strerror = strerror

socket_map: Map = {}
"""The channels of all programs that pass no map of their own."""


def install(*, force: bool = False) -> None:
    """Have ``import asyncore`` find this module, from now on; harmless a second time.

    Args:
        force: whether to hide a module of this name that is there already.

    Raises:
        framer.UsageError: there is another module of this name, and no `force`. Nothing changed.
    """
    install_under({"asyncore": sys.modules[__name__]}, force=force)


# -- The loop ------------------------------------------------------------------------------


def loop(
    timeout: float = 30.0,
    use_poll: bool = False,  # noqa: FBT001, FBT002 - positional as ever
    map: Map | None = None,
    count: float | None = None,
) -> None:
    """Run turns until there are no more channels.

    Args:
        timeout: how many seconds a turn waits, at the most.
        use_poll: whether to tell channels as `poll2` does, rather than as `poll`.
        map: the channels; None for `socket_map`.
        count: after how many turns to return anyway; None for no such number.

    Raises:
        ExitNow, KeyboardInterrupt, SystemExit: whatever of these a channel raised.
        Exception: what ``readable``, ``writable`` or ``handle_error`` of one raised.
    """
    channels = socket_map if map is None else map
    turn = poll2 if use_poll else poll
    while channels and (count is None or count > 0):
        turn(timeout, channels)
        if count is not None:
            count -= 1


def poll(timeout: float | None = 0.0, map: Map | None = None) -> None:
    """Run one turn: first all that can read are told, then all that can write.

    The connection's end is for the channel to find when it reads or writes.

    Raises:
        OSError: a channel's descriptor is not open.
        ValueError: `timeout` is negative.
    """
    channels = socket_map if map is None else map
    if not channels:
        return
    asked = dict(channels.items())
    events = waiting(asked, READ | PRIORITY, WRITE | PRIORITY)
    if not events:
        time.sleep(cast("float", timeout))
        return
    found = wait_as_select(asked, events, timeout)
    for event, tell in ((READ, read), (WRITE, write), (PRIORITY, _exception)):
        for ready in found:
            if ready.events & event and ready.stands(channels):
                tell(ready.channel)


def poll2(timeout: float | None = 0.0, map: Map | None = None) -> None:
    """Run one turn: each channel is told all that there is for it.

    One that hangs up is closed, when it has read what there is.
    """
    channels = socket_map if map is None else map
    asked = dict(channels.items())
    for ready in wait(asked, waiting(asked, READ | PRIORITY, WRITE), timeout):
        before = unread(ready)
        for event in (READ, WRITE, PRIORITY, HANG_UP):
            # A step may close the channel. And while reading gets on, there may be more to read.
            if ready.events & event and ready.stands(channels):
                if event == HANG_UP and unread(ready) < before:
                    break
                # Looked up each time: there are programs that put their own in its place.
                if readwrite(ready.channel, ready.events & event):
                    break


poll3 = poll2


def close_all(map: Map | None = None, ignore_all: bool = False) -> None:  # noqa: FBT001, FBT002
    """Close all channels, and empty the map.

    Args:
        map: the channels; None for `socket_map`.
        ignore_all: whether to go on when a channel cannot be closed.

    Raises:
        Exception: what the first ``close`` raised; that a descriptor is not open is no error.
    """
    channels = socket_map if map is None else map
    for channel in list(channels.values()):
        try:
            channel.close()
        except RERAISED:
            raise
        except BaseException as exc:
            if not (ignore_all or (isinstance(exc, OSError) and exc.errno == EBADF)):
                raise
    channels.clear()


async def run_in_asyncio(
    timeout: float = 0.1,  # noqa: ASYNC109 - of a turn, as in loop()
    map: Map | None = None,
) -> None:
    """Do as `loop` does, in a task of asyncio: others go on between the turns.

    >>> import asyncio
    >>> class Server(dispatcher):
    ...     def handle_accepted(self, sock, addr):
    ...         sock.send(b"spam")
    ...         sock.close()
    ...         self.close()
    >>> async def main():
    ...     channels = {}
    ...     server = Server(map=channels)
    ...     server.create_socket()
    ...     server.bind(("127.0.0.1", 0))
    ...     server.listen(5)
    ...     turns = asyncio.create_task(run_in_asyncio(map=channels))
    ...     reader, writer = await asyncio.open_connection(*server.socket.getsockname())
    ...     print(await reader.read())
    ...     writer.close()
    ...     await turns
    >>> asyncio.run(main())
    b'spam'

    Args:
        timeout: how many seconds a turn waits, at the most. It is also how long it may take
            until a channel is noticed that another task has made, or has pushed to.
        map: the channels; None for `socket_map`.

    Raises:
        Exception: as `loop` does.
        NotImplementedError: the event loop cannot watch descriptors (Windows: use
            ``asyncio.SelectorEventLoop``).
    """
    from framer_adapters._asyncore_bridge import run  # noqa: PLC0415 - without it, no asyncio

    await run(timeout, socket_map if map is None else map, poll2)


# -- Channels ------------------------------------------------------------------------------


class dispatcher:
    """A socket with callbacks: a channel. Override what is of interest.

    Args:
        sock: the socket, connected or not; None to make one by `create_socket`.
        map: where the channel is to be; None for `socket_map`.

    Raises:
        OSError: the socket is broken.

    Attributes:
        socket: the socket; None before there is one.
        connected, accepting, connecting: what it is doing.
        addr: the address of the peer, or where it listens.
        ignore_log_types: which kinds of messages `log_info` leaves out.
        debug, closing: for programs; nothing here looks at them, but for the one in
            ``dispatcher_with_send.send``.
    """

    debug: bool = False
    connected: bool = False
    accepting: bool = False
    connecting: bool = False
    closing: bool = False
    addr: Any = None
    ignore_log_types: frozenset[str] = frozenset({"warning"})
    socket: _Socket | None
    family_and_type: tuple[int, int]

    def __init__(self, sock: _Socket | None = None, map: Map | None = None) -> None:
        self._map: Map = socket_map if map is None else map
        self._fileno: int | None = None
        self.socket = None
        if sock:
            sock.setblocking(False)  # noqa: FBT003
            self.set_socket(sock, map)
            self.connected = True
            try:
                self.addr = sock.getpeername()
            except OSError as exc:
                if exc.errno not in {ENOTCONN, EINVAL}:
                    self.del_channel(map)
                    raise
                self.connected = False

    def __repr__(self) -> str:
        kind = type(self)
        # Its own classes go by the name that programs know the module by.
        words = [f"{kind.__module__.removeprefix('framer_adapters.')}.{kind.__qualname__}"]
        if self.accepting and self.addr:
            words.append("listening")
        elif self.connected:
            words.append("connected")
        if self.addr is not None:
            try:
                words.append("%s:%d" % self.addr)  # noqa: UP031 - only a pair fits
            except TypeError:
                words.append(repr(self.addr))
        return f"<{' '.join(words)} at {id(self):#x}>"

    # -- In the map ------------------------------------------------------------------------

    def add_channel(self, map: Map | None = None) -> None:
        """Put the channel into its map, or another one."""
        channels = self._map if map is None else map
        channels[cast("int", self._fileno)] = self

    def del_channel(self, map: Map | None = None) -> None:
        """Take it out again, if it is there."""
        channels = self._map if map is None else map
        if self._fileno in channels:
            del channels[self._fileno]
        self._fileno = None

    def readable(self) -> bool:
        """Say whether the loop is to wait until the channel can read. It is asked each turn."""
        return True

    def writable(self) -> bool:
        """Say whether the loop is to wait until the channel can write."""
        return True

    # -- The socket ------------------------------------------------------------------------

    def create_socket(self, family: int = _AF_INET, type: int = _SOCK_STREAM) -> None:
        """Make a socket that does not block."""
        self.family_and_type = family, type
        sock = socket.socket(family, type)
        sock.setblocking(False)  # noqa: FBT003
        self.set_socket(sock)

    def set_socket(self, sock: _Socket, map: Map | None = None) -> None:
        """Take a socket, and put the channel into the map."""
        self.socket = sock
        self._fileno = sock.fileno()
        self.add_channel(map)

    def set_reuse_addr(self) -> None:
        """Allow to listen at an address that was used a moment ago, where that can be had."""
        sock = cast("_Socket", self.socket)
        try:
            option = sock.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, option | 1)
        except OSError:
            self.log_info("SO_REUSEADDR cannot be had", "warning")

    def listen(self, num: int) -> None:
        """Listen for connections, of which `num` may wait to be accepted."""
        self.accepting = True
        cast("_Socket", self.socket).listen(num)

    def bind(self, addr: _Address) -> None:
        """Give the socket an address."""
        self.addr = addr
        cast("_Socket", self.socket).bind(addr)

    def connect(self, address: _Address) -> None:
        """Begin to connect; `handle_connect` tells when it is done.

        Raises:
            OSError: that was refused at once.
        """
        self.connected = False
        self.connecting = True
        err = cast("_Socket", self.socket).connect_ex(address)
        under_way = {EINPROGRESS, EALREADY, EWOULDBLOCK}
        if os.name == "nt":
            under_way.add(EINVAL)
        if err not in {0, EISCONN} | under_way:
            raise OSError(err, errorcode.get(err, strerror(err)))
        self.addr = address
        if err not in under_way:
            self.handle_connect_event()

    def accept(self) -> tuple[_Socket, Any] | None:
        """Accept a connection.

        Returns:
            The socket and the peer's address, or None if there is nobody to accept after all.

        Raises:
            OSError: the system cannot take another one.
        """
        try:
            return cast("_Socket", self.socket).accept()
        except TypeError:
            return None
        except OSError as exc:
            if exc.errno in {EWOULDBLOCK, EAGAIN, ECONNABORTED}:
                return None
            raise

    def send(self, data: ReadableBuffer) -> int:
        """Send what can be sent now; return how many bytes, 0 if none or if it was closed.

        Raises:
            OSError: an error that does not just say that the connection is gone.
        """
        sock: Any = self.socket
        try:
            sent: int = sock.send(data)
            return sent
        except OSError as exc:
            if exc.errno in DISCONNECTED:
                self.handle_close()
            elif exc.errno != EWOULDBLOCK:
                raise
        return 0

    def recv(self, buffer_size: int) -> bytes:
        """Receive so many bytes at the most; b"" at the end, after `handle_close` was called.

        Raises:
            BlockingIOError: there is nothing yet.
            OSError: an error that does not just say that the connection is gone.
        """
        return receive(self, buffer_size, self.handle_close)

    def close(self) -> None:
        """Close the socket and leave the map; harmless a second time."""
        self.connected = False
        self.accepting = False
        self.connecting = False
        self.del_channel()
        if self.socket is not None:
            try:
                self.socket.close()
            except OSError as exc:
                if exc.errno not in {ENOTCONN, EBADF}:
                    raise

    # -- What is said ----------------------------------------------------------------------

    def log(self, message: Any) -> None:
        """Write a message to stderr."""
        sys.stderr.write(f"log: {message}\n")

    def log_info(self, message: Any, type: str = "info") -> None:
        """Print a message, but for the types that are ignored."""
        if type not in self.ignore_log_types:
            print(f"{type}: {message}")  # noqa: T201 - that is where it goes

    # -- What the loop calls ---------------------------------------------------------------

    def handle_read_event(self) -> None:
        """Find out what there is to read: a connection to accept, or bytes."""
        if self.accepting:
            self.handle_accept()
            return
        if not self.connected and self.connecting:
            self.handle_connect_event()
        self.handle_read()

    def handle_connect_event(self) -> None:
        """Find out whether there is a connection now.

        Raises:
            OSError: there will be none.
        """
        err = _error(self)
        if err:
            raise OSError(err, strerror(err))
        self.handle_connect()
        self.connected = True
        self.connecting = False

    def handle_write_event(self) -> None:
        """Find out whether there is a connection now, and write."""
        if self.accepting:
            return
        if not self.connected and self.connecting:
            self.handle_connect_event()
        self.handle_write()

    def handle_expt_event(self) -> None:
        """Find out whether there is urgent data, or an error."""
        if _error(self):
            self.handle_close()
        else:
            self.handle_expt()

    # -- What programs override ------------------------------------------------------------

    def handle_error(self) -> None:
        """Say what was raised, and close. It is called while the exception is handled."""
        _, kind, value, trace = compact_traceback()
        try:
            name = repr(self)
        except Exception:  # noqa: BLE001 - of a program's own __repr__
            name = f"<__repr__(self) failed for object at {id(self):0x}>"
        what = f"({kind}:{value} {trace})"
        self.log_info(f"uncaptured python exception, closing channel {name} {what}", "error")
        self.handle_close()

    def handle_expt(self) -> None:
        """There is urgent data."""
        self.log_info("unhandled incoming priority event", "warning")

    def handle_read(self) -> None:
        """There is something to `recv`, or the end."""
        self.log_info("unhandled read event", "warning")

    def handle_write(self) -> None:
        """There is room to `send`."""
        self.log_info("unhandled write event", "warning")

    def handle_connect(self) -> None:
        """There is a connection."""
        self.log_info("unhandled connect event", "warning")

    def handle_accept(self) -> None:
        """A connection is waiting: `accept` it."""
        pair = self.accept()
        if pair is not None:
            self.handle_accepted(*pair)

    def handle_accepted(self, sock: _Socket, addr: Any) -> None:
        """A connection was accepted: do with its socket what is to be done."""
        sock.close()
        self.log_info("unhandled accepted event", "warning")

    def handle_close(self) -> None:
        """The connection is gone."""
        self.log_info("unhandled close event", "warning")
        self.close()


def _error(channel: dispatcher) -> int:
    sock = cast("_Socket", channel.socket)
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)


def receive(channel: dispatcher, size: int, ended: Callable[[], object]) -> bytes:
    """Receive for a channel; at any end of the connection call `ended`, and return b""."""
    sock: Any = channel.socket
    try:
        data: bytes = sock.recv(size)
    except OSError as exc:
        if exc.errno not in DISCONNECTED:
            raise
        ended()
        return b""
    if not data:
        ended()
        return b""
    return data


class dispatcher_with_send(dispatcher):
    """A channel that holds back what cannot be sent yet. It is for simple clients.

    Args:
        sock: see `dispatcher`.
        map: likewise.
    """

    __queue: OutputQueue | None = None

    def __init__(self, sock: _Socket | None = None, map: Map | None = None) -> None:
        dispatcher.__init__(self, sock, map)
        self.out_buffer = b""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        unhide(cls, dispatcher_with_send, "out_buffer")

    @property
    def out_buffer(self) -> bytes:
        """What is still to be sent. It may be set; to look at it takes time linear in it."""
        queue = self.__output()
        return b"".join(queue.buffers(len(queue)))

    @out_buffer.setter
    def out_buffer(self, data: bytes) -> None:
        queue = self.__output()
        queue.discard()
        queue.push(data)

    def __output(self) -> OutputQueue:
        if self.__queue is None:
            self.__queue = OutputQueue()
        return self.__queue

    def initiate_send(self) -> None:
        """Send what can be sent now."""
        queue = self.__output()
        if queue:
            # All of it in one, as bytes: what stands for a socket may know of nothing else.
            data = b"".join(queue.buffers(65536, 65536))
            queue.advance(dispatcher.send(self, data))

    def handle_write(self) -> None:
        """Send more."""
        self.initiate_send()

    def writable(self) -> bool:
        """Say that there is something to send, or a connection to wait for."""
        return not self.connected or bool(self.__output())

    # It has never said how much, for it takes all.
    def send(self, data: bytes | bytearray | memoryview) -> None:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        """Send what can be sent now, and the rest later."""
        if self.debug:
            self.log_info(f"sending {data!r}")
        self.__output().push(data)
        self.initiate_send()


class file_dispatcher(dispatcher):
    """A channel on a file that can be waited for, such as a pipe; not on Windows.

    Args:
        fd: the file or its descriptor, of which a copy is made; it is set not to block.
        map: see `dispatcher`.
    """

    def __init__(self, fd: FileDescriptorLike, map: Map | None = None) -> None:
        dispatcher.__init__(self, None, map)
        self.connected = True
        number = cast("int", getattr(fd, "fileno", lambda: fd)())
        self.set_file(number)
        os.set_blocking(number, False)

    def set_file(self, fd: int) -> None:
        """Take a copy of a descriptor, and put the channel into the map."""
        copy = file_wrapper(fd)
        self.socket: _Socket | None = cast("_Socket", copy)
        self._fileno = copy.fileno()
        self.add_channel()


def unhide(cls: type, owner: type, name: str) -> Any:
    """Take back a property that a class, or another base of it, has hidden by a plain value.

    ``out_buffer = ""`` in the body of a class was harmless when this was an attribute.
    A property of the program's own stays.

    Returns:
        The value, or None if there was none.
    """
    hides: Any = getattr(cls, name)
    if hasattr(hides, "__get__"):
        return None
    setattr(cls, name, vars(owner)[name])
    return hides
