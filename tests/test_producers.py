"""Producers: which shape wins, what is a chunk, what ends one, and who closes it."""

from __future__ import annotations

import array
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from framer._producers import PENDING, Pending, Producer, PushedProducer, close_all, to_bytes

CHUNK_SIZE = 3


def pushed(producer: object) -> PushedProducer:
    """Make one of whatever a user might push; a checker cannot know that it is no producer."""
    return PushedProducer(cast("Producer", producer), CHUNK_SIZE)


def chunks(producer: object, count: int) -> list[bytes | Pending]:
    """Ask so often."""
    asked = pushed(producer)
    return [asked.ask() for _ in range(count)]


class Gives:
    """A producer with `more`, which gives what it is told, and counts how often it is closed."""

    def __init__(self, *given: object) -> None:
        self.given = list(given)
        self.closed = 0

    def more(self) -> Any:
        """Give the next; b"" at the end."""
        return self.given.pop(0) if self.given else b""

    def close(self) -> None:
        """Count."""
        self.closed += 1


class Unclosable(Gives):
    def close(self) -> None:
        """Count, and fail."""
        super().close()
        raise OSError(f"close of {self.given}")


# Which shape wins


def test_more_wins_over_read_and_read_over_iteration(tmp_path: Path) -> None:
    """An object with several shapes is taken as the first that fits; a file is read."""

    class Reads:
        left = b"read"

        def read(self, size: int, /) -> bytes:
            chunk, self.left = self.left[:size], self.left[size:]
            return chunk

        def __iter__(self) -> Iterator[bytes]:
            raise AssertionError

    class Both(Reads):
        def more(self) -> bytes:
            return self.read(1)

    assert chunks(Reads(), 3) == [b"rea", b"d", b""]
    assert chunks(Both(), 5) == [b"r", b"e", b"a", b"d", b""]
    path = tmp_path / "file"
    path.write_bytes(b"1\n2\n")
    with path.open("rb") as file:
        assert chunks(file, 3) == [b"1\n2", b"\n", b""]


def test_an_attribute_that_cannot_be_called_is_no_shape() -> None:
    """A list with data under the name of a method is still a list."""

    class Odd(list[bytes]):
        more = read = close = None

    odd = Odd([b"a"])
    assert chunks(odd, 2) == [b"a", b""]
    pushed(odd).close()


def test_any_iterable_will_do() -> None:
    """Lists, generators, iterators, and what has only the old protocol of sequences."""

    class Old:
        def __getitem__(self, index: int) -> bytes:
            return [b"a", b"b"][index]

    for producer in ([b"a", b"b"], (x for x in (b"a", b"b")), iter([b"a", b"b"]), Old()):
        assert chunks(producer, 4) == [b"a", b"b", b"", b""]


def test_read_is_asked_for_chunk_size() -> None:
    """It is what the queue was told."""
    asked: list[int] = []

    class File:
        def read(self, size: int, /) -> bytes:
            asked.append(size)
            return b""

    assert PushedProducer(File(), 123).ask() == b""
    assert asked == [123]


@pytest.mark.parametrize(
    "producer", [b"ab", bytearray(b"ab"), memoryview(b"ab"), array.array("I", [1]), "cd", 5, None]
)
def test_data_is_no_producer(producer: object) -> None:
    """To iterate over bytes gives ints, so it is refused at once, and told about push()."""
    with pytest.raises(TypeError, match=r"not [\w.]+; data as such goes to push\(\)"):
        pushed(producer)


def test_a_buffer_with_read_is_a_file() -> None:
    """Such is an mmap: bytes in memory, and a file as well."""

    class Map(bytearray):
        def read(self, size: int, /) -> bytes:
            chunk = bytes(self[:size])
            del self[:size]
            return chunk

    assert chunks(Map(b"abcd"), 3) == [b"abc", b"d", b""]


# What is a chunk


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_a_chunk_is_bytes_like(kind: Callable[[bytes], object]) -> None:
    """What comes out is bytes that nobody can change."""
    given = kind(b"abc")
    (chunk,) = chunks(Gives(given), 1)
    if isinstance(given, bytearray):
        given[:] = b"XYZ"
    assert type(chunk) is bytes
    assert chunk == b"abc"


@pytest.mark.parametrize("chunk", ["text", 5, None, [b"a"]])
def test_a_chunk_that_is_no_bytes(chunk: object) -> None:
    """It is a TypeError that names what came; None is PENDING from read() only."""
    for producer in (Gives(chunk), [chunk]):
        with pytest.raises(TypeError, match=f"a producer gives bytes.*not {type(chunk).__name__}"):
            chunks(producer, 1)


def test_a_text_file() -> None:
    """Its str is a TypeError that says how to open it."""
    with pytest.raises(TypeError, match="open the file in binary mode"):
        chunks(io.StringIO("text"), 1)


def test_none_from_read_is_pending() -> None:
    """That is what a file that does not block says when it has nothing yet."""

    class File:
        def read(self, size: int, /) -> bytes | None:
            return given.pop(0)

    given = [None, b"a", b""]
    assert chunks(File(), 3) == [PENDING, b"a", b""]


