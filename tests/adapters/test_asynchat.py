"""The drop-in asynchat, by example; `test_asynchat_oracle.py` compares it with what it replaces."""

from __future__ import annotations

import errno
import socket
import sys
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from old_python import original

from framer import UsageError
from framer_adapters import asynchat, asyncore
from framer_adapters.asynchat import async_chat, find_prefix_at_end, simple_producer

Map = dict[int, Any]


class Chat(async_chat):
    """Notes frames, and takes what it is to receive from a list, without a socket."""

    def __init__(self, terminator: Any = b"\r\n", sock: Any = None, map: Any = None) -> None:  # noqa: A002
        async_chat.__init__(self, sock, {} if map is None else map)
        self.frames: list[bytes] = []
        self.sent: list[bytes] = []
        self.closed = 0
        self.set_terminator(terminator)

    collect_incoming_data = async_chat._collect_incoming_data

    def found_terminator(self) -> None:
        """Note a frame."""
        self.frames.append(self._get_data())

    def handle_close(self) -> None:
        """Note it, and close."""
        self.closed += 1
        async_chat.handle_close(self)

    def handle_error(self) -> None:
        """Leave it to the test."""
        raise  # noqa: PLE0704 - it is called in an except clause


class Wire:
    """A socket: what it receives comes from a list, what is sent goes to one, in small pieces."""

    def __init__(self, *received: bytes | Exception, room: int = 1 << 20) -> None:
        self.received = list(received)
        self.sent: list[bytes] = []
        self.room = room

    def recv(self, size: int) -> bytes:
        """Take the next from the list."""
        item = self.received.pop(0)
        if isinstance(item, Exception):
            raise item
        assert len(item) <= size
        return item

    def send(self, data: Any) -> int:
        """Take some."""
        assert isinstance(data, bytes)
        self.sent.append(data[: self.room])
        return len(self.sent[-1])

    def close(self) -> None:
        """Nothing to close."""


def wired(chat: Chat, *received: bytes | Exception, room: int = 1 << 20) -> Wire:
    """Connect a chat to a wire."""
    this: Any = chat
    this.socket = wire = Wire(*received, room=room)
    this.connected = True
    return wire


def read(chat: Chat, *received: bytes | Exception) -> None:
    """Have a chat read these."""
    wired(chat, *received)
    for _ in received:
        chat.handle_read()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two connected sockets."""
    one, other = socket.socketpair()
    with one, other:
        yield one, other


# -- Names ---------------------------------------------------------------------------------


def test_all_names_are_there() -> None:
    """Those of 3.11, and what a star brought along."""
    assert set(asynchat.__all__) == {
        *("async_chat", "simple_producer", "find_prefix_at_end", "install"),
        *("asyncore", "deque"),
    }
    assert asynchat.asyncore is asyncore


def test_same_names_as_the_original() -> None:
    """No attribute of the class is missing, and no private one more could collide."""
    old, new = set(dir(original("asynchat").async_chat)), set(dir(async_chat))
    assert old <= new
    more = {name for name in new - old if not name.startswith("_async_chat__")}
    assert more <= {"ac_in_buffer", "__annotations__", "__init_subclass__"}


def test_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both modules come under their old names, or none does."""
    monkeypatch.setitem(sys.modules, "asyncore", object())
    monkeypatch.setitem(sys.modules, "asynchat", theirs := object())
    with pytest.raises(UsageError, match="asyncore"):
        asynchat.install()
    asyncore.install(force=True)
    with pytest.raises(UsageError, match="asynchat"):
        asynchat.install()
    assert sys.modules["asynchat"] is theirs
    asynchat.install(force=True)
    asynchat.install()
    assert (sys.modules["asynchat"], sys.modules["asyncore"]) == (asynchat, asyncore)


# -- What comes in -------------------------------------------------------------------------


def test_a_line_cut_anywhere() -> None:
    """It is the same line."""
    stream = b"spam\r\n\r\neggs\r\n"
    for cut in range(1, len(stream)):
        chat = Chat()
        read(chat, stream[:cut], stream[cut:])
        assert chat.frames == [b"spam", b"", b"eggs"]


