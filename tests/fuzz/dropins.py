"""The drop-ins, against what they replace: one program of that time, over both.

A few channels of all three kinds live in one map, over scripted sockets. The bytes say
what the system does, what the program does from outside, and what each hook does when it is
called: another terminator, bytes written into the buffer, pushes, producers, closing itself
or others, a new channel under the number of an old one, a turn within the turn, an exception.

Both have to be told the same in the same order, see the same in their attributes,
and ask the same of their sockets, but for what docs/migrating.md lists (see mended.py).
Two things that it lists are not decided on, for what the originals did then was anything:
a `collect_incoming_data` that receives, or that sets a count below what is collected.
"""

from __future__ import annotations

import errno
import functools
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack, nullcontext
from typing import Any
from unittest.mock import patch

from fuzz.mended import Channels, Old, as_bytes, drop_ins, originals
from fuzz.scripted import ALPHABET, Wire, World

from framer_adapters import _asyncore_polling

__all__ = ["run"]

CALLS = 60
DEPTH = 3
"""How deep hooks may be called from what hooks do."""

TERMINATORS: list[Any] = [
    *[b"\r\n", b"\n", b"ab", b"aab", b"abab", b"a", None, 0, 1, 2, 3, 5, 9, b"", "\r\n", ""],
    *[bytearray(b"\r\n"), memoryview(b"aab"), memoryview(b""), -1],
]
COUNTS = [300, 301]
TEXTS = [b"", b"\r", b"ab\r\n", b"aabab", b"\r\n\r\n", b"abcdefghijkl"]
KINDS: list[Callable[[bytes], Any]] = [bytes, bytearray, memoryview]
ERRORS: list[BaseException | type[BaseException]] = [
    *[KeyError, TypeError, ValueError, BlockingIOError, KeyboardInterrupt, SystemExit],
    *[OSError(errno.EIO, "decided"), OSError(errno.ECONNRESET, "decided")],
]


def run(data: bytes) -> None:
    """Run the same program over both, and compare all that was seen."""
    ours, theirs = Program(drop_ins(), data), Program(originals(), data)
    for program in (ours, theirs):
        program.run()
    for mine, other in zip(ours.world.notes, theirs.world.notes, strict=False):
        assert mine == other
    assert len(ours.world.notes) == len(theirs.world.notes)


class Program:
    """A program over the drop-ins, or over what they replace."""

    def __init__(self, old: Old, data: bytes) -> None:
        self.old = old
        self.world = World(data)
        self.channels = old.make_map()
        self.made: list[Any] = []
        self.depth = self.collecting = 0
        if isinstance(self.channels, Channels):
            self.world.waited = self.channels.waited

    def run(self) -> None:
        """Do what the bytes say."""
        world, core = self.world, self.old.asyncore
        with ExitStack() as stack:
            patched = (
                (core, "time", world.time),
                (core, "select", world.select),
                (_asyncore_polling, "select", world.select),
                (_asyncore_polling, "fcntl", world.fcntl),
            )
            for owner, name, value in patched:
                stack.enter_context(patch.object(owner, name, value, create=True))
            for _ in range(CALLS):
                if not world.choices:
                    break
                self.attempt(self.step)
                world.note([channel.sight() for channel in self.made], list(self.channels))

    def attempt(self, call: Callable[[], object]) -> None:
        """Do something, and note what it raises."""
        try:
            call()
        except (Exception, KeyboardInterrupt, SystemExit) as exc:  # noqa: BLE001 - all alike
            self.world.note("raised", error(self.old, exc))

    def open(self) -> Any:
        """Make a channel."""
        choices = self.world.choices
        kind = channel_classes(self.old)[choices.pick([0, 0, 0, 1, 2])]
        channel = kind.__new__(kind)
        channel.name, channel.program = len(self.made), self
        wire = None
        state = choices.pick([*["given"] * 9, "listening", "connecting", "bare"])
        if state != "bare":
            wire = Wire(self.world, channel.act if kind.conversation else None)
        channel.__init__(wire if state == "given" else None, self.channels)
        self.made.append(channel)
        if kind.conversation:
            channel.ac_in_buffer_size = choices.pick([65536, 4, 1])
            channel.ac_out_buffer_size = choices.pick([65536, 4, 1, 3])
            channel.use_encoding = choices.number(1)
            channel.encoding = choices.pick(["latin-1", "utf-8"])
            channel.set_terminator(choices.pick(TERMINATORS))
        if state in {"listening", "connecting"}:
            channel.set_socket(wire)
        if state == "listening":
            channel.bind("here")
            channel.listen(5)
        elif state == "connecting":
            channel.connect("there")
        return channel

    def turn(self) -> None:
        """Have a turn of the loop, or two."""
        choices = self.world.choices
        channels = self.channels
        with channels.nested() if isinstance(channels, Channels) else nullcontext():
            self.old.asyncore.loop(
                choices.pick([0, 0, 1.5, None, -1]), choices.flag(), channels, choices.pick([1, 2])
            )

    def step(self) -> None:
        """Do one thing from outside."""
        choices = self.world.choices
        if not self.made:
            self.open()
            return
        channel = choices.pick(self.made)
        core = self.old.asyncore
        match choices.number(19):
            case 0 | 1 | 2 | 3:
                self.turn()
            case 4 | 5 | 6:
                channel.handle_read_event()
            case 7 | 8:
                channel.handle_write_event()
            case 9:
                core.readwrite(channel, choices.number(31))
            case 10:
                choices.pick([core.read, core.write, core._exception])(channel)
            case 11 if len(self.made) < 5:
                self.open()
            case 12 if not choices.number(3):
                core.close_all(self.channels, choices.flag())
            case 13:
                self.world.note("sent", channel.send(choices.pick(TEXTS)))
            case 14:
                words = [choices.word(ALPHABET, 8) for _ in range(2)]
                find = self.old.asynchat.find_prefix_at_end
                self.world.note(find(*words), find(*(word.decode() for word in words)))
            case _:
                channel.do("outside")


