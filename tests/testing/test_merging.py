"""Which differences are legal: pieces of one payload, and an error that may come earlier."""

# pyright: reportUnknownLambdaType=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false
# What a parser gives may be anything, and so may what a test makes of it.

from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framer import Data, TerminatorFound
from framer.testing import Transcript
from framer.testing._merging import Errors, Merge, Rules
from framer.testing._values import value_of


@dataclass(frozen=True)
class Chunk:
    """As h11 has it: payload and two flags."""

    data: bytes
    first: bool = False
    last: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """Of one of several things at once."""

    name: str
    data: bytes


class Loose:
    """Compares by identity."""

    def __init__(self, text: str) -> None:
        self.text = text


class Pair(NamedTuple):
    """A tuple with names."""

    kind: str
    data: str


class Count(NamedTuple):
    """Nothing to join."""

    n: int


def told(*events: Any, error: Exception | None = None) -> Transcript:
    """Make a transcript of events."""
    offsets = list(range(len(events)))
    return Transcript(
        [], list(events), offsets, error, None, len(events), list(map(value_of, events))
    )


def values(merge: Merge, *events: Any) -> list[Any]:
    """Join events, and return what they are compared by."""
    return [seen.value for seen in Rules.of(merge).seen(told(*events))]


def same(
    one: Transcript, other: Transcript, merge: Merge = (), errors: Errors = "outcome"
) -> int | None:
    """Compare in both directions, which has to give the same."""
    rules = Rules.of(merge, errors)
    place = rules.difference(one, other)
    assert rules.difference(other, one) == place
    return place


@given(st.lists(st.binary(min_size=1, max_size=3), min_size=1))
def test_pieces_of_payload(pieces: list[bytes]) -> None:
    """However many pieces there are, joined they are one."""
    whole = b"".join(pieces)
    assert values([Data], *map(Data, pieces)) == [Data(whole)]
    assert same(told(*map(Data, pieces)), told(Data(whole)), [Data]) is None
    assert same(told(*map(Data, pieces), 1), told(Data(whole), 2), [Data]) == 1
    assert values([bytes], *pieces) == [whole]
    assert values(["write"], *(("write", piece) for piece in pieces)) == [("write", whole)]
    assert values(["write"], *(("write", piece) for piece in pieces), ("close",))[1:] == [
        ("close",)
    ]


def test_kinds_that_are_not_named_stay() -> None:
    """Nothing is joined that was not asked for, nor across something else."""
    found = TerminatorFound(b"\n")
    assert values([Data], Data(b"a"), found, Data(b"b")) == [Data(b"a"), found, Data(b"b")]
    assert values([], Data(b"a"), Data(b"b")) == [Data(b"a"), Data(b"b")]
    assert values(["write"], ("read", b"a"), ("read", b"b")) == [("read", b"a"), ("read", b"b")]
    assert values([Data, bytes], Data(b"a"), b"b") == [Data(b"a"), b"b"]
    assert values(["write"], (), b"write", b"write") == [(), b"write", b"write"]


def test_how_fields_are_joined() -> None:
    """The payload is joined, flags are or-ed, and all else has to be the same."""
    assert values([Chunk], Chunk(b"a", first=True), Chunk(b"b", last=True)) == [
        Chunk(b"ab", first=True, last=True)
    ]
    assert values([Part], Part("x", b"a"), Part("x", b"b"), Part("y", b"c")) == [
        Part("x", b"ab"),
        Part("y", b"c"),
    ]


def test_text_lists_and_objects() -> None:
    """Text is payload where there are no bytes; a tag is not; lists are joined as they are."""
    assert values([Loose], Loose("a"), Loose("b")) == [value_of(Loose("ab"))]
    assert values(["text"], ("text", "a"), ("text", "b")) == [("text", "ab")]
    assert values([str], "a", "b") == ["ab"]
    assert values([list], [1], [2, 3]) == [[1, 2, 3]]


def test_a_function_that_joins() -> None:
    """A mapping says how, for what cannot be seen from the fields."""
    merge: Merge = {Count: lambda a, b: Count(a.n + b.n)}
    assert values(merge, Count(1), Count(2), Count(4), b"x") == [Count(7), b"x"]


@pytest.mark.parametrize("kind", [Count, "count"])
def test_what_nobody_knows_how_to_join(kind: type | str) -> None:
    """It is said, with what to do."""
    event = Count(1) if kind is Count else ("count", 1)
    with pytest.raises(TypeError, match=r"merge=\{.*ount'?: join\}"):
        values([kind], event, event)


@pytest.mark.parametrize("merge", [Data, "write", b"".__class__])
def test_one_kind_is_no_list_of_kinds(merge: Any) -> None:
    """A kind in place of several is refused, since "write" would be five kinds."""
    with pytest.raises(TypeError, match=r"merge=\(.*,\)"):
        Rules.of(merge)


def test_what_may_be_said_of_errors() -> None:
    """Three words, and no others."""
    with pytest.raises(ValueError, match="exact, outcome, early, any"):
        Rules.of((), "never")  # type: ignore[arg-type]  # that is what is tested


def test_where_they_differ_first() -> None:
    """An event, or past the last of the shorter one, or the error."""
    assert same(told(1, 2), told(1, 2)) is None
    assert same(told(1, 2), told(1, 3)) == 1
    assert same(told(1, 2), told(1)) == 1
    assert same(told(1), told(1, error=ValueError())) == 1
    assert same(told(1, error=ValueError("a")), told(1, error=ValueError("b"))) is None
    assert same(told(1, error=ValueError()), told(1, error=KeyError())) == 1


def test_exact_errors() -> None:
    """Arguments and attributes count then."""
    assert same(told(error=ValueError("a")), told(error=ValueError("a")), errors="exact") is None
    assert same(told(error=ValueError("a")), told(error=ValueError("b")), errors="exact") == 0


def test_errors_of_any_kind() -> None:
    """Which error it is, and how early it comes, is of no matter then; that there is one is."""
    full = told(1, 2, error=ValueError())
    assert same(told(1, error=KeyError()), full, errors="any") is None
    assert same(told(3, error=KeyError()), full, errors="any") == 0
    assert same(told(1, 2), full, errors="any") == 2
    assert same(told(1, 2), told(1), errors="any") == 1


def test_errors_that_come_early() -> None:
    """The events before it may be fewer, and the last of them in part; nothing else may differ."""
    error = ValueError()
    full = told(1, Data(b"ab"), error=error)
    assert same(told(1, error=error), full, errors="early") is None
    assert same(told(error=error), full, errors="early") is None
    assert same(told(1, Data(b"a"), error=error), full, [Data], "early") is None
    assert same(told(1, Data(b"b"), error=error), full, [Data], "early") == 1
    assert same(told(1, Data(b"a"), error=error), full, errors="early") == 1
    assert same(told(2, error=error), full, errors="early") == 0
    assert same(told(1), full, errors="early") == 1
    assert same(told(1, error=KeyError()), full, errors="early") == 1
    assert same(told(2, 3, error=error), full, errors="early") == 0
    merge: Merge = {Count: lambda a, b: Count(a.n + b.n)}
    assert same(told(Count(1), error=error), told(Count(5), error=error), merge, "early") is None
    assert same(told(b"a", error=error), told("ab", error=error), [bytes, str], "early") == 0
    assert same(told(b"a", error=error), told(b"ab", error=error), [bytes], "early") is None