@pytest.mark.parametrize("nothing", [None, 0, b"", ""], ids=repr)
def test_no_terminator(nothing: Any) -> None:
    """All is collected, and it never ends."""
    chat = Chat(nothing)
    read(chat, b"spam\r\n", b"eggs")
    assert chat.incoming == [b"spam\r\n", b"eggs"]
    assert chat.frames == []


def test_a_count_counts_down() -> None:
    """To 0, which means that all that follows is collected."""
    chat = Chat(6)
    read(chat, b"spam")
    assert chat.get_terminator() == chat.terminator == 2
    read(chat, b"eggs")
    assert chat.get_terminator() == 0
    assert (chat.frames, chat.incoming) == ([b"spameg"], [b"gs"])
    chat.set_terminator(True)
    read(chat, b"xy")
    assert chat.frames == [b"spameg", b"gsx"]
    with pytest.raises(ValueError, match="negative: -1"):
        chat.set_terminator(-1)


def test_a_count_that_is_lowered_meanwhile() -> None:
    """It does not go below 0."""

    class Impatient(Chat):
        def collect_incoming_data(self, data: bytes) -> None:
            super().collect_incoming_data(data)
            self.set_terminator(1)

    chat = Impatient(10)
    read(chat, b"spam")
    assert chat.terminator == 0


@pytest.mark.parametrize("terminator", [bytearray(b"\r\n"), memoryview(b"\r\n"), "\r\n"])
def test_other_types_of_terminators(terminator: Any) -> None:
    """What is like bytes is, and a str is if it may be encoded."""

    class Encoding(Chat):
        use_encoding = 1

    chat = Encoding(terminator)
    read(chat, b"spam\r", b"\neggs\r\n")
    assert chat.frames == [b"spam", b"eggs"]


def test_a_str_without_encoding() -> None:
    """It is refused when there is something to search it in, which then is still there."""
    chat = Chat("\r\n")
    with pytest.raises(TypeError, match="bytes-like"):
        read(chat, b"spam\r\n")
    assert chat.ac_in_buffer == b"spam\r\n"


def test_text_from_recv() -> None:
    """With an encoding it is as good as bytes."""

    class Text(Chat):
        use_encoding = 1

        def recv(self, buffer_size: int) -> Any:
            return super().recv(buffer_size).decode("latin-1")

    chat = Text()
    read(chat, b"sp\xe4m\r\n")
    assert chat.frames == [b"sp\xe4m"]


def test_the_terminator_changes_at_every_frame() -> None:
    """The next byte obeys."""

    class Header(Chat):
        def found_terminator(self) -> None:
            super().found_terminator()
            self.set_terminator(
                int(self.frames[-1]) if isinstance(self.terminator, bytes) else b":"
            )

    chat = Header(b":")
    read(chat, b"4:spam3:ham12:eggs", b"eggs", b"eggs")
    assert chat.frames[1::2] == [b"spam", b"ham", b"eggseggseggs"]


def test_hooks_may_call_anything() -> None:
    """What is left in the buffer is delivered after a close, as it always was."""

    class Busy(Chat):
        def found_terminator(self) -> None:
            super().found_terminator()
            if self.frames[-1] == b"close":
                self.close()
            elif self.frames[-1] == b"discard":
                self.discard_buffers()
            elif self.frames[-1] == b"more":
                wired(self, b"inner\r\n")
                self.handle_read()
            elif self.frames[-1] == b"back":
                self.ac_in_buffer = b"again\r\n" + self.ac_in_buffer

    chat = Busy()
    read(chat, b"close\r\nmore\r\nback\r\nlast\r\ndiscard\r\nnever\r\n")
    assert chat.frames == [b"close", b"more", b"back", b"again", b"last", b"discard"]
    read(chat, b"inn", b"er\r\n")
    assert chat.frames[6:] == [b"inner"]


