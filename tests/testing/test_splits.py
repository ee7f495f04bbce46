"""The ways to cut: which they are, that they lose nothing, and that they are the same each time."""

# pyright: reportUnknownLambdaType=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false
# What a parser gives may be anything, and so may what a test makes of it.

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framer.testing import splits
from framer.testing._splits import cut_at, cuts_of


@given(st.binary(max_size=40), st.integers(0, 12), st.integers())
def test_each_way_is_the_whole_stream(data: bytes, k: int, seed: int) -> None:
    """Nothing is lost, no piece is empty, and all that is promised is there."""
    ways = list(splits(data, k=k, seed=seed))
    assert all(b"".join(way) == data and b"" not in way for way in ways)
    assert ways[0] == ([data] if data else [])
    assert [data[i : i + 1] for i in range(len(data))] in ways
    for place in range(1, len(data)):
        assert [data[:place], data[place:]] in ways
    whole_and_bytes = min(len(data), 2) if len(data) > 2 else 1
    assert len(ways) == whole_and_bytes + max(len(data) - 1, 0) + (k if len(data) > 3 else 0)
    assert all(len(way) > 2 for way in ways[-k:]) or not k or len(data) < 4


def test_the_same_each_time() -> None:
    """They depend on the seed, and on no state of the program."""
    data = bytes(range(40))
    ways = list(splits(data))
    random.seed(1)
    assert list(splits(data)) == ways
    assert list(splits(data, seed=1)) != ways


@pytest.mark.parametrize("data", [b"", b"a", b"ab", b"abc"])
def test_short_streams_have_no_way_twice(data: bytes) -> None:
    """What is the whole, byte by byte and a cut in two at once comes once."""
    ways = list(splits(data))
    assert len(ways) == max(1, 2 ** (len(data) - 1))
    assert len({tuple(way) for way in ways}) == len(ways)


def test_the_order() -> None:
    """Whole, byte by byte, cut in two from the front to the back, and then in more."""
    assert [len(way) for way in splits(b"abcdefgh", k=3, seed=3)][:9] == [1, 8, *[2] * 7]


def test_cutting_and_looking_where() -> None:
    """The one is the reverse of the other; a cut at the end, or twice, makes no empty piece."""
    assert cut_at(b"abc", (1, 1, 3)) == [b"a", b"bc"]
    assert cuts_of([b"a", b"bc"]) == [1]
    assert cuts_of([]) == []
