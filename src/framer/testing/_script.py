"""Script: a peer that follows a script, in each of four worlds.

A script is a list of steps, and a `Play` is how far one connection has come in it.
What a step means is the same in every world:

==============  =============================================================================
read(data)      the program can receive this; it may take it in several pieces
write(data)     the program has to send this; one send takes no more than this of it
error(exc)      the next receive or send fails
wait()          there is nothing to receive, or no room to send, for a moment
eof()           the peer has ended its direction
==============  =============================================================================

The peer sends what it has to say before it waits for an answer:
a send passes over reads that have not been taken, but a receive does not pass over a write.

This module does no I/O. The worlds that are asynchronous are in `framer_adapters`,
where all I/O is, and each is loaded when it is asked for.
"""

from __future__ import annotations

import os
from collections import deque
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Self, TypeAlias

from framer.testing._failures import CheckFailed
from framer.testing._sockets import Buffer, FakeSocket, Sign

__all__ = ["Play", "Script", "ScriptedSocket"]

__tracebackhide__ = True  # pytest shows the line of the test, and what the failure says


@dataclass(frozen=True, slots=True)
class Read:
    """The program can receive this."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Write:
    """The program has to send this."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Error:
    """The next call fails."""

    error: BaseException


@dataclass(frozen=True, slots=True)
class Wait:
    """There is nothing for a moment."""


@dataclass(frozen=True, slots=True)
class Eof:
    """There is nothing more to receive."""


Step: TypeAlias = Read | Write | Error | Wait | Eof


class Script:
    r"""What a peer does, step by step, for code that talks to one.

    Each method adds a step, and returns the script:
    ``read``, ``write``, ``error``, ``wait``, ``eof``.
    ``socket()``, ``asyncio()``, ``trio()`` and ``anyio()`` make the program's side
    of a connection to that peer, each a new one.

    Leaving a ``with`` block, of the script or of the socket or stream, or calling `check`,
    fails if the program did not do what the script says, or left something of it over.

    >>> from framer.testing import Script
    >>> def greet(sock):
    ...     name = b""
    ...     while not name.endswith(b"\n"):
    ...         name += sock.recv(100)
    ...     sock.sendall(b"hello " + name)
    >>> script = Script().read(b"wo").read(b"rld\n").write(b"hello ").write(b"world\n")
    >>> with script.socket() as sock:
    ...     greet(sock)
    """

    def __init__(self) -> None:
        self._steps: list[Step] = []
        self._plays: list[Play] = []

    def read(self, *pieces: Buffer) -> Self:
        """The program can receive this; each piece is one receive, or several small ones."""
        self._steps += [Read(_some(data, "read")) for data in pieces]
        return self

    def write(self, *pieces: Buffer) -> Self:
        """The program has to send this; each send takes as much as is left of one piece."""
        self._steps += [Write(_some(data, "write")) for data in pieces]
        return self

    def error(self, error: BaseException | type[BaseException] | int) -> Self:
        """The next receive or send fails: with an exception, or an OSError of this number.

        EAGAIN (BlockingIOError) and EINTR (InterruptedError) never come out of asyncio, trio
        or anyio, which try again by themselves: there they are the same as `wait`.
        """
        if isinstance(error, int):
            error = OSError(error, os.strerror(error))
        self._steps.append(Error(error() if isinstance(error, type) else error))
        return self

    def wait(self) -> Self:
        """There is nothing to receive, or no room to send, for a moment.

        A socket that does not block raises BlockingIOError, one with a timeout TimeoutError,
        and one that blocks does so for no time at all.
        In the other worlds all other tasks have their turn meanwhile.
        """
        self._steps.append(Wait())
        return self

    def eof(self) -> Self:
        """The peer ends its direction; it still takes what the program sends."""
        self._steps.append(Eof())
        return self

    # Worlds

    def socket(self) -> ScriptedSocket:
        """Make a socket, for code that is written for ``socket.socket``."""
        return ScriptedSocket(self._play())

    def asyncio(self) -> Any:
        """Make a pair ``(reader, writer)``, as ``asyncio.open_connection`` does."""
        return self._world("asyncio")

    def trio(self) -> Any:
        """Make a ``trio.abc.HalfCloseableStream``. Needs trio."""
        return self._world("trio")

    def anyio(self) -> Any:
        """Make an ``anyio.abc.ByteStream``. Needs anyio."""
        return self._world("anyio")

    def _world(self, name: str) -> Any:
        module = import_module(f"framer_adapters._script_{name}")
        return module.connect(self._play())

    def _play(self) -> Play:
        play = Play(deque(self._steps), len(self._steps))
        self._plays.append(play)
        return play

    # The end

    def check(self) -> None:
        """Fail if a program did not do what the script says, or has left something of it over.

        Raises:
            CheckFailed: it says what is left.
        """
        if not self._plays:
            raise CheckFailed("nobody has played the script: ask it for a socket, or a stream")
        for play in self._plays:
            play.check()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, exc_type: object, *_: object) -> None:
        if exc_type is None:
            self.check()


