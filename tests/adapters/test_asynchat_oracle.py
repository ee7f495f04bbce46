"""The drop-in asynchat does what asynchat did: random programs, against two models of it.

One is the real thing: that of Python 3.11, or the copy of it that pyasynchat is.
The other is naive: it looks at the whole buffer each time, and says in a few lines what is right.

A program is a list of chunks to receive, and what the hooks do when they are called:
set another terminator, look into the buffer, write into it, push, close, raise.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from old_python import original

from framer_adapters import asynchat


class NaiveChat:
    """What async_chat does with what comes in and goes out, in the plainest words."""

    use_encoding: int = 0
    encoding = "latin-1"
    ac_in_buffer_size = 65536
    ac_out_buffer_size = 65536

    def __init__(self, sock: object, map: object) -> None:  # noqa: A002 - as it is called
        self.ac_in_buffer = b""
        self.incoming: list[bytes] = []
        self.producer_fifo: deque[Any] = deque()
        self.connected = False

    def set_terminator(self, term: Any) -> None:
        """Remember it."""
        text: Any = term.encode(self.encoding) if isinstance(term, str) else term
        self.terminator: Any = text

    def handle_read(self) -> None:
        """Add to the buffer, and take from it as long as that can be done."""
        this: Any = self
        self.ac_in_buffer += this.recv(self.ac_in_buffer_size)
        while self.ac_in_buffer and self.take(this):
            pass

    def take(self, this: Any) -> bool:
        """Take one piece, and say whether there may be another."""
        terminator: Any = self.terminator
        buffer = self.ac_in_buffer
        count = int(terminator) if isinstance(self.terminator, int) else 0
        found, size, behind = False, len(buffer), 0
        if count:
            found = size >= count
            size = min(size, count)
        elif terminator and terminator in buffer:
            found, size, behind = True, buffer.index(terminator), len(terminator)
        elif terminator:
            size -= max(i for i in range(len(terminator)) if buffer.endswith(terminator[:i]))
        if size:
            this.collect_incoming_data(buffer[:size])
        self.ac_in_buffer = self.ac_in_buffer[size + behind :]
        if count:
            self.terminator = 0 if found else self.terminator - size
        if found:
            this.found_terminator()
        return found or (size > 0 and not self.ac_in_buffer)

    def discard_buffers(self) -> None:
        """Forget everything."""
        self.ac_in_buffer = b""
        self.incoming.clear()
        self.producer_fifo.clear()

    def push(self, data: bytes) -> None:
        """Queue it in pieces, and send."""
        size = self.ac_out_buffer_size
        self.producer_fifo.extend([data[i : i + size] for i in range(0, len(data), size)])
        self.initiate_send()

    def push_with_producer(self, producer: Any) -> None:
        """Queue it, and send."""
        self.producer_fifo.append(producer)
        self.initiate_send()

    def close_when_done(self) -> None:
        """Queue the end."""
        self.producer_fifo.append(None)

    def initiate_send(self) -> None:
        """Send one piece."""
        this: Any = self
        fifo = self.producer_fifo
        while fifo and self.connected:
            first = fifo.popleft()
            if first is None:
                this.handle_close()
                return
            if hasattr(first, "more"):
                data = first.more()
                fifo.extendleft([first, data] if data else [])
                continue
            sent = this.send(first[: self.ac_out_buffer_size])
            if sent < len(first):
                fifo.appendleft(first[sent:])
            return


class HookError(Exception):
    """What a hook raises."""


@dataclass
class Program:
    """What comes in, and what the hooks do, one after the other."""

    chunks: list[bytes]
    terminator: Any
    collect: Sequence[tuple[str, Any]] = ()
    found: Sequence[tuple[str, Any]] = ()
    room: Sequence[int] = ()


def run(chat: type[Any], program: Program) -> list[Any]:
    """Run a program, and list all that can be seen of it."""
    seen: list[Any] = []
    chunks = iter(program.chunks)
    actions = {"collect": iter(program.collect), "found": iter(program.found)}
    room = iter(program.room)

    class Chat(chat):  # type: ignore[misc]  # pyright: ignore[reportUntypedBaseClass]  # any of them
        use_encoding = 1
        ac_out_buffer_size = 4

        def recv(self, size: int) -> bytes:
            return next(chunks)

        def send(self, data: Any) -> int:
            taken = min(next(room, 2), len(data))
            seen.append(("send", bytes(data), taken))
            return taken

        def collect_incoming_data(self, data: bytes) -> None:
            seen.append(("collect", data, self.ac_in_buffer, self.terminator))
            self.act("collect")

        def found_terminator(self) -> None:
            seen.append(("found", self.ac_in_buffer, self.terminator))
            self.act("found")

        def handle_close(self) -> None:
            seen.append(("close",))
            self.connected = False

        def act(self, hook: str) -> None:
            nothing: tuple[str, Any] = ("", None)
            what, value = next(actions[hook], nothing)
            if what == "terminator":
                self.set_terminator(value)
            elif what == "attribute":
                self.terminator = value
            elif what == "buffer":
                self.ac_in_buffer = value
            elif what == "discard":
                self.discard_buffers()
            elif what == "push":
                self.push(value)
            elif what == "producer":
                self.push_with_producer(asynchat.simple_producer(value or b"", 3))
            elif what == "close":
                self.close_when_done()
            elif what == "raise":
                raise HookError

    channel = Chat(None, {})
    channel.set_terminator(program.terminator)
    channel.connected = True
    for _ in program.chunks:
        try:
            channel.handle_read()
        except (HookError, TypeError) as exc:
            seen.append(type(exc))
        if channel.producer_fifo:
            channel.initiate_send()
        seen.append((channel.ac_in_buffer, channel.terminator, len(channel.producer_fifo)))
    return seen


data = st.text("ab\r\n", max_size=8).map(str.encode)
terminators = st.one_of(
    st.sampled_from([b"\r\n", b"\n", b"ab", b"aab", b"abab", "\r\n", b"", 0, None]),
    st.integers(0, 12),
    st.text("ab", min_size=1, max_size=5).map(str.encode),
)
nothing = st.just(("", None))
# A count that is changed while it counts down is nothing to do for a low one:
# asynchat went below 0 then, and took anything for a frame.
high = terminators.filter(lambda value: not isinstance(value, int)) | st.integers(200, 210)
collecting = st.one_of(
    nothing,
    st.tuples(st.just("terminator"), high),
    st.sampled_from([("buffer", b""), ("discard", None), ("raise", None)]),
)
finding = st.one_of(
    nothing,
    st.tuples(st.just("terminator"), terminators),
    st.tuples(st.just("attribute"), terminators.filter(lambda value: not isinstance(value, str))),
    st.tuples(st.sampled_from(["push", "producer"]), data.filter(bool)),
    st.tuples(st.just("buffer"), data),
    st.sampled_from([("discard", None), ("close", None), ("raise", None)]),
)
programs = st.builds(
    Program,
    chunks=st.lists(data, max_size=12),
    terminator=terminators,
    collect=st.lists(st.one_of(nothing, nothing, collecting), max_size=8),
    found=st.lists(finding, max_size=12),
    room=st.lists(st.integers(0, 9), max_size=12),
)


@pytest.mark.parametrize("model", ["naive", "original"])
@given(program=programs)
@example(program=Program([b"a\r", b"b\r", b"\nc"], b"\r\n"))
@example(program=Program([b"abcdef", b"gh"], 3, found=[("terminator", 3)] * 3))
@example(program=Program([b"abcd", b"ef"], 10, collect=[("terminator", 10)]))
@example(program=Program([b"abcd", b"ef"], 10, collect=[("raise", None)]))
@example(program=Program([b"ab\r\ncd", b"\r\n"], b"\r\n", found=[("attribute", 0)]))
def test_same_as_the_model(model: str, program: Program) -> None:
    """Every call of a hook, with what can be seen in it, every byte sent, and what is left."""
    chat = NaiveChat if model == "naive" else original("asynchat").async_chat
    assert run(asynchat.async_chat, program) == run(chat, program)