class Hooks:
    """What a program overrides: each hook is noted, and does what is decided."""

    conversation = False
    name: int
    program: Program

    def sight(self) -> tuple[object, ...]:
        """Tell what can be seen from outside."""
        this: Any = self
        state = [bool(getattr(this, name)) for name in ("connected", "accepting", "connecting")]
        return self.name, this.addr, state, this._fileno, getattr(this, "out_buffer", None)

    def told(self, hook: str, *what: object) -> None:
        """Note that a hook was called, and have it do something."""
        self.program.world.note(hook, self.sight(), *what)
        self.act(hook)

    def act(self, hook: str) -> None:
        """Do something or nothing; no deeper than is needed."""
        program = self.program
        choices = program.world.choices
        if program.depth < DEPTH and choices and choices.number(2) == 2:
            program.depth += 1
            program.collecting += hook == "collect"
            try:
                self.do(hook)
            finally:
                program.depth -= 1
                program.collecting -= hook == "collect"

    def do(self, hook: str) -> None:
        """Do something that any channel can."""
        this: Any = self
        program, choices = self.program, self.program.world.choices
        match choices.number(11):
            case 0:
                choices.pick(program.made).close()
            case 1 if len(program.made) < 5:
                choices.pick(program.made).close()
                program.open()
            case 2:
                this.close()
                this.set_socket(Wire(program.world))
            case 3:
                raise choices.pick([*ERRORS, program.old.asyncore.ExitNow])
            case 4 if not program.collecting:
                program.turn()
            case 5 if not program.collecting:
                program.world.note("received", this.recv(choices.pick([1, 4, 100])))
            case 6 if hook == "outside":
                choices.pick([this.del_channel, this.add_channel])()
            case 7 if not self.conversation:
                program.world.note("sent", this.send(choices.pick(TEXTS)))
            case _:
                pass

    def ask(self, name: str) -> bool:
        """Have a predicate answer, mostly as it is there."""
        choices = self.program.world.choices
        parent: Any = super()
        number = choices.number(15)
        if number == 15:
            raise KeyError(name)
        if number == 14:
            return False
        answer = bool(getattr(parent, name)())
        self.program.world.note(name, self.name, answer)
        return answer

    def tell(self, hook: str, *what: Any) -> None:
        """Have a hook noted, and mostly done as it is there by default."""
        parent: Any = super()
        self.told(hook)
        if self.program.world.choices.number(11) != 11:
            getattr(parent, hook)(*what)

    def readable(self) -> bool:
        return self.ask("readable")

    def writable(self) -> bool:
        return self.ask("writable")

    def handle_read(self) -> None:
        self.tell("handle_read")

    def handle_write(self) -> None:
        self.tell("handle_write")

    def handle_expt(self) -> None:
        self.tell("handle_expt")

    def handle_connect(self) -> None:
        self.tell("handle_connect")

    def handle_accept(self) -> None:
        self.tell("handle_accept")

    def handle_accepted(self, sock: Any, addr: Any) -> None:
        self.told("handle_accepted", addr)
        sock.close()

    def handle_close(self) -> None:
        self.tell("handle_close")

    def handle_error(self) -> None:
        self.program.world.note("error", error(self.program.old, sys.exc_info()[1]))
        self.tell("handle_error")

    def log_info(self, message: str, type: str = "info") -> None:  # noqa: A002 - its name
        self.program.world.note("log", type, message.partition(", ")[0])


