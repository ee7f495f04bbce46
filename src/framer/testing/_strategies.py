"""Strategies for hypothesis: `streams` of frames, and `chunked` ways to cut one.

Random bytes are hardly ever a message, and a parser that refuses the first of them says nothing
about the rest. So a stream is made of the frames that the caller knows to be good,
and only some of them are damaged a little.
A stream shrinks by whole frames, and what was damaged shrinks to what was not.

hypothesis is imported when a strategy is asked for, for the checks do without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from framer.testing._splits import cut_at

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn, SearchStrategy

__all__ = ["chunked", "hypothesis_missing", "streams"]

Frame: TypeAlias = "bytes | SearchStrategy[bytes]"


def streams(*frames: Frame, max_frames: int = 10, damage: float = 0.1) -> SearchStrategy[bytes]:
    r"""Streams of these frames, in any order, any number of times.

    Args:
        frames: whole frames, or strategies of them.
        max_frames: how many of them at the most.
        damage: which share of the frames, but for the first, is damaged:
            a byte is lost, doubled, changed or put in, or two are exchanged, or the end is lost.

    The first frame is whole, so that each stream has an event.

    Raises:
        ImportError: hypothesis is not installed; the extra `testing` brings it.
        ValueError: there are no frames, or the numbers make no sense.

    >>> from framer import Framer
    >>> from framer.testing import check_chunking, framer_subject, streams
    >>> from hypothesis import given
    >>> @given(streams(b"one\n", b"\n", b"three\n"))
    ... def test(data):
    ...     check_chunking(framer_subject(Framer), data)
    >>> test()
    """
    try:
        from hypothesis import strategies as st  # noqa: PLC0415 - see above
    except ImportError as exc:
        raise hypothesis_missing("streams()") from exc
    if not frames:
        raise ValueError("streams() makes streams of frames, and needs at least one")
    if max_frames < 1:
        raise ValueError(f"max_frames is 1 at the least, not {max_frames}")
    if not 0 <= damage <= 1:
        raise ValueError(f"damage is a share, from 0 to 1, not {damage}")
    whole = st.one_of(*(st.just(f) if isinstance(f, bytes) else f for f in frames))
    alphabet = sorted({byte for frame in frames if isinstance(frame, bytes) for byte in frame})
    threshold = round(1000 * (1 - damage))

    @st.composite
    def maybe_damaged(draw: DrawFn) -> bytes:
        frame: bytes = draw(whole)
        if draw(st.integers(0, 999)) < threshold or not frame:
            return frame
        return damaged(draw, frame)

    def damaged(draw: DrawFn, frame: bytes) -> bytes:
        place = draw(st.integers(0, len(frame) - 1))
        before, byte, after = frame[:place], frame[place : place + 1], frame[place + 1 :]
        known = st.sampled_from(alphabet) if alphabet else st.nothing()
        other = bytes([draw(known | st.integers(0, 255))])
        ways = [
            before + after,
            before + byte + byte + after,
            before + other + after,
            before + other + byte + after,
            before + after[:1] + byte + after[1:],
            before,
        ]
        way: bytes = draw(st.sampled_from(ways))
        return way

    rest = st.lists(maybe_damaged(), max_size=max_frames - 1).map(b"".join)
    return st.builds(bytes.__add__, whole, rest)


def chunked(data: bytes | SearchStrategy[bytes]) -> SearchStrategy[list[bytes]]:
    r"""Ways to cut a stream, or streams of a strategy, into chunks, none of which is empty.

    They shrink to fewer cuts.

    Raises:
        ImportError: hypothesis is not installed; the extra `testing` brings it.

    >>> from framer.testing import chunked
    >>> from hypothesis import given
    >>> @given(chunked(b"spam"))
    ... def test(chunks):
    ...     assert b"".join(chunks) == b"spam" and b"" not in chunks
    >>> test()
    """
    try:
        from hypothesis import strategies as st  # noqa: PLC0415 - see above
    except ImportError as exc:
        raise hypothesis_missing("chunked()") from exc
    if not isinstance(data, bytes | bytearray | memoryview):
        return data.flatmap(chunked)
    stream = bytes(data)
    if len(stream) < 2:
        return st.just(cut_at(stream, ()))
    places = st.sets(st.integers(1, len(stream) - 1), max_size=max(8, len(stream) // 4))
    return places.map(lambda cuts: cut_at(stream, sorted(cuts)))


def hypothesis_missing(what: str) -> ImportError:
    """What to say where hypothesis is not installed."""
    return ImportError(f"{what} needs hypothesis: pip install 'sansio-framer[testing]'")
