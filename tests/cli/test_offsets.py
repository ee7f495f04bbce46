"""Where in the stream the frames are."""

from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framer import (
    ANY_NEWLINE,
    Framer,
    FrameTooLarge,
    LengthPrefix,
    Netstring,
    Terminator,
    VarintPrefix,
    encode_frame,
)
from framer._cli.offsets import Offsets

LIMIT = 8
TERMINATORS: list[Terminator] = [
    b"ab",
    (b"b", b"cc"),
    (b"\r\n", b"\n"),
    ANY_NEWLINE,
    3,
    LengthPrefix(2),
    VarintPrefix(),
    Netstring(),
]
PAYLOADS = st.lists(st.binary(max_size=2 * LIMIT) | st.text("ac\r\n", max_size=6).map(str.encode))


def framed(payload: bytes, terminator: Terminator, number: int) -> bytes:
    """Frame what can be framed of a payload, with each delimiter in its turn."""
    match terminator:
        case bytes():
            return payload.replace(b"a", b"") + terminator
        case tuple():
            return payload.translate(None, b"bc\r\n") + terminator[number % 2]
        case int():
            return payload[:terminator].ljust(terminator)
        case LengthPrefix() | VarintPrefix() | Netstring():
            return encode_frame(payload, terminator)
        case _:
            return payload.translate(None, b"\r\n") + (b"\r", b"\n", b"\r\n")[number % 3]


def located(stream: bytes, terminator: Terminator, size: int) -> list[tuple[int, bytes]]:
    """Feed a stream in chunks of that size, and give the frames with where they are."""
    framer = Framer(terminator, max_frame_size=LIMIT)
    offsets = Offsets(framer)
    found: list[tuple[int, bytes]] = []
    for start in range(0, len(stream), size):
        chunk = stream[start : start + size]
        offsets.receive_data(chunk)
        framer.receive_data(chunk)
        while True:
            try:
                for frame in framer.frames():
                    found += [(offsets.payload_start(frame), frame)]
                break
            except FrameTooLarge:
                framer.skip_frame()
                offsets.restart()
    return found


@pytest.mark.parametrize("terminator", TERMINATORS, ids=repr)
@given(payloads=PAYLOADS, number=st.integers(0, 2), size=st.integers(1, 60))
def test_a_frame_is_where_it_is_said_to_be(
    terminator: Terminator, payloads: list[bytes], number: int, size: int
) -> None:
    """Whatever the chunks, and behind frames that were skipped."""
    stream = b"".join(framed(p, terminator, number + at) for at, p in enumerate(payloads))
    frames = located(stream, terminator, size)
    assert [stream[start : start + len(frame)] for start, frame in frames] == [
        frame for _, frame in frames
    ]
    starts = [start for start, _ in frames]
    assert starts == sorted(starts)
    assert frames == located(stream, terminator, len(stream) or 1)


def test_a_varint_need_not_be_short() -> None:
    """The prefix is as long as it is, not as long as it has to be."""
    assert located(b"\x81\x80\x00a\x01b", VarintPrefix(), 9) == [(3, b"a"), (5, b"b")]


@pytest.mark.parametrize("terminator", [t for t in TERMINATORS if t != VarintPrefix()], ids=repr)
def test_the_framer_is_left_alone(terminator: Terminator) -> None:
    """To ask it for `buffered` would cost a multiple of all the rest."""
    framer = Framer(terminator)
    stream = b"".join(framed(b"xyz", terminator, number) for number in range(9))
    with patch.object(Framer, "buffered", property(lambda _: pytest.fail("asked"))):
        offsets = Offsets(framer)
        for chunk in (stream[:11], stream[11:]):
            offsets.receive_data(chunk)
            framer.receive_data(chunk)
            starts = [offsets.payload_start(frame) for frame in framer.frames()]
    assert stream[starts[-1] :].startswith(b"xyz")


@pytest.mark.parametrize("terminator", TERMINATORS, ids=repr)
def test_memory(terminator: Terminator) -> None:
    """No more is kept than a chunk and what a delimiter may need."""
    offsets = Offsets(Framer(terminator))
    for _ in range(100):
        offsets.receive_data(b"x" * 1000)
    assert len(offsets._recent) <= 1002