@pytest.mark.parametrize("hook", ["collect_incoming_data", "found_terminator"])
def test_hooks_that_are_missing(hook: str) -> None:
    """They say so. What they were called for is still in the buffer, or else is gone."""
    chat = async_chat(None, {})
    chat.set_terminator(b"\n")
    if hook == "found_terminator":
        vars(chat)["collect_incoming_data"] = chat._collect_incoming_data
    wired(chat, b"spam\neggs")  # type: ignore[arg-type]
    with pytest.raises(NotImplementedError):
        chat.handle_read()
    assert chat.ac_in_buffer == (b"eggs" if hook == "found_terminator" else b"spam\neggs")


def test_the_buffer() -> None:
    """While a chunk is collected, it is still there; it can be set, also there."""
    seen: list[bytes] = []

    class Looks(Chat):
        def collect_incoming_data(self, data: bytes) -> None:
            super().collect_incoming_data(data)
            seen.append(self.ac_in_buffer)
            if data == b"three":
                self.ac_in_buffer += b"four\r\n"

    chat = Looks()
    read(chat, b"one\r\ntwo\r")
    assert seen == [b"one\r\ntwo\r", b"two\r"]
    assert chat.ac_in_buffer == b"\r"
    chat.ac_in_buffer = b"\r\nthree\r\n"
    read(chat, b"five\r\n")
    assert chat.frames == [b"one", b"two", b"three", b"five", b"four"]
    assert chat.ac_in_buffer == b""


@pytest.mark.parametrize(
    ("terminator", "received", "left"),
    [
        (None, b"spam", [b""]),
        (10, b"spam", [b""]),
        (4, b"spam..", [b"56789", b""]),
        (b"\r\n", b"spam", [b""]),
        (b"\r\n", b"spam\r", [b"9"]),
        (b"\r\n", b"spam\r\n", [b"789", b""]),
        (b"\r\n" * 9, b"spam" + b"\r\n" * 8, [b"123456789"]),
    ],
)
def test_a_hook_that_sets_the_buffer(terminator: Any, received: bytes, left: list[bytes]) -> None:
    """It is cut as what was there would have been, and gone if all of that was collected."""

    class Sets(Chat):
        def collect_incoming_data(self, data: bytes) -> None:
            self.ac_in_buffer = b"123456789"

        def found_terminator(self) -> None:
            self.frames.append(self.ac_in_buffer)
            self.ac_in_buffer = b""

    chat = Sets(terminator)
    read(chat, received)
    assert [*chat.frames, chat.ac_in_buffer] == left


def test_a_hook_that_sets_the_buffer_and_raises() -> None:
    """What it has set stays."""

    class Raises(Chat):
        def collect_incoming_data(self, data: bytes) -> None:
            self.ac_in_buffer = b"mine"
            raise ValueError

    chat = Raises()
    with pytest.raises(ValueError):
        read(chat, b"spam\r\neggs")
    assert chat.ac_in_buffer == b"mine"


def test_a_class_that_would_hide_the_buffer() -> None:
    """Plain bytes in its body, or in another base, hide nothing; nor does it need our __init__."""

    class Base:
        ac_in_buffer = b""

    class Mine(Base, Chat):
        def __init__(self) -> None:  # of a program that always did without
            asyncore.dispatcher.__init__(self, None, {})
            self.frames, self.incoming, self.closed = [], [], 0
            self.producer_fifo = deque()
            self.terminator = b"\r\n"

    chat = Mine()
    assert chat.ac_in_buffer == b""
    read(chat, b"spam\r\nx\r")
    assert (chat.frames, chat.ac_in_buffer) == ([b"spam"], b"\r")


def test_nothing_to_read_yet() -> None:
    """It is no error, and any other one is handled."""
    chat = Chat()
    read(chat, BlockingIOError(errno.EAGAIN, ""))
    assert chat.closed == 0
    error = PermissionError(errno.EACCES, "")
    with pytest.raises(PermissionError):
        read(chat, error)
    handled: list[str] = []
    vars(chat)["handle_error"] = lambda: handled.append("error")
    read(chat, error)
    assert handled == ["error"]


