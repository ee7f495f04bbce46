"""What a failure shows: the split, both transcripts, the first difference, and what to type."""

import doctest

import pytest

from framer.testing import CheckFailed, NotDeterministic, Transcript, Vacuous
from framer.testing._failures import Side, again, compare, describe, short
from framer.testing._merging import Rules


def told(*events: object, error: Exception | None = None) -> Transcript:
    """Make a transcript of events, which came out one at each byte."""
    offsets = list(range(1, len(events) + 1))
    at = None if error is None else len(events)
    return Transcript([], list(events), offsets, error, at, len(events), list(events))


def table(one: Transcript, other: Transcript) -> str:
    """Compare two of them."""
    rules = Rules.of()
    place = rules.difference(one, other)
    assert place is not None
    return compare(Side("in one piece", one), Side("cut", other), rules, place)


def test_they_are_assertion_errors() -> None:
    """So that every test runner takes them for failures; and they have attributes for programs."""
    error = CheckFailed("what", split=[b"a"], transcripts=[told()], difference=0)
    assert isinstance(error, AssertionError)
    assert str(error) == "what"
    assert (error.split, error.transcripts, error.difference) == ([b"a"], (told(),), 0)
    assert issubclass(Vacuous, CheckFailed)
    assert issubclass(NotDeterministic, CheckFailed)
    assert Vacuous("what").split is None


def test_a_table() -> None:
    """The first difference is marked; what is before and behind it is there, if it is near."""
    assert table(told(b"a", b"b", b"c"), told(b"a", b"x", error=ValueError("no"))) == (
        "      in one piece                        | cut\n"
        "    0 @1 b'a'                             | @1 b'a'\n"
        ">   1 @2 b'b'                             | @2 b'x'\n"
        "    2 @3 b'c'                             | @2 ValueError: no\n"
        "    3 (the end, no error)                 |"
    )


def test_a_long_table() -> None:
    """It is shown around the difference, and says how much is left out."""
    shown = table(told(*range(20)), told(*range(9), 99, *range(10, 20)))
    assert "(6 before that are the same)" in shown
    assert "(8 more behind that)" in shown
    assert ">   9 @10 9  " in shown
    assert len(shown.splitlines()) == 10


def test_long_events() -> None:
    """Each row fits on a terminal, shows the place where they differ, and stands below in full."""
    one, other = b"x" * 100 + b"one" + b"x" * 100, b"x" * 100 + b"two" + b"x" * 100
    head, _, tail = table(told(one), told(other)).partition("\n\n")
    assert all(len(line) <= 80 for line in head.splitlines())
    assert "one" in head
    assert "two" in head
    assert tail == f"0, in one piece: @1 {one!r}\n0, cut: @1 {other!r}"
    early = table(told(one), told(b"y" * 100)).partition("\n\n")[0]
    assert "b'xxx" in early
    assert "b'yyy" in early


def test_where_only_the_length_differs() -> None:
    """The longer one shows what it has more, and the shorter one that it has ended."""
    assert "> " in table(told(b"a"), told(b"a", b"b"))
    assert "x" * 20 in table(told(b"x" * 90), told(b"x" * 91))


@pytest.mark.parametrize("count", [0, 1])
def test_describing_one_piece(count: int) -> None:
    """A stream that was not cut, or was empty."""
    assert describe([b"abc"] * count) == f"in one piece:\n    {b'abc' * count!r}"


def test_describing_pieces() -> None:
    """The places and the pieces; of very many of them, the first."""
    assert describe([b"ab", b"c"]) == "in 2 pieces, cut at 2:\n    b'ab' b'c'"
    many = describe([b"0123456789"] * 60)
    assert all(len(line) <= 80 for line in many.splitlines())
    assert many.startswith("in 60 pieces, cut at 10, 20, 30, 40, 50, 60, 70, 80, ...:")
    assert many.endswith(" ...")


def test_what_to_type() -> None:
    """It is Python, and makes the transcripts that were compared."""
    lines = again("check_chunking(make, b'ab')", Transcript([b"a", b"b"])).splitlines()
    assert lines == [
        "to see it again:",
        "    check_chunking(make, b'ab')",
        "    transcript(make, [b'a', b'b'])",
    ]
    for line in lines[1:]:
        compile(line.strip(), "shown", "eval")
    assert again("", Transcript([])).splitlines()[1:] == ["    transcript(make, [])"]


def test_shortening() -> None:
    """The beginning and the end of what is long."""
    assert short(b"abc", 10) == "b'abc'"
    assert short("x" * 30 + "y" * 30, 25) == "xxxxxxxxxx ... yyyyyyyyyy"
    assert doctest.ELLIPSIS_MARKER in short(list(range(1000)), 40)
