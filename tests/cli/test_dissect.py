"""A stream taken apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framer import (
    ANY_NEWLINE,
    Framer,
    FrameTooLarge,
    FramingError,
    IncompleteFrame,
    LengthPrefix,
    MalformedFrame,
    Netstring,
    Terminator,
    VarintPrefix,
)
from framer._cli.dissect import TAIL_SIZE, Dissector, Frame, Strip

TERMINATORS: list[Terminator] = [
    b"\r\n",
    (b"ab", b"c"),
    ANY_NEWLINE,
    3,
    LengthPrefix(1),
    LengthPrefix(2, adjust=-2),
    VarintPrefix(),
    Netstring(),
]


def dissect(stream: bytes, terminator: Terminator, *, limit: int = 4, size: int = 0) -> list[Frame]:
    """Take a stream apart that is read in chunks of that size."""
    size = size or len(stream) or 1
    chunks = [stream[start : start + size] for start in range(0, len(stream), size)]
    return list(Dissector(Framer(terminator, max_frame_size=limit), None).frames(chunks))


def parts(frame: Frame) -> list[tuple[str, bytes]]:
    """Give what is what in a frame."""
    return [(part.kind, bytes(part.strip.head)) for part in frame.parts]


def summary(
    stream: bytes, terminator: Terminator, *, limit: int = 4, size: int = 0
) -> list[object]:
    """Give numbers, parts, and kinds of errors."""
    frames = dissect(stream, terminator, limit=limit, size=size)
    return [(f.number, *parts(f), *([type(f.error)] if f.error else [])) for f in frames]


@pytest.mark.parametrize("size", [0, 1])
@pytest.mark.parametrize(
    ("terminator", "stream", "frames"),
    [
        (
            b"\r\n",
            b"ab\r\n\r\n",
            [
                (1, ("payload", b"ab"), ("terminator", b"\r\n")),
                (2, ("terminator", b"\r\n")),
            ],
        ),
        (
            (b"ab", b"c"),
            b"xabyc",
            [
                (1, ("payload", b"x"), ("terminator", b"ab")),
                (2, ("payload", b"y"), ("terminator", b"c")),
            ],
        ),
        (2, b"abcd", [(1, ("payload", b"ab")), (2, ("payload", b"cd"))]),
        (
            LengthPrefix(2),
            b"\0\1a\0\0",
            [(1, ("prefix", b"\0\1"), ("payload", b"a")), (2, ("prefix", b"\0\0"))],
        ),
        (VarintPrefix(), b"\x81\0a", [(1, ("prefix", b"\x81\0"), ("payload", b"a"))]),
        (
            Netstring(),
            b"1:a,0:,",
            [
                (1, ("prefix", b"1:"), ("payload", b"a"), ("terminator", b",")),
                (2, ("prefix", b"0:"), ("terminator", b",")),
            ],
        ),
    ],
)
def test_framings(terminator: Terminator, stream: bytes, frames: list[object], size: int) -> None:
    """Each framing has its parts, whatever the chunks."""
    assert summary(stream, terminator, size=size) == frames


@pytest.mark.parametrize("size", [0, 1])
@pytest.mark.parametrize(
    ("terminator", "stream", "frames"),
    [
        (
            b"\r\n",
            b"abcdef\r\n\r\nx\r\n",
            [
                (1, ("payload", b"abcd"), FrameTooLarge),
                (2, ("skipped", b"ef\r\n"), ("terminator", b"\r\n")),
                (3, ("payload", b"x"), ("terminator", b"\r\n")),
            ],
        ),
        (
            LengthPrefix(1),
            b"\5abcde\1x",
            [
                (1, FrameTooLarge),
                (2, ("skipped", b"\5abcde"), ("prefix", b"\1"), ("payload", b"x")),
            ],
        ),
        (
            VarintPrefix(),
            b"\x85\0abcd\xff\1x",
            [
                (1, FrameTooLarge),
                (2, ("skipped", b"\x85\0abcd\xff"), ("prefix", b"\1"), ("payload", b"x")),
            ],
        ),
        (
            Netstring(),
            b"5:abcd3,1:x,",
            [
                (1, FrameTooLarge),
                (
                    2,
                    ("skipped", b"5:abcd3,"),
                    ("prefix", b"1:"),
                    ("payload", b"x"),
                    ("terminator", b","),
                ),
            ],
        ),
        (
            LengthPrefix(1),
            b"\5abcde\6abcdef",
            [
                (1, FrameTooLarge),
                (2, ("skipped", b"\5abcde"), FrameTooLarge),
                (3, ("skipped", b"\6abcdef")),
            ],
        ),
        (
            LengthPrefix(2),
            b"\0\5abcde\0",
            [
                (1, FrameTooLarge),
                (2, ("skipped", b"\0\5abcde"), ("prefix", b"\0"), IncompleteFrame),
            ],
        ),
        (
            b"\n",
            b"abcdef",
            [(1, ("payload", b"abcd"), FrameTooLarge), (1, ("skipped", b"ef"), IncompleteFrame)],
        ),
        (
            LengthPrefix(1),
            b"\5ab",
            [(1, FrameTooLarge), (1, ("skipped", b"\5ab"), IncompleteFrame)],
        ),
        (
            b"\n",
            b"abcdef\n",
            [(1, ("payload", b"abcd"), FrameTooLarge), (2, ("skipped", b"ef\n"))],
        ),
    ],
)
def test_oversize(terminator: Terminator, stream: bytes, frames: list[object], size: int) -> None:
    """What is left of an oversize frame stands in front of the next one, or at the end."""
    assert summary(stream, terminator, size=size) == frames


@pytest.mark.parametrize("size", [0, 1])
@pytest.mark.parametrize("newline", [b"\r", b"\n", b"\r\n"])
def test_newlines(newline: bytes, size: int) -> None:
    """All bytes of a newline are terminator, though an LF after a CR may come later."""
    frames = dissect(b"ab" + newline + newline + b"c" + newline, ANY_NEWLINE, size=size)
    kinds = b"".join(data for frame in frames for kind, data in parts(frame) if kind != "payload")
    assert kinds == newline * 3
    whole = [frame for frame in frames if frame.is_whole]
    assert [frame.number for frame in whole] == [1, 2, 3]
    assert [frame.payload_size for frame in whole] == [2, 0, 1]
    assert all(frame.is_final == frame.is_whole for frame in frames)


@pytest.mark.parametrize(
    ("terminator", "stream", "shown"),
    [
        (Netstring(), b"1:a,05:x", [("unread", b"0"), ("broken", b"5"), ("unread", b":x")]),
        (Netstring(), b"1:a,3:abcX", [("prefix", b"3:"), ("payload", b"abc"), ("broken", b"X")]),
        (Netstring(), b"1:a,-1", [("broken", b"-"), ("unread", b"1")]),
    ],
)
def test_malformed(terminator: Terminator, stream: bytes, shown: list[object]) -> None:
    """The byte that is wrong, with its neighbours, and nothing after it."""
    first, last = dissect(stream, terminator)
    assert first.is_whole
    assert isinstance(last.error, MalformedFrame)
    assert parts(last) == shown


def test_malformed_is_the_end() -> None:
    """However much comes after it."""
    frames = dissect(b"x" * 100, Netstring(), size=7)
    assert len(frames) == 1
    assert frames[0].error is not None


@pytest.mark.parametrize("terminator", TERMINATORS, ids=repr)
@given(data=st.binary(max_size=60) | st.text("012345:,abc\r\n\1\2\3", max_size=60).map(str.encode))
def test_all_bytes_are_shown_once(terminator: Terminator, data: bytes) -> None:
    """The parts, one after the other, are the stream, up to where it breaks; for all chunks."""
    for size in (0, 1, 7):
        frames = dissect(data, terminator, size=size)
        every = [part for frame in frames for part in frame.parts]
        stream = b"".join(bytes(part.strip.head) for part in every)
        malformed = bool(frames) and isinstance(frames[-1].error, MalformedFrame)
        assert data.startswith(stream) if malformed else stream == data
        at = 0
        for part in every:
            assert part.start == at
            at += part.strip.size


def outline(frames: list[Frame]) -> list[tuple[int, FramingError | None, int]]:
    """Give what does not depend on the chunks."""
    return [(f.number, f.error, f.payload_size) for f in frames if f.is_final]


@pytest.mark.parametrize("terminator", TERMINATORS, ids=repr)
@given(data=st.text("012345:,abc\r\n\1\2\3", max_size=60).map(str.encode))
def test_chunks_do_not_matter(terminator: Terminator, data: bytes) -> None:
    """The frames are the same ones."""
    whole, byte_by_byte = dissect(data, terminator), dissect(data, terminator, size=1)
    assert repr(outline(whole)) == repr(outline(byte_by_byte))


@given(st.lists(st.binary(max_size=TAIL_SIZE)), st.integers(0, 40))
def test_strip(pieces: list[bytes], head_size: int) -> None:
    """It keeps the beginning and the end, and knows how much was between them."""
    strip = Strip(head_size)
    for piece in pieces:
        strip.add(piece)
    data = b"".join(pieces)
    assert strip.size == len(data)
    assert strip.head == data[:head_size]
    assert len(strip.tail) <= TAIL_SIZE
    assert data.endswith(strip.tail)
    if len(data) <= head_size + TAIL_SIZE:
        assert strip.head + strip.tail == data


@given(st.binary(max_size=60), st.integers(0, 60), st.integers(0, 60))
def test_cut_off(data: bytes, head_size: int, count: int) -> None:
    """What is cut off is the end, and is gone."""
    count = min(count, len(data))
    strip = Strip(head_size)
    strip.add(data)
    assert strip.cut_off(count) == data[len(data) - count :]
    assert strip.head + strip.tail == data[: len(data) - count]
    assert strip.size == len(data) - count


def test_memory_is_bounded() -> None:
    """Of a frame of any size a little is kept."""
    frames = Dissector(Framer(b"\n", max_frame_size=None), 64).frames(
        [b"x" * 10_000] * 10 + [b"\n"]
    )
    (frame,) = frames
    payload = frame.parts[0].strip
    assert payload.size == 100_000
    assert len(payload.head) + len(payload.tail) == 64 + TAIL_SIZE
