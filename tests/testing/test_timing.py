"""check_prompt, check_prefixes, check_coalescing, check_only_raises: each finds its fault, once."""

# pyright: reportUnknownLambdaType=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false
# What a parser gives may be anything, and so may what a test makes of it.

from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framer import Data, Framer, FramerError, FramingError, LengthPrefix, Netstring, encode_frame
from framer.testing import (
    CheckFailed,
    Vacuous,
    check_coalescing,
    check_only_raises,
    check_prefixes,
    check_prompt,
    framer_subject,
    transcript,
)

KINDS = [b"\r\n", LengthPrefix(2), Netstring()]


class Lines:
    """Lines, as they should be."""

    def __init__(self) -> None:
        self.rest: bytes = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Split what is there."""
        *lines, self.rest = (self.rest + data).split(b"\n")
        return lines

    def close(self) -> list[bytes]:
        """Half a line is none."""
        return []


class HoldsAll(Lines):
    """Lets out everything at the end."""

    def feed(self, data: bytes) -> list[bytes]:
        """Keep it."""
        self.rest += data
        return []

    def close(self) -> list[bytes]:
        """Let it out."""
        *lines, _ = self.rest.split(b"\n")
        return lines


class HoldsOne(Lines):
    """Lets out a line when the next one is there; at the end it gives up the last."""

    def __init__(self) -> None:
        super().__init__()
        self.held: list[bytes] = []

    def feed(self, data: bytes) -> list[bytes]:
        """Hold the last."""
        lines = self.held + super().feed(data)
        self.held = lines[-1:]
        return lines[:-1]


class HoldsTheEnd(Lines):
    """Gives two events a line, and the second of them late."""

    def __init__(self) -> None:
        super().__init__()
        self.late: list[bytes] = []

    def feed(self, data: bytes) -> list[bytes]:
        """Say that the line before has ended."""
        events: list[bytes] = []
        for line in super().feed(data):
            events += [*self.late, line]
            self.late = [b"end"]
        return events

    def close(self) -> list[bytes]:
        """Say that the last line has ended."""
        return self.late


class OneAChunk(Lines):
    """Lets out one line for each chunk."""

    def feed(self, data: bytes) -> list[bytes]:
        """Put the others back."""
        line, found, rest = (self.rest + data).partition(b"\n")
        self.rest = rest if found else line
        return [line] if found else []


@settings(max_examples=20)
@given(st.sampled_from(KINDS), st.lists(st.binary(max_size=5), min_size=1, max_size=4))
def test_framers_pass_them_all(
    kind: bytes | LengthPrefix | Netstring, payloads: list[bytes]
) -> None:
    """Framer keeps what the checks ask for, for any frames."""
    frames = [
        encode_frame(p, kind) for p in payloads if not isinstance(kind, bytes) or kind not in p
    ]
    if not frames:
        return
    stream = b"".join(frames)
    make = framer_subject(lambda: Framer(kind))
    check_prompt(make, frames)
    ends = [0, *(sum(map(len, frames[: i + 1])) for i in range(len(frames)))]
    check_prefixes(make, stream, complete=ends)
    check_coalescing(make, frames[0], 50)
    check_only_raises(make, stream, FramerError)
    streaming = framer_subject(lambda: Framer(kind), streaming=True)
    check_prompt(streaming, frames)
    check_prefixes(streaming, stream, merge=[Data], complete=ends)
    check_coalescing(streaming, frames[0], 50, merge=[Data])


@pytest.mark.parametrize("make", [HoldsAll, HoldsOne, HoldsTheEnd, OneAChunk])
def test_events_that_are_held_back(make: type[Lines]) -> None:
    """Until the end, the next frame, its first byte, or the next chunk."""
    with pytest.raises(CheckFailed, match="held back") as caught:
        check_prompt(make, [b"a\n", b"b\n", b"c\n"])
    assert caught.value.split is not None
    assert caught.value.difference is not None
    assert caught.value.transcripts


def test_what_the_failure_says() -> None:
    """What is out by then, and what is late or missing."""
    with pytest.raises(CheckFailed, match=r"out by then: \[\]\nthese came only .*\[b'a'\]"):
        check_prompt(HoldsAll, [b"a\n", b"b\n"])
    with pytest.raises(CheckFailed, match=r"still to come from the whole stream were: \[b'a'"):
        check_prompt(HoldsOne, [b"a\n", b"b\n"])


def test_frames_that_are_refused_at_their_ends() -> None:
    """The failure says so, for then nothing was held back."""
    with pytest.raises(CheckFailed, match=r"held back(?s:.*)raised ValueError\('empty'\)"):
        check_prompt(Losing, [b"a\n", b"\n"])


def test_frames_that_are_refused() -> None:
    """An error in the middle of what should be good is not taken for promptness."""

    class Choosy(Lines):
        def feed(self, data: bytes) -> list[bytes]:
            lines = super().feed(data)
            if self.rest == b"b":
                raise ValueError("b")
            return lines

    with pytest.raises(CheckFailed, match=r"raised ValueError\('b'\) in the middle"):
        check_prompt(Choosy, [b"a\n", b"b\n", b"c\n"])


class Silent(Lines):
    """Says nothing."""

    def feed(self, data: bytes) -> list[bytes]:
        """Say nothing."""
        return []


def test_vacuity() -> None:
    """Each of them fails where nothing comes out."""
    checks: list[Callable[[], object]] = [
        lambda: check_prompt(Silent, [b"a\n"]),
        lambda: check_prompt(Lines, []),
        lambda: check_prefixes(Silent, b"a\n"),
        lambda: check_coalescing(Silent, b"a\n"),
        lambda: check_only_raises(Silent, b"a\n"),
    ]
    for check in checks:
        with pytest.raises(Vacuous):
            check()


# Prefixes


def test_what_came_out_is_not_taken_back() -> None:
    """A part of the stream gives something that the whole does not."""

    class Guesses(Lines):
        def feed(self, data: bytes) -> list[bytes]:
            lines = super().feed(data)
            return [*lines, b"guess"] if self.rest == b"x" else lines

    with pytest.raises(CheckFailed, match="the whole stream begins with") as caught:
        check_prefixes(Guesses, b"a\nxy\n")
    assert caught.value.split == [b"a\nx"]
    assert caught.value.difference == 1


def test_more_than_the_whole_gives() -> None:
    """The same behind the last event of the whole."""

    class Guesses(Lines):
        def feed(self, data: bytes) -> list[bytes]:
            lines = super().feed(data)
            return [*lines, b"guess"] if self.rest == b"x" else lines

    with pytest.raises(CheckFailed, match="begins with"):
        check_prefixes(Guesses, b"a\nxy")


def test_an_end_that_depends_on_cuts() -> None:
    """The last line without an end comes out only if it came in one piece."""

    class LastPiece(Lines):
        def feed(self, data: bytes) -> list[bytes]:
            self.last = data
            return super().feed(data)

        def close(self) -> list[bytes]:
            return [self.rest] if self.rest and self.rest == self.last else []

    with pytest.raises(CheckFailed, match="after 3 bytes of 4 the stream ends") as caught:
        check_prefixes(LastPiece, b"ab\ncd\n"[1:5])
    assert caught.value.split == [b"b\n", b"c"]


class Losing(Lines):
    """Raises for an empty line, and loses what stood before it in the chunk."""

    def feed(self, data: bytes) -> list[bytes]:
        """Look first."""
        lines = super().feed(data)
        if b"" in lines:
            raise ValueError("empty")
        return lines


class Halving:
    """Gives what it gets, but of a chunk with a fault in it the first byte only."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Look for the fault."""
        good, fault, _ = data.partition(b"!")
        if not fault:
            yield data
            return
        if good:
            yield good[:1]
        raise ValueError("fault")