class Conversation(Hooks):
    """The same of an async_chat."""

    conversation = True

    def sight(self) -> tuple[object, ...]:
        this: Any = self
        fifo = [entry(item) for item in this.producer_fifo]
        terminator = repr(as_bytes(getattr(this, "terminator", "unset")))
        return *super().sight(), terminator, this.ac_in_buffer, list(this.incoming), fifo

    def collect_incoming_data(self, data: bytes) -> None:
        this: Any = self
        self.told("collect", data)
        this._collect_incoming_data(data)

    def found_terminator(self) -> None:
        this: Any = self
        self.told("found", this._get_data())

    def do(self, hook: str) -> None:
        """Do something that this one can."""
        this: Any = self
        choices = self.program.world.choices
        match choices.number(15):
            case 0 | 1:
                high = self.program.collecting and [*TERMINATORS[:6], *COUNTS]
                this.set_terminator(choices.pick(high or TERMINATORS))
            case 2:
                this.terminator = choices.pick([None, b"\n", *COUNTS])
            case 3:
                this.ac_in_buffer = choices.word(ALPHABET, 8)
            case 4 | 5:
                this.push(choices.pick(KINDS)(choices.pick(TEXTS)))
            case 6 | 7:
                this.push_with_producer(pick_producer(self, choices.number(5)))
            case 8:
                this.close_when_done()
            case 9:
                this.discard_buffers()
            case 10:
                this.initiate_send()
            case 11:
                this.producer_fifo.append(choices.pick([b"", None, "ab", "\xe9", *TEXTS]))
            case 12 if not self.program.collecting:
                this.handle_read()
            case _:
                super().do(hook)


class Producer:
    """A producer that gives what is decided, and may use the channel meanwhile."""

    def __init__(self, channel: Conversation) -> None:
        self.channel = channel

    def more(self) -> Any:
        """Give something."""
        world = self.channel.program.world
        world.note("more", self.channel.name)
        self.channel.act("more")
        return world.choices.pick([b"", b"abcdef", None, b"x", "\xe9abc", bytearray(b"abcd")])


class FalseProducer(Producer):
    """One that is false."""

    def __len__(self) -> int:
        return 0


def pick_producer(channel: Conversation, number: int) -> Any:
    """Make one of several kinds, or give plain bytes."""
    if number < 2:
        text = channel.program.world.choices.pick(TEXTS)
        return channel.program.old.asynchat.simple_producer(text, 3) if number else text * 2
    return (FalseProducer if number == 2 else Producer)(channel)


def entry(item: Any) -> object:
    """Describe what waits to be sent."""
    if item is None or isinstance(item, str):
        return item
    inner: Any = getattr(item, "inner", item)
    return getattr(inner, "data", "producer") if hasattr(inner, "more") else bytes(inner)


def error(old: Old, exc: BaseException | None) -> object:
    """Describe an exception, not by its text; each module has its own ExitNow."""
    kind = "ExitNow" if isinstance(exc, old.asyncore.ExitNow) else type(exc)
    return kind, getattr(exc, "errno", None)


@functools.cache
def channel_classes(old: Old) -> Sequence[Any]:
    """Make the classes of the program: over async_chat, a dispatcher, one with send."""

    class Chat(Conversation, old.async_chat):  # type: ignore[misc, name-defined]  # pyright: ignore[reportGeneralTypeIssues]  # any of them
        pass

    class Plain(Hooks, old.dispatcher):  # type: ignore[misc, name-defined]  # pyright: ignore[reportGeneralTypeIssues]  # likewise
        pass

    class WithSend(Hooks, old.dispatcher_with_send):  # type: ignore[misc, name-defined]  # pyright: ignore[reportGeneralTypeIssues]  # likewise
        pass

    return Chat, Plain, WithSend