def _some(data: Buffer, name: str) -> bytes:
    if not data:
        raise ValueError(f"{name}() of nothing is no step; the end of the stream is eof()")
    return bytes(data)


@dataclass(slots=True)
class Play:
    """How far one connection has come in a script."""

    steps: deque[Step]
    count: int
    failure: CheckFailed | None = None
    at_end: bool = field(default=False)

    def receive(self, max_size: int) -> bytes | Sign:
        """What the program receives, or why there is nothing.

        Raises:
            BaseException: whatever the script says.
        """
        if self.at_end:
            return b""
        match self.steps[0] if self.steps else None:
            case Read(data):
                self.steps.popleft()
                if data[max_size:]:
                    self.steps.appendleft(Read(data[max_size:]))
                return data[:max_size]
            case Eof():
                self.steps.popleft()
                self.at_end = True
                return b""
            case Error(error):
                self.steps.popleft()
                raise error
            case Wait():
                self.steps.popleft()
                return Sign.WAIT
            case _:
                return Sign.BLOCKED

    def accept(self, data: bytes) -> int | Sign:
        """How much of this the peer takes, or that there is no room for it now.

        Raises:
            CheckFailed: it is not what the program has to send.
            BaseException: whatever the script says.
        """
        if not data:
            return 0
        places = (i for i, step in enumerate(self.steps) if not isinstance(step, Read | Eof))
        place = next(places, None)
        if place is None:
            raise self.fail(f"it sent {data!r}, and nothing more is to be sent")
        step = self.steps[place]
        if isinstance(step, Write) and step.data[: len(data)] != data[: len(step.data)]:
            raise self.fail(f"it sent {data!r}, and should have sent {step.data!r}")
        del self.steps[place]
        match step:
            case Write(wanted):
                count = min(len(data), len(wanted))
                if wanted[count:]:
                    self.steps.insert(place, Write(wanted[count:]))
                return count
            case Error(error):
                raise error
            case _:
                return Sign.WAIT

    def fail(self, told: str) -> CheckFailed:
        """Keep in mind what went wrong, also if the program catches it."""
        failure = CheckFailed(f"the program does not follow the script: {told}\n\n{self._where()}")
        self.failure = self.failure or failure
        return failure

    def stuck(self, what: str) -> CheckFailed:
        """What to raise where the program would wait for ever."""
        wanted = self.steps[0] if self.steps else None
        told = (
            f"the peer waits for {wanted.data!r}" if isinstance(wanted, Write) else "it has ended"
        )
        return self.fail(f"{what} would wait for ever, for {told}")

    def check(self) -> None:
        """Fail if something went wrong, or is left."""
        if self.failure is not None:
            raise self.failure
        if self.steps:
            raise CheckFailed(f"a part of the script is left over\n\n{self._where()}")

    def _where(self) -> str:
        done = self.count - len(self.steps)
        left = "\n".join(f"    {_call(step)}" for step in self.steps) or "    nothing"
        return f"{done} of {self.count} steps are done; what is left:\n{left}"


def _call(step: Step) -> str:
    match step:
        case Read(data) | Write(data):
            return f"{type(step).__name__.lower()}({data!r})"
        case Error(error):
            return f"error({error!r})"
        case _:
            return f"{type(step).__name__.lower()}()"


class ScriptedSocket(FakeSocket):
    """The program's side of a connection to a peer with a script, for code that blocks or polls."""

    def __init__(self, play: Play) -> None:
        super().__init__()
        self._play = play

    def check(self) -> None:
        """Fail if the program did not do what the script says, or has left something of it over.

        Raises:
            CheckFailed: it says what is left.
        """
        self._play.check()

    def __exit__(self, *exc_info: object) -> None:
        super().__exit__(*exc_info)
        if exc_info[0] is None:
            self.check()

    def _receive(self, max_size: int) -> bytes | Sign:
        return self._play.receive(max_size)

    def _accept(self, data: bytes) -> int | Sign:
        return self._play.accept(data)

    def _refuse_for_ever(self, what: str) -> Exception:
        return self._play.stuck(f"{what}()")