@pytest.mark.parametrize("end", [b"", ConnectionResetError(errno.ECONNRESET, "")])
def test_what_is_held_back_at_the_end(end: bytes | Exception) -> None:
    """It is collected before the channel is closed, whatever the end is."""

    class Last(Chat):
        def handle_close(self) -> None:
            super().handle_close()
            assert b"".join(self.incoming) == b"spam\r"

    chat = Last()
    read(chat, b"eggs\r\nspam\r", end)
    assert (chat.closed, chat.ac_in_buffer) == (1, b"")
    chat = Last(b"\r\n")
    read(chat, b"spam", b"\r", end)


@pytest.mark.parametrize("kind", [BlockingIOError, PermissionError, ValueError])
def test_a_hook_that_raises_at_the_end(kind: type[Exception]) -> None:
    """It is as anywhere: not taken for an error of recv, of which some mean nothing."""

    class Raises(Chat):
        def collect_incoming_data(self, data: bytes) -> None:
            raise kind

    chat = Raises()
    read(chat, b"\r")
    with pytest.raises(kind):
        read(chat, b"")
    assert (chat.ac_in_buffer, chat.closed) == (b"", 0)
    read(chat, b"")
    assert chat.closed == 1


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.ECONNRESET, errno.EACCES])
def test_a_close_that_fails(number: int) -> None:
    """It is called once; its error is handled as one of recv."""
    calls: list[str] = []
    chat = Chat()

    def close() -> None:
        calls.append("close")
        raise OSError(number, "")

    vars(chat).update(handle_close=close, handle_error=lambda: calls.append("error"))
    read(chat, b"")
    assert calls == ["close", *(["error"] if number != errno.EAGAIN else [])]


def test_what_a_hook_left() -> None:
    """What comes behind a hook that raised is delivered before the end is told."""

    class Raises(Chat):
        def found_terminator(self) -> None:
            super().found_terminator()
            if self.frames == [b"spam"]:
                raise ValueError

        def handle_close(self) -> None:
            super().handle_close()
            assert self.frames == [b"spam", b"eggs"]

    chat = Raises()
    with pytest.raises(ValueError):
        read(chat, b"spam\r\neggs\r\n")
    read(chat, b"")
    assert chat.closed == 1


def test_a_hook_that_receives() -> None:
    """While a chunk is collected, what comes in is taken for what comes behind it."""

    class Eager(Chat):
        def collect_incoming_data(self, data: bytes) -> None:
            super().collect_incoming_data(data)
            if data == b"spam":
                wired(self, b"gs\r\n")
                self.handle_read()

    chat = Eager()
    read(chat, b"spam\r\neg")
    assert b"".join(chat.frames) == b"spameggs"
    assert chat.ac_in_buffer == b""


def test_a_count_below_0() -> None:
    """Set past `set_terminator`, it is refused when there is something to count."""
    chat = Chat()
    chat.terminator = -1
    with pytest.raises(ValueError, match="-1"):
        read(chat, b"spam")
    assert chat.ac_in_buffer == b"spam"


def test_the_end_and_no_terminator() -> None:
    """A channel that never set one can be closed all the same; what is left is delivered."""
    chat = Chat()
    del chat.terminator
    read(chat, b"")
    assert chat.closed == 1
    chat = Chat()
    chat.ac_in_buffer = b"spam\r\neggs"
    read(chat, b"")
    assert (chat.frames, chat.incoming) == ([b"spam"], [b"eggs"])


def test_a_read_of_the_program_itself() -> None:
    """What it calls `recv` for is its own affair: nothing is collected behind its back."""
    chat = Chat()
    wired(chat, b"")
    chat.ac_in_buffer = b"its own"
    assert chat.recv(10) == b""
    assert (chat.ac_in_buffer, chat.incoming, chat.closed) == (b"its own", [], 1)


