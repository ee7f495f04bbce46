"""Sockets and a select module in which whatever happens was decided by some bytes.

Both sides of a comparison have one of these worlds each, which decide from the same bytes;
so they see the same as long as they do the same.
"""

from __future__ import annotations

import errno
import math
import sys
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

from fuzz.choices import Choices

from framer_adapters._asyncore_polling import HANG_UP, PRIORITY, READ, WRITE

__all__ = ["Wire", "World"]

ALPHABET = b"ab\r\n"
FLAGS = [
    *[READ | WRITE, READ, WRITE, READ | WRITE, 0, READ | PRIORITY] * 5,
    *[PRIORITY, *(ended | flags for ended in (0x08, 0x10) for flags in (0, READ, READ | WRITE))],
]
POLLERR, POLLHUP, POLLNVAL = 0x08, 0x10, 0x20
NOTHING = [0] * 30
STREAMS = [
    *[b"\r\n", b"a", b"ab\r\n", b"a\r", b"\n", b"aab", b"aabab\r\nab", b"\r\n\r\n", b"abcdef"],
    *[b"a" * 9, b"ab\r\n" * 4, b"\r\rb\n\r"],
]
RECEIVING = [*NOTHING, errno.EAGAIN, errno.EINTR, errno.ECONNRESET, errno.EBADF, errno.EIO]
SENDING = [*NOTHING, errno.EAGAIN, errno.EINTR, errno.EPIPE, errno.ENOTCONN, errno.EIO]


class World:
    """What a program sees of the system, and what was seen of the program."""

    def __init__(self, data: bytes) -> None:
        self.choices = Choices(data)
        self.notes: list[object] = []
        self.open: dict[int, Wire] = {}
        self.waited: Callable[[dict[int, int]], None] = lambda _events: None
        self.select = SimpleNamespace(
            select=self._select,
            poll=lambda: Poller(self),
            POLLIN=READ,
            POLLPRI=PRIORITY,
            POLLOUT=WRITE,
            POLLERR=POLLERR,
            POLLHUP=POLLHUP,
            POLLNVAL=POLLNVAL,
        )
        self.time = SimpleNamespace(sleep=self.sleep)
        self.fcntl = SimpleNamespace(ioctl=self._ioctl)

    def note(self, *what: object) -> None:
        """Note something that both have to do alike."""
        self.notes.append(what)

    def fail(self, errors: list[int]) -> None:
        """Raise one of the errors, or do not."""
        number = self.choices.pick(errors)
        if number:
            raise OSError(number, "decided")

    def sleep(self, seconds: float) -> None:
        """Note it instead."""
        self.note("sleep", seconds)

    def stream(self) -> bytes:
        """Make up what comes in: some that means something, or anything."""
        choices = self.choices
        return choices.pick(STREAMS) if choices.number(3) else choices.word(ALPHABET, 8)

    def find(self, wanted: dict[int, int]) -> dict[int, int]:
        """Decide what is ready, as ``select.poll`` says it."""
        found: dict[int, int] = {}
        for fd, events in wanted.items():
            flags = self.choices.pick(FLAGS) if fd in self.open else POLLNVAL
            if told := flags & (events | HANG_UP):
                found[fd] = told
                if flags & READ:
                    self.open[fd].inbox += self.stream()
        self.waited(found)
        return found

    def _select(
        self, reading: Iterable[int], writing: Iterable[int], urgent: Iterable[int], timeout: Any
    ) -> tuple[list[int], list[int], list[int]]:
        """Say it as ``select.select`` does on Linux, which knows errors, but hardly a hang-up.

        To who waits only to write it says nothing of that; this one does, as is listed.
        """
        if timeout is not None and timeout < 0:
            raise ValueError("timeout must be non-negative")
        names = (READ, reading), (WRITE, writing)
        wanted = {fd: sum(flag for flag, fds in names if fd in fds) for fd in urgent}
        found = self.find({fd: flags | PRIORITY for fd, flags in wanted.items()})
        if POLLNVAL in found.values():
            raise OSError(errno.EBADF, "Bad file descriptor")
        ended = POLLERR | POLLHUP
        return (
            [fd for fd in reading if found.get(fd, 0) & (READ | ended)],
            [
                fd
                for fd in writing
                if found.get(fd, 0) & (WRITE | (POLLERR if fd in reading else ended))
            ],
            [fd for fd in urgent if found.get(fd, 0) & PRIORITY],
        )

    def _ioctl(self, fd: int, _request: int, _space: bytes) -> bytes:
        """Say how much there is to read."""
        if fd not in self.open:
            raise OSError(errno.EBADF, "Bad file descriptor")
        return len(self.open[fd].inbox).to_bytes(4, sys.byteorder)


