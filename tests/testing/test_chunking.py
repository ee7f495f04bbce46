"""check_chunking: what it finds, what it lets pass, and how small the split is that it shows."""

# pyright: reportUnknownLambdaType=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false
# What a parser gives may be anything, and so may what a test makes of it.

import itertools
import random
import re
import unittest
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framer import Data, Framer, Netstring
from framer.testing import (
    CheckFailed,
    NotDeterministic,
    Vacuous,
    check_chunking,
    framer_subject,
    streams,
    transcript,
)
from framer.testing._chunking import smallest_split
from framer.testing._splits import cut_at

LINES = b"spam\r\n\r\neggs\r\n"


class Lines:
    """CRLF lines, as they should be."""

    def __init__(self) -> None:
        self.rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Split what is there."""
        *lines, self.rest = (self.rest + data).split(b"\r\n")
        return lines


class Stripped(Lines):
    """Loses a CR at the end of a chunk."""

    def feed(self, data: bytes) -> list[bytes]:
        """Split what is left."""
        return super().feed(data.removesuffix(b"\r"))


class Lengths:
    """Gives the length of each chunk that is one of some."""

    lengths: tuple[int, ...] = ()

    def feed(self, data: bytes) -> list[str]:
        """Say so."""
        return ["chunk"] if len(data) in self.lengths else []

    def close(self) -> list[str]:
        """One event at least."""
        return ["end"]


def test_a_parser_without_fault() -> None:
    """It passes, and what comes out of the whole is returned."""
    seen = check_chunking(Lines, LINES)
    assert seen.events == [b"spam", b"", b"eggs"]
    assert seen.chunks == [LINES]


def test_a_parser_with_one() -> None:
    """The smallest split, both transcripts and the place are in the error, and in its text."""
    with pytest.raises(CheckFailed) as caught:
        check_chunking(Stripped, LINES)
    error = caught.value
    assert error.split == [b"spam\r", b"\n\r\neggs\r\n"]
    assert error.difference == 0
    whole, cut = error.transcripts
    assert whole.events == [b"spam", b"", b"eggs"]
    assert cut.events == [b"spam\n", b"eggs"]
    text = str(error)
    assert "in 2 pieces, cut at 5:" in text
    assert ">   0 @14 b'spam'" in text
    assert f"check_chunking(make, {LINES!r})" in text


def test_the_lines_that_are_shown_show_it_again() -> None:
    """What the failure says to type is a failure, and the same transcripts."""
    with pytest.raises(CheckFailed) as caught:
        check_chunking(Stripped, LINES)
    calls = re.findall(r"^    (\w+\(make, .*\))$", str(caught.value), re.MULTILINE)
    names = {"make": Stripped, "check_chunking": check_chunking, "transcript": transcript}
    with pytest.raises(CheckFailed):
        eval(calls[0], names)  # noqa: S307 - it was made a line above
    assert eval(calls[1], names) == caught.value.transcripts[1]  # noqa: S307 - the same


def test_an_error_is_the_cause() -> None:
    """Where the parser raised, its traceback is there to be read."""

    class Utf8:
        def feed(self, data: bytes) -> str:
            return data.decode()

    with pytest.raises(CheckFailed, match="UnicodeDecodeError") as caught:
        check_chunking(Utf8, "aż".encode())
    assert isinstance(caught.value.__cause__, UnicodeDecodeError)


def test_vacuity() -> None:
    """No event at all is no success; nor is a parser that was put together wrongly."""

    class Silent:
        def feed(self, data: bytes) -> list[bytes]:
            return []

    class Wrong:
        def feed(self, data: bytes) -> list[bytes]:
            raise TypeError("str wanted")

    with pytest.raises(Vacuous, match="at least one whole message") as caught:
        check_chunking(Silent, b"abc")
    assert caught.value.split == [b"abc"]
    with pytest.raises(Vacuous, match="only raised TypeError: str wanted"):
        check_chunking(Wrong, b"abc")


def test_an_error_is_something() -> None:
    """A parser may refuse the very first byte, however that comes."""
    seen = check_chunking(framer_subject(lambda: Framer(Netstring())), b"x", errors="exact")
    assert seen.events == []


def test_nondeterminism() -> None:
    """A parser that gives something else each time is reported as such, and not as a bad cut."""
    counter = itertools.count()

    class Counting:
        def feed(self, data: bytes) -> list[int]:
            return [next(counter)]

    with pytest.raises(NotDeterministic, match="twice the same bytes") as caught:
        check_chunking(Counting, b"abc")
    assert caught.value.difference == 0
    assert caught.value.split == [b"abc"]


def test_one_object_for_all_streams() -> None:
    """make() that returns the same object each time is nondeterminism, too, and the text asks."""
    parser = Lines()
    parser.rest = b"x"
    with pytest.raises(NotDeterministic, match=r"Does make\(\) return a new object"):
        check_chunking(lambda: parser, b"a\r\nb")


def test_nondeterminism_of_one_split() -> None:
    """The same where it is only seen with cuts."""
    lucky = iter([True])

    class Fickle(Lines):
        def feed(self, data: bytes) -> list[bytes]:
            if data == b"a" and next(lucky, False):
                return [b"surprise"]
            return super().feed(data)

    with pytest.raises(NotDeterministic, match="the same pieces gave other events"):
        check_chunking(Fickle, b"a\r\n", ways=[[b"a", b"\r\n"]])


def test_ways_of_ones_own() -> None:
    """Other ways to cut than the usual ones."""
    assert check_chunking(Stripped, LINES, ways=[[b"spam", b"\r\n\r\neggs\r\n"]])
    with pytest.raises(CheckFailed):
        check_chunking(Stripped, LINES, ways=[[b"spam\r", b"\n\r\neggs\r\n"]])


def test_legal_differences() -> None:
    """Payload in pieces and early errors pass when they are named."""
    make = framer_subject(lambda: Framer(b"\r\n", max_frame_size=5), streaming=True)
    check_chunking(make, b"spam\r\n\r\neggs and\r\n", merge=[Data], errors="exact")
    with pytest.raises(CheckFailed):
        check_chunking(make, b"spam\r\n")

    class ListsUntilError(Lines):
        def feed(self, data: bytes) -> list[bytes]:
            lines = super().feed(data)
            if b"" in lines:
                raise ValueError("empty")
            return lines

    check_chunking(ListsUntilError, LINES, errors="early")
    with pytest.raises(CheckFailed):
        check_chunking(ListsUntilError, LINES)


@settings(max_examples=50)
@given(st.binary(min_size=2, max_size=20), st.data())
def test_splits_are_made_small(data: bytes, drawn: st.DataObject) -> None:
    """What is left of a split makes the difference, and without any of its cuts does not."""
    wanted = drawn.draw(st.sets(st.integers(1, len(data) - 1), min_size=1, max_size=4))

    def differs(chunks: list[bytes]) -> bool:
        ends = set(itertools.accumulate(map(len, chunks)))
        return wanted <= ends

    chunks = cut_at(data, range(1, len(data)))
    assert smallest_split(differs, chunks) == cut_at(data, sorted(wanted))


def test_a_cut_in_two_is_tried_first() -> None:
    """Although leaving out cuts one by one may end somewhere else."""
    data = bytes(range(20))

    def differs(chunks: list[bytes]) -> bool:
        return len(chunks) != 2 or len(chunks[0]) == 13

    assert smallest_split(differs, cut_at(data, range(1, 20))) == cut_at(data, (13,))


def test_pieces_of_one_length() -> None:
    """A difference that needs several cuts is found by the seeded ways, and made small."""

    class Odd(Lengths):
        lengths = (3,)

        def feed(self, data: bytes) -> list[str]:
            self.seen = [*getattr(self, "seen", []), len(data)]
            return ["chunk"] if self.seen[-2:] == [3, 3] else []

    with pytest.raises(CheckFailed) as caught:
        check_chunking(Odd, bytes(8), ways=[[bytes(1), bytes(3), bytes(3), bytes(1)]])
    assert [len(piece) for piece in caught.value.split or []] in (
        [1, 3, 3, 1],
        [3, 3, 2],
        [2, 3, 3],
    )


def test_it_is_deterministic() -> None:
    """Two runs say the very same, whatever else draws random numbers."""
    texts: list[str] = []
    for number in range(2):
        random.seed(number)
        with pytest.raises(CheckFailed) as caught:
            check_chunking(Stripped, LINES)
        texts.append(str(caught.value))
    assert texts[0] == texts[1]


def test_under_unittest() -> None:
    """A TestCase counts it as a failure, not as an error."""

    class Case(unittest.TestCase):
        def test(self) -> None:
            check_chunking(Stripped, LINES)

    result = unittest.TestResult()
    Case("test").run(result)
    assert (len(result.failures), len(result.errors)) == (1, 0)


def test_a_property_is_a_fuzz_target() -> None:
    """Hypothesis' fuzz_one_input takes bytes from a fuzzer, as atheris and HypoFuzz give them."""

    @given(streams(b"spam\r\n", b"\r\n"))
    def target(data: bytes) -> None:
        check_chunking(Stripped, data)

    def inputs() -> Iterator[bytes]:
        rng = random.Random(5)
        while True:
            yield rng.randbytes(200)

    fuzz = target.hypothesis.fuzz_one_input  # type: ignore[attr-defined]  # hypothesis adds it
    with pytest.raises(CheckFailed):
        for _, buffer in zip(range(200), inputs(), strict=False):
            fuzz(buffer)