def test_a_base_with_another_recv(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is found behind `async_chat`, which never had one; so is one put into asyncore."""

    class Loud(asyncore.dispatcher):
        def recv(self, buffer_size: int) -> bytes:
            return super().recv(buffer_size).upper()

    class Mixed(Chat, Loud):
        pass

    def recv(_self: object, _size: int) -> bytes:
        return b"eggs\r\n"

    mixed = Mixed()
    read(mixed, b"spam\r\n", b"")
    assert (mixed.frames, mixed.closed) == ([b"SPAM"], 1)
    monkeypatch.setattr(asyncore.dispatcher, "recv", recv)
    chat = Chat()
    read(chat, b"spam\r\n")
    assert chat.frames == [b"eggs"]
    no_method = staticmethod(partial(recv, None))
    monkeypatch.setattr(asyncore.dispatcher, "recv", no_method)
    read(chat, b"spam\r\n")
    assert chat.frames == [b"eggs", b"eggs"]


def test_a_long_terminator() -> None:
    """It is found, though each chunk before it could be its beginning from any byte on."""
    terminator = b"a" * 4000 + b"b"
    chat = Chat(terminator)
    read(chat, *[b"a" * 8000] * 20, terminator, b"tail")
    assert [len(frame) for frame in chat.frames] == [160_000]
    assert chat.incoming == [b"tail"]


# -- What goes out -------------------------------------------------------------------------


def test_push_cuts_what_is_large() -> None:
    """Into pieces of `ac_out_buffer_size`, of which one is sent at once."""
    chat = Chat()
    chat.ac_out_buffer_size = 4
    for data in (b"spameggsham", bytearray(b"xy"), memoryview(b"z")):
        chat.push(data)
    assert [bytes(item) for item in chat.producer_fifo] == [b"spam", b"eggs", b"ham", b"xy", b"z"]
    wire = wired(chat, room=3)
    for _ in range(6):
        chat.handle_write()
    assert wire.sent == [b"spa", b"m", b"egg", b"s", b"ham", b"xy"]
    assert chat.writable()
    chat.handle_write()
    assert not chat.writable()
    assert chat.readable()


def test_a_producer_with_data_in_its_class() -> None:
    """It needs no __init__ of ours, and one object takes nothing from another."""

    class Greeting(simple_producer):
        data: Any = b"spam"

        def __init__(self) -> None:
            self.buffer_size = 3

    class Polite(Greeting):
        """It takes the data of its base."""

    for producer in (Greeting(), Greeting(), Polite()):
        assert [producer.more() for _ in range(3)] == [b"spa", b"m", b""]
        producer.data = b"eggs"
        assert producer.data == b"eggs"


@pytest.mark.parametrize("wrong", ["spam", 1, None, [b"spam"]])
def test_push_refuses(wrong: Any) -> None:
    """What is no bytes; the error says what it was."""
    chat = Chat()
    with pytest.raises(TypeError, match=f"byte-ish .*{type(wrong).__name__}"):
        chat.push(wrong)
    assert not chat.producer_fifo


def test_the_queue_is_a_deque() -> None:
    """Programs put anything into it: bytes, text, producers, and None, which closes."""

    class Text(Chat):
        use_encoding = 1
        encoding = "utf-8"

    class Producer:
        def __init__(self, *chunks: Any) -> None:
            self.chunks = [*chunks, ""]

        def __bool__(self) -> bool:
            return False

        def more(self) -> Any:
            return self.chunks.pop(0)

    chat = Text()
    wire = wired(chat, room=3)
    assert type(chat.producer_fifo) is deque
    chat.producer_fifo.extend(
        [b"", "", b"one", Producer(b"two", "thr\xe9\xe9"), b"", b"four", None]
    )
    chat.producer_fifo.append(b"never")
    while chat.producer_fifo and not chat.closed:
        chat.initiate_send()
    assert b"".join(wire.sent) == b"onetwothr\xc3\xa9\xc3\xa9four"
    assert list(chat.producer_fifo) == [b"never"]
    assert chat.closed == 1


def test_text_without_encoding() -> None:
    """It goes to the socket, which refuses it."""
    chat = Chat()
    this: Any = chat
    one, other = socket.socketpair()
    with one, other:
        this.socket, this.connected = one, True
        with pytest.raises(TypeError):
            chat.push_with_producer(simple_producer("spam"))  # type: ignore[arg-type]


def test_a_producer_that_pushes() -> None:
    """It is not asked again meanwhile; what it pushes goes out behind it."""

    class Producer:
        chunks = 3

        def more(self) -> bytes:
            chat.push(b"p")
            self.chunks -= 1
            return b"m" * self.chunks

    chat = Chat()
    wire = wired(chat)
    chat.push_with_producer(Producer())
    while chat.producer_fifo:
        chat.initiate_send()
    assert wire.sent == [b"mm", b"m", b"p", b"p", b"p"]


def test_a_send_that_pushes() -> None:
    """What is being sent is sent once, and what it pushes goes out behind it."""

    class Logs(Chat):
        def send(self, data: Any) -> int:
            if data == b"spam":
                self.push(b"log")
            return super().send(data)

    chat = Logs()
    wire = wired(chat)
    chat.push(b"spam")
    chat.push(b"eggs")
    chat.initiate_send()
    assert wire.sent == [b"spam", b"log", b"eggs"]


def test_a_close_that_pushes() -> None:
    """A channel that connects anew in `handle_close` goes on with its queue."""

    class Anew(Chat):
        def handle_close(self) -> None:
            super().handle_close()
            wires.append(wired(self))
            self.push(b"hello")

    wires: list[Wire] = []
    chat = Anew()
    wired(chat)
    chat.push(b"bye")
    chat.close_when_done()
    chat.initiate_send()
    assert (chat.closed, wires[0].sent, list(chat.producer_fifo)) == (1, [b"hello"], [])


def test_buffers_of_old_programs() -> None:
    """An empty str, as of Python 2, is as good as nothing."""
    chat: Any = Chat()
    chat.ac_in_buffer = ""
    assert chat.ac_in_buffer == b""


@pytest.mark.parametrize("last", [b"", b"late"])
def test_a_producer_that_discards(last: bytes) -> None:
    """The queue is empty then, but for what it gives."""

    class Producer:
        def more(self) -> bytes:
            chat.discard_buffers()
            return last

    chat = Chat()
    chat.push(b"first")
    chat.push_with_producer(Producer())
    wire = wired(chat)
    for _ in range(2):
        chat.initiate_send()
    assert wire.sent == [b"first"] + [last] * bool(last)
    assert not chat.producer_fifo


def test_errors_in_sending() -> None:
    """They are handled, and nothing is lost; what a producer raises is the caller's."""

    class Bad(Chat):
        def send(self, data: Any) -> int:
            raise PermissionError

    class Producer:
        def more(self) -> bytes:
            raise ValueError

    chat = Bad()
    wired(chat)
    with pytest.raises(PermissionError):
        chat.push(b"spam")
    assert list(chat.producer_fifo) == [b"spam"]
    handled: list[str] = []
    vars(chat)["handle_error"] = lambda: handled.append("error")
    chat.initiate_send()
    assert handled == ["error"]
    other = Chat()
    wired(other)
    with pytest.raises(ValueError):
        other.push_with_producer(Producer())
    assert len(other.producer_fifo) == 1


def test_a_connection_that_is_lost_while_sending() -> None:
    """The channel is closed; what was to be sent is still there to be looked at."""

    class Gone(Wire):
        def send(self, data: Any) -> int:
            raise BrokenPipeError(errno.EPIPE, "")

    chat: Any = Chat()
    chat.socket, chat.connected = Gone(), True
    chat.push(b"spam")
    assert (chat.closed, list(chat.producer_fifo)) == (1, [b"spam"])


def test_a_queue_that_is_emptied_while_sending() -> None:
    """Then nothing is taken from it."""

    class Emptied(Chat):
        def send(self, data: Any) -> int:
            self.discard_buffers()
            self.producer_fifo.append(b"new")
            return len(data)

    chat = Emptied()
    wired(chat)
    chat.push(b"spam")
    assert list(chat.producer_fifo) == [b"new"]


@pytest.mark.parametrize("kind", [bytes, bytearray, list])
def test_what_is_huge(kind: Callable[[bytes], Any]) -> None:
    """What a program puts into the queue whole is not copied for each piece of it.

    32 MiB in pieces of 4 KiB would be 128 GiB of copies.
    """
    data = bytes(range(256)) * (1 << 17)
    chat = Chat()
    wire = wired(chat)
    chat.ac_out_buffer_size = 4096
    if kind is list:
        chat.push(data)
    else:
        chat.producer_fifo.append(kind(data))
    while chat.producer_fifo:
        chat.initiate_send()
    assert b"".join(wire.sent) == data


def test_close_when_done(pair: tuple[socket.socket, socket.socket]) -> None:
    """What was pushed goes out first, also to a slow peer."""
    channels: Map = {}
    chat = Chat(sock=pair[0], map=channels)
    chat.push(b"x" * (1 << 20))
    chat.close_when_done()
    received = 0
    while channels:
        asyncore.loop(0, map=channels, count=1)
        received += len(pair[1].recv(1 << 16))
    while data := pair[1].recv(1 << 16):
        received += len(data)
    assert received == 1 << 20


def test_discard_buffers() -> None:
    """Nothing is left of anything."""
    chat = Chat()
    read(chat, b"one\r\ntwo\r")
    chat.connected = False
    chat.push(b"three")
    chat.discard_buffers()
    assert (chat.ac_in_buffer, chat.incoming, list(chat.producer_fifo)) == (b"", [], [])


def test_a_conversation_in_a_loop(pair: tuple[socket.socket, socket.socket]) -> None:
    """Both sides are channels, in a map of the program's own."""

    class Upper(Chat):
        def found_terminator(self) -> None:
            super().found_terminator()
            self.push(self.frames[-1].upper() + b"\r\n")
            if self.frames[-1] == b"quit":
                self.close_when_done()

    channels: Map = {}
    server, client = Upper(sock=pair[0], map=channels), Chat(sock=pair[1], map=channels)
    client.push(b"spam\r\nquit\r\nmore\r\n")
    asyncore.loop(1, use_poll=True, map=channels)
    assert client.frames == [b"SPAM", b"QUIT", b"MORE"][:2]
    assert server.frames == [b"spam", b"quit", b"more"]
    assert (server.closed, client.closed) == (1, 1)


# -- What else there is --------------------------------------------------------------------


def test_simple_producer() -> None:
    """It gives pieces, and what it has not given can be seen and set."""
    producer = simple_producer(b"spameggs", 3)
    assert producer.more() == b"spa"
    assert producer.data == b"meggs"
    producer.data = b"ham!"
    assert list(iter(producer.more, b"")) == [b"ham", b"!"]
    assert producer.data == b""
    assert simple_producer(b"").buffer_size == 512


texts = st.text("ab\u0101\U00010101\ud800", max_size=12)


@given(haystack=texts, needle=texts)
def test_find_prefix_at_end(haystack: str, needle: str) -> None:
    """The longest one, of text and of bytes."""

    def longest(haystack: Any, needle: Any) -> int:
        return max(i for i in range(len(needle)) if haystack.endswith(needle[:i]))

    if not needle:
        assert find_prefix_at_end(haystack, needle) == -1  # as it always was
        return
    assert find_prefix_at_end(haystack, needle) == longest(haystack, needle)
    raw = [text.encode("utf-8", "surrogatepass") for text in (haystack, needle)]
    assert find_prefix_at_end(*raw) == longest(*raw)


def test_find_prefix_at_end_is_linear() -> None:
    """Of a long needle each byte is looked at a few times, not once for each other one."""
    needle = b"a" * 100_000 + b"b"
    assert find_prefix_at_end(b"x" + b"a" * 99_999, needle) == 99_999
    assert find_prefix_at_end(b"a" * 99_999 + b"x", needle) == 0