def test_pending_has_a_name() -> None:
    """It is one object, and says what it is."""
    assert repr(PENDING) == "framer.PENDING"
    assert Pending("PENDING") is PENDING
    assert Pending.__module__ == "framer"


def test_to_bytes() -> None:
    """Bytes stay the object that they are; of any other buffer the bytes are what counts."""

    class Liar(bytes):
        def __len__(self) -> int:
            return 99

    data = b"abc"
    assert to_bytes(data, "") is data
    assert type(to_bytes(Liar(data), "")) is bytes
    assert to_bytes(Liar(data), "") == data
    for view in (
        memoryview(array.array("I", [1, 2, 3])),
        memoryview(bytes(range(12))).cast("I", (3, 1)),
        memoryview(bytes(range(24)))[::2],
    ):
        assert to_bytes(view, "") == view.tobytes()
    array_itself = array.array("I", [1, 2, 3])
    assert to_bytes(array_itself, "") == array_itself.tobytes()
    array_itself.append(4)  # no view of it is kept, which would lock its size
    with pytest.raises(TypeError, match=r"bytes wanted, not int$"):
        to_bytes(5, "bytes wanted")
    with pytest.raises(TypeError, match="bytes wanted, not str; encode it"):
        to_bytes("text", "bytes wanted")


# When it may be asked


def test_pending() -> None:
    """After PENDING it is not ready, until that is taken back."""
    producer = pushed([b"a", PENDING, b"b"])
    assert producer.ready
    assert producer.ask() == b"a"
    assert producer.ready
    assert producer.ask() is PENDING
    assert (producer.pending, producer.ready) == (True, False)
    producer.pending = False
    assert producer.ready
    assert producer.ask() == b"b"
    assert (producer.pending, producer.ready) == (False, True)


def test_while_it_is_asked() -> None:
    """It is not ready; and what takes PENDING back then counts for what it gives."""

    def generate() -> Iterator[Pending]:
        assert (producer.pending, producer.ready) == (True, False)
        producer.pending = False
        assert not producer.ready
        yield PENDING
        raise KeyError

    producer = pushed(generate())
    assert producer.ask() is PENDING
    assert producer.ready
    with pytest.raises(KeyError):
        producer.ask()


# Who closes what


def test_close_of_what_was_pushed() -> None:
    """It comes before that of its iterator, and only one of them is called."""

    class Lines(Gives):
        more = None  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]

        def __iter__(self) -> Iterator[bytes]:
            return cast("Iterator[bytes]", inner)

    class Inner(Gives):
        def __next__(self) -> bytes:
            raise StopIteration

    inner, lines = Inner(), Lines()
    pushed(lines).close()
    assert (lines.closed, inner.closed) == (1, 0)
    pushed(Gives()).close()
    pushed([b"a"]).close()  # has none


def test_close_after_an_error() -> None:
    """A producer that has raised is not being asked any more: it can be closed."""

    class Broken(Gives):
        def more(self) -> bytes:
            raise KeyError

    broken = Broken()
    producer = pushed(broken)
    assert producer.producer is broken
    with pytest.raises(KeyError):
        producer.ask()
    producer.close()
    assert broken.closed == 1


def test_close_of_an_iterator() -> None:
    """The finally of a generator runs at once, and not when it is collected as garbage."""

    class Lines:
        def __iter__(self) -> Iterator[bytes]:
            return kept

    def generate() -> Iterator[bytes]:
        try:
            yield b"a"
            yield b"b"
        finally:
            ran.append("finally")

    ran: list[str] = []
    kept = generate()
    producer = pushed(Lines())
    assert producer.ask() == b"a"
    assert not ran
    producer.close()
    assert ran == ["finally"]


def test_close_while_it_is_asked() -> None:
    """A running generator cannot be closed: its chunk is dropped, and close() comes again."""

    def generate() -> Iterator[bytes]:
        try:
            producer.close()
            yield b"dropped"
        finally:
            ran.append("finally")

    ran: list[str] = []
    producer = pushed(generate())
    assert producer.ask() == b""
    assert not ran
    producer.close()
    assert ran == ["finally"]


def test_close_all() -> None:
    """All are closed, in order, even if some raise; the errors come out together."""
    given = [Unclosable(b"1"), Gives(b"2"), Unclosable(b"3")]
    with pytest.raises(ExceptionGroup) as caught:
        close_all(map(pushed, given))
    assert [str(error) for error in caught.value.exceptions] == [
        "close of [b'1']",
        "close of [b'3']",
    ]
    assert [one.closed for one in given] == [1, 1, 1]
    close_all([])


def test_close_all_raises_the_only_error_as_it_is() -> None:
    """No group around a single one, be it a KeyboardInterrupt."""

    class Interrupted(Gives):
        def close(self) -> None:
            super().close()
            raise KeyboardInterrupt

    given = [Interrupted(), Gives()]
    with pytest.raises(KeyboardInterrupt):
        close_all(map(pushed, given))
    assert [one.closed for one in given] == [1, 1]