class Inventing(Halving):
    """And that is none of what came."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Look for more of them."""
        return super().feed(data.replace(b"ab!", b"zb!"))


def test_an_error_that_comes_early() -> None:
    """The whole stream may give less than a part of it, if that was said; but nothing else."""
    stream = b"a\nb\n\n"
    with pytest.raises(CheckFailed, match="begins with"):
        check_prefixes(Losing, stream)
    check_prefixes(Losing, stream, errors="early")
    check_prefixes(Losing, stream, errors="any")
    with pytest.raises(CheckFailed, match="begins with"):
        check_prefixes(Halving, b"abc!", merge=[bytes])
    check_prefixes(Halving, b"abc!", merge=[bytes], errors="early")
    with pytest.raises(CheckFailed, match="begins with"):
        check_prefixes(Inventing, b"ab!", merge=[bytes], errors="early")


def test_half_a_message_is_not_the_end() -> None:
    """If it is said where a stream may end, the subject has to tell that it ended elsewhere."""
    with pytest.raises(CheckFailed, match="after 1 bytes of 4 the stream ends inside a message"):
        check_prefixes(Lines, b"a\nb\n", complete=[0, 2, 4])
    check_prefixes(Lines, b"a\nb\n")


# Coalescing


def test_a_recursion() -> None:
    """The fewest frames that are too many are found, and the error is the cause."""

    class Recursing(Lines):
        def feed(self, data: bytes) -> list[bytes]:
            self.rest += data
            return self.handle(0)

        def handle(self, depth: int) -> list[bytes]:
            line, found, rest = self.rest.partition(b"\n")
            if not found:
                return []
            if depth == 20:
                raise RecursionError
            self.rest = rest
            return [line, *self.handle(depth + 1)]

    with pytest.raises(CheckFailed, match=r"check_coalescing\(make, b'x\\n', 21\)") as caught:
        check_coalescing(Recursing, b"x\n")
    assert isinstance(caught.value.__cause__, RecursionError)
    assert caught.value.split == [b"x\n" * 21]
    check_coalescing(Recursing, b"x\n", 20)