class Poller:
    """What ``select.poll()`` gives."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.wanted: dict[int, int] = {}

    def register(self, fd: int, events: int) -> None:
        """Wait for these."""
        self.wanted[fd] = events

    def poll(self, timeout: float | None) -> list[tuple[int, int]]:
        """Do not wait at all."""
        assert timeout is None or timeout == math.floor(timeout)
        return list(self.world.find(self.wanted).items())


class Wire:
    """A socket: what comes, what it takes, and what goes wrong is decided."""

    def __init__(self, world: World, acts: Callable[[str], None] | None = None) -> None:
        self.world = world
        self.acts = acts
        self.inbox = b""
        self.number = next(fd for fd in range(1000, 2000) if fd not in world.open)
        world.open[self.number] = self

    def fileno(self) -> int:
        """Tell its number: the lowest that was free."""
        return self.number

    def setblocking(self, flag: bool) -> None:
        """Do nothing; nothing here blocks."""
        assert not flag

    def getpeername(self) -> tuple[str, int]:
        """Tell whose it is, or that there is nobody."""
        self.world.fail([*NOTHING, errno.ENOTCONN, errno.EINVAL, errno.EIO])
        return "peer", self.number

    def getsockopt(self, _level: int, _option: int) -> int:
        """Tell the error of the socket."""
        return self.world.choices.pick([*NOTHING, errno.ECONNREFUSED, errno.ETIMEDOUT])

    def listen(self, backlog: int) -> None:
        """Listen."""
        self.world.note("listen", backlog)

    def bind(self, address: object) -> None:
        """Have an address."""
        self.world.note("bind", address)

    def connect_ex(self, address: object) -> int:
        """Connect at once, later, or not."""
        self.world.note("connect", address)
        return self.world.choices.pick(
            [errno.EINPROGRESS, 0, errno.EISCONN, errno.EALREADY, errno.ECONNREFUSED]
        )

    def accept(self) -> tuple[Wire, tuple[str, int]]:
        """Give somebody who wants to connect, if anybody does."""
        self.world.fail([*NOTHING, errno.EAGAIN, errno.ECONNABORTED, errno.EMFILE])
        wire = Wire(self.world)
        return wire, ("peer", wire.number)

    def recv(self, size: int) -> bytes | str:
        """Give some of what is there, or the end."""
        choices = self.world.choices
        self.world.note("recv", self.number, size)
        self.world.fail(RECEIVING)
        if choices.number(9):
            self.inbox += self.world.stream()
        most = min(size, len(self.inbox))
        taken = max(most - choices.number(4), min(most, 1))
        data, self.inbox = self.inbox[:taken], self.inbox[taken:]
        return data.decode("latin-1") if choices.number(20) == 20 else data

    def send(self, data: Any) -> int:
        """Take some of it."""
        view: memoryview[int] = memoryview(data)
        self.world.note("send", self.number, type(data).__name__, bytes(view))
        if self.acts:
            self.acts("send")
        self.world.fail(SENDING)
        return max(len(view) - self.world.choices.number(4), min(len(view), 1))

    def close(self) -> None:
        """Give back the number."""
        self.world.note("closed", self.number)
        if self.world.open.get(self.number) is self:
            del self.world.open[self.number]
        self.world.fail([*NOTHING, errno.ENOTCONN, errno.EBADF, errno.EIO])
