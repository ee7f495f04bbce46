"""What scanners have in common, and those that need not search: count, nothing, end."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import framer
from framer._events import TerminatorFound
from framer._scanners import (
    END_FOUND,
    NOTHING_FOUND,
    CountScanner,
    EndScanner,
    Found,
    Malformed,
    NothingScanner,
    Scanner,
    TooLarge,
    WaitingScanner,
    count_scanner,
)

CHUNKS = st.lists(st.binary(max_size=6), max_size=8)
COUNTS = st.integers(1, 5)
SCANNERS: dict[str, Scanner[Any]] = {
    "count": CountScanner(3),
    "nothing": NothingScanner(),
    "waiting": WaitingScanner(),
    "end": EndScanner(),
}

every_scanner = pytest.mark.parametrize("scanner", SCANNERS.values(), ids=SCANNERS)


def pulled(count: int, chunks: list[bytes]) -> tuple[list[bytes], bytes, int]:
    """Feed a count scanner chunk by chunk: whole frames, the unfinished one, bytes to come."""
    scanner = CountScanner(count)
    frames: list[bytes] = []
    payload = b""
    progress: int | None = None
    for chunk in chunks:
        offset = 0
        while True:
            found, offset, progress = scanner.pull(chunk, offset, progress, count)
            if isinstance(found, TerminatorFound):
                assert found == scanner.found == TerminatorFound(count)
                frames.append(payload)
                payload = b""
            elif found is None:
                break
            else:
                assert isinstance(found, bytes)
                assert found, "a count never makes an idle step"
                payload += found
        assert offset == len(chunk), "a count looks at every byte at once"
    remaining = scanner.remaining(progress)
    assert remaining is not None
    return frames, payload, remaining


# -- In common -----------------------------------------------------------------------------


class Least(Scanner[None]):
    """A scanner that says no more than it must."""

    overhead = 0

    def pull(
        self, buffer: bytes, offset: int, progress: None, allowed: float
    ) -> tuple[Found, int, None]:
        """Find nothing."""
        return None, offset, progress


interpreted = pytest.mark.skipif(
    framer.__compiled__, reason="a class that is compiled has no subclass that is not"
)


@interpreted
def test_defaults() -> None:
    """By default the peer sets the length, it is not known, and no byte is kept back."""
    scanner = Least()
    assert scanner.pull(b"abc", 1, None, 9) == (None, 1, None)
    assert scanner.limited
    assert not scanner.announces
    assert scanner.found is None
    assert scanner.split(b"abc", 1, 3, -1) == ([], 1)
    assert scanner.flush(None) is None
    assert scanner.header(None) == scanner.held(None) == b""
    assert scanner.remaining(None) is None
    assert scanner.begun(None) is False
    assert scanner.trigger is None
    assert scanner.delimiter is None
    assert scanner.count == 0
    assert not scanner.found_is_length
    assert scanner.patience(None) == -1


@interpreted
def test_pull_is_the_one_thing_to_write() -> None:
    """A scanner without ``pull`` is none."""
    with pytest.raises(TypeError, match="pull"):
        Scanner()  # type: ignore[abstract] # pyright: ignore[reportAbstractUsage]


@every_scanner
def test_length_is_the_programs_own(scanner: Scanner[Any]) -> None:
    """None of these is limited for a stream of events, announces, or has more than payload."""
    assert not scanner.limited
    assert not scanner.announces
    assert scanner.overhead == 0


@every_scanner
def test_nothing_besides_payload(scanner: Scanner[Any]) -> None:
    """None of these takes a header from the buffer, nor holds bytes back."""
    for progress in (None, 2):
        assert scanner.header(progress) == b""
        assert scanner.held(progress) == b""


@every_scanner
def test_no_state_in_the_scanner(scanner: Scanner[Any]) -> None:
    """A scanner can be shared: asked the same twice, it answers the same."""
    for buffer in (b"", b"ab", b"abcdef"):
        first = scanner.pull(buffer, 0, None, 9)
        scanner.split(buffer, 0, len(buffer), -1)
        assert scanner.pull(buffer, 0, None, 9) == first
    assert framer.__compiled__ or not hasattr(scanner, "__dict__")


def test_what_went_wrong() -> None:
    """The two ways not to go on say what the framer needs to make an error of them."""
    assert TooLarge(7).announced == 7
    cause = ValueError()
    malformed = Malformed("bad", 3, cause)
    assert (malformed.reason, malformed.index, malformed.cause) == ("bad", 3, cause)
    assert Malformed("bad", 3).cause is None


# -- Count ---------------------------------------------------------------------------------


@given(COUNTS, CHUNKS)
def test_count(count: int, chunks: list[bytes]) -> None:
    """However the stream is cut, a frame has so many bytes; the rest is under way."""
    frames, payload, remaining = pulled(count, chunks)
    stream = b"".join(chunks)
    whole = len(stream) // count
    assert frames == [stream[i * count : (i + 1) * count] for i in range(whole)]
    assert payload == stream[whole * count :]
    assert remaining == count - len(payload)


def test_count_waits_for_no_byte_too_many() -> None:
    """The end is found as soon as the last byte is in, in a step that takes none."""
    scanner = CountScanner(2)
    assert scanner.pull(b"ab", 0, None, 2) == (b"ab", 2, 0)
    assert scanner.pull(b"ab", 2, 0, 2) == (TerminatorFound(2), 2, None)


@given(COUNTS, CHUNKS)
def test_count_patience(count: int, chunks: list[bytes]) -> None:
    """Inside a frame it can wait for all that is missing but one byte, whatever the bytes."""
    _, payload, remaining = pulled(count, chunks)
    scanner = CountScanner(count)
    assert scanner.trigger is None
    assert scanner.patience(None) == -1
    if payload:
        assert scanner.patience(remaining) == remaining - 1


@given(COUNTS, st.integers(0, 6), st.binary(max_size=6), st.data())
def test_count_allowed(count: int, allowed: int, buffer: bytes, data: st.DataObject) -> None:
    """More bytes to come than are allowed are too large, once there is a first one.

    That takes nothing: with more allowed, the same step goes on.
    """
    offset = data.draw(st.integers(0, len(buffer)))
    progress = data.draw(st.none() | st.integers(1, count))
    scanner = CountScanner(count)
    found, after, then = scanner.pull(buffer, offset, progress, allowed)
    missing = count if progress is None else progress
    if offset == len(buffer):
        assert (found, after, then) == (None, offset, progress)
    elif missing > allowed:
        assert isinstance(found, TooLarge)
        assert found.announced == count
        assert (after, then) == (offset, progress)
    else:
        payload = buffer[offset : offset + missing]
        assert found == payload
        assert (after, then) == (offset + len(payload), missing - len(payload))


@given(COUNTS, st.binary(max_size=30), st.data())
@example(count=5, buffer=b"abcde", data=None)
@example(count=5, buffer=b"abcd", data=None)
@example(count=1, buffer=b"abcdef", data=None)
def test_count_split(count: int, buffer: bytes, data: st.DataObject | None) -> None:
    """``split`` of a window cuts what a loop over ``pull`` does, as many as are asked for."""
    start, end, most = 0, len(buffer), -1
    if data is not None:
        start = data.draw(st.integers(0, len(buffer)))
        end = data.draw(st.integers(start, len(buffer)))
        most = data.draw(st.sampled_from([-1, 1, 2, 3, 9]))
    frames, rest = CountScanner(count).split(buffer, start, end, most)
    expected, _, _ = pulled(count, [buffer[start:end]])
    expected = expected if most < 0 else expected[:most]
    assert frames == expected
    assert rest == start + count * len(expected)
    assert all(type(frame) is bytes for frame in frames)


@pytest.mark.parametrize("whole", [31, 32, 33, 63, 64, 65, 100])
def test_count_splits_many(whole: int) -> None:
    """So do hundreds of frames, of which many are cut out at a time, from where it starts."""
    frames = [b"%03d" % number for number in range(whole)]
    buffer = b"12" + b"".join(frames) + b"34"
    scanner = CountScanner(3)
    assert scanner.split(buffer, 2, len(buffer), -1) == (frames, len(buffer) - 2)
    assert scanner.split(buffer, 2, len(buffer), whole - 1) == (frames[:-1], len(buffer) - 5)


@given(st.integers(1, 9), st.binary(max_size=8))
def test_count_expects(count: int, rest: bytes) -> None:
    """All that is missing is expected, for a count; where nothing is known, nothing."""
    rest = rest[:count]
    assert CountScanner(count).expects(rest) == count - len(rest)
    assert EndScanner().expects(rest) == 0


def test_count_scanners_are_shared() -> None:
    """Framers with the same count share its scanner, and with another do not."""
    assert count_scanner(3) is count_scanner(3)
    assert count_scanner(3) is not count_scanner(4)
    assert count_scanner(3).found == TerminatorFound(3)


def test_count_at_the_end() -> None:
    """The end of the stream completes no count."""
    assert CountScanner(3).flush(None) is None
    assert CountScanner(3).flush(1) is None


# -- Nothing, and after it -----------------------------------------------------------------


@given(st.binary(max_size=3))
def test_nothing(buffer: bytes) -> None:
    """A frame of no bytes is found at once, whatever there is, and takes none of it."""
    scanner = NothingScanner()
    for offset in range(len(buffer) + 1):
        assert scanner.pull(buffer, offset, None, 0) == (NOTHING_FOUND, offset, None)
        assert scanner.split(buffer, offset, len(buffer), -1) == ([], offset)
    assert scanner.flush(None) is None
    assert TerminatorFound(0) == NOTHING_FOUND


@given(st.binary(max_size=3))
def test_waiting(buffer: bytes) -> None:
    """After it nothing is found, whatever comes, and nothing is taken."""
    scanner = WaitingScanner()
    for offset in range(len(buffer) + 1):
        assert scanner.pull(buffer, offset, None, math.inf) == (None, offset, None)
        assert scanner.split(buffer, offset, len(buffer), -1) == ([], offset)
    assert scanner.flush(None) is None
    assert scanner.remaining(None) is None


# -- End -----------------------------------------------------------------------------------


@given(st.binary(max_size=6), st.data())
def test_end(buffer: bytes, data: st.DataObject) -> None:
    """All that comes is payload, at once, and only the end of the stream ends it."""
    offset = data.draw(st.integers(0, len(buffer)))
    scanner = EndScanner()
    found, after, progress = scanner.pull(buffer, offset, None, 0)
    assert found == (buffer[offset:] or None)
    assert (after, progress) == (len(buffer), None)
    assert scanner.split(buffer, offset, len(buffer), -1) == ([], offset)
    assert scanner.flush(None) is END_FOUND
    assert TerminatorFound(b"") == END_FOUND
    assert scanner.remaining(None) is None
