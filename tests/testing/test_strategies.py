"""streams and chunked: what they draw, what they shrink to, and what is said without hypothesis."""

# pyright: reportUnknownLambdaType=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false
# What a parser gives may be anything, and so may what a test makes of it.

import operator
import sys
from functools import partial

import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st

from framer.testing import chunked, streams

FRAMES = (b"one\n", b"\n", b"three\n")
QUICK = settings(max_examples=100, database=None, derandomize=True)


@given(streams(*FRAMES, damage=0))
def test_whole_frames(stream: bytes) -> None:
    """Without damage a stream is frames, one at least and ten at the most."""
    lines = stream.splitlines(keepends=True)
    assert 1 <= len(lines) <= 10
    assert set(lines) <= set(FRAMES)


@given(streams(*FRAMES, max_frames=1, damage=1))
def test_the_first_frame_is_whole(stream: bytes) -> None:
    """So that each stream has an event, however much is damaged."""
    assert stream in FRAMES


@given(streams(st.binary(min_size=1, max_size=4).map(lambda data: b"<" + data + b">")))
def test_strategies_of_frames(stream: bytes) -> None:
    """A frame may be drawn itself."""
    assert stream.startswith(b"<")


def test_damage() -> None:
    """Bytes are lost, doubled, changed, put in and exchanged, and ends are lost."""
    for wanted in (
        b"ab;b;",
        b"ab;a;",
        b"ab;aab;",
        b"ab;ab;;",
        b"ab;a;b",
        b"ab;;b;",
        b"ab;",
        b"ab;ab\0;",
    ):
        found = find(
            streams(b"ab;", max_frames=2, damage=1),
            partial(operator.eq, wanted),
            settings=settings(max_examples=5000, database=None, derandomize=True),
        )
        assert found == wanted


def test_nothing_is_left_to_damage() -> None:
    """An empty frame stays as it is."""

    @QUICK
    @given(streams(b"", damage=1))
    def check(stream: bytes) -> None:
        assert stream == b""

    check()


def test_shrinking_a_stream() -> None:
    """By whole frames, and to frames that are not damaged."""
    small = find(streams(*FRAMES), lambda stream: stream.count(b"three\n") == 2, settings=QUICK)
    assert small in (b"three\nthree\n", b"one\nthree\nthree\n")


@given(st.data(), st.binary(max_size=30))
def test_chunks(data: st.DataObject, stream: bytes) -> None:
    """They are the stream, and none is empty; a strategy of streams does as well as a stream."""
    chunks = data.draw(chunked(stream))
    assert b"".join(chunks) == stream
    assert b"" not in chunks
    assert b"".join(data.draw(chunked(st.just(stream)))) == stream


def test_shrinking_chunks() -> None:
    """To fewer cuts."""
    assert find(chunked(b"abcdef"), lambda chunks: b"ef" in chunks, settings=QUICK) == [
        b"abcd",
        b"ef",
    ]
    assert len(find(chunked(bytes(60)), lambda chunks: len(chunks) > 9, settings=QUICK)) == 10


def test_arguments_that_make_no_sense() -> None:
    """They are refused when the strategy is made."""
    with pytest.raises(ValueError, match="at least one"):
        streams()
    with pytest.raises(ValueError, match="max_frames is 1 at the least, not 0"):
        streams(b"a", max_frames=0)
    for damage in (-0.1, 1.1):
        with pytest.raises(ValueError, match="damage is a share"):
            streams(b"a", damage=damage)


def test_without_hypothesis(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says which extra to install."""
    monkeypatch.setitem(sys.modules, "hypothesis", None)  # that is how a module is hidden
    for strategy in (lambda: streams(b"a"), lambda: chunked(b"a")):
        with pytest.raises(ImportError, match=r"pip install 'sansio-framer\[testing\]'"):
            strategy()