# Errors


class Raising(Lines):
    """Raises KeyError for a question mark, ValueError for a minus at the end of a stream."""

    def feed(self, data: bytes) -> Iterator[bytes]:  # type: ignore[override]  # events all the same
        """Look for it."""
        for line in super().feed(data):
            if b"??" in line:
                raise KeyError(line)
            yield line

    def close(self) -> list[bytes]:
        """Look for it."""
        if self.rest == b"-":
            raise ValueError(self.rest)
        return []


def test_other_errors() -> None:
    """Only what is named may come out, of any cut and any prefix; the traceback is shown."""
    check_only_raises(Raising, b"a\n-b\n??\n", ValueError, KeyError)
    with pytest.raises(CheckFailed, match="KeyError came out, and only ValueError may") as caught:
        check_only_raises(Raising, b"a\n-b\n??\n", ValueError)
    assert isinstance(caught.value.__cause__, KeyError)
    with pytest.raises(CheckFailed, match="ValueError came out, and only KeyError may") as caught:
        check_only_raises(Raising, b"a\n-b\n", KeyError)
    assert caught.value.split == [b"a\n-"]
    with pytest.raises(CheckFailed, match="ValueError came out, and no exception may"):
        check_only_raises(Raising, b"a\n-b\n")


def test_only_an_error() -> None:
    """A stream that is refused at once is something that was seen."""
    make = framer_subject(lambda: Framer(Netstring()))
    check_only_raises(make, b"x", FramingError)
    assert transcript(make, [b"x"]).events == []


def test_nothing_before_an_error_at_the_end() -> None:
    """So is an event without an error, of a subject that raises nothing."""
    check_only_raises(Lines, b"a\n")
