"""A stream that arrives in pieces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framer import (
    ANY_NEWLINE,
    EndOfStream,
    Framer,
    FrameTooLarge,
    IncompleteFrame,
    LengthPrefix,
    MalformedFrame,
    Netstring,
    Terminator,
    TerminatorFound,
    VarintPrefix,
)
from framer._cli.arrivals import Arrivals, Outcome, Piece, cut
from framer._cli.dissect import Strip

TERMINATORS: list[Terminator] = [
    *(b"\r\n", (b"ab", b"c"), ANY_NEWLINE, 3),
    *(LengthPrefix(1), VarintPrefix(), Netstring()),
]


def arrive(
    chunks: list[bytes], cuts: list[int], terminator: Terminator = b"\n", most_frames: int = 999
) -> list[Piece]:
    """Let chunks arrive, cut at these offsets."""
    framer = Framer(terminator, max_frame_size=4)
    return list(Arrivals(framer, None, most_frames).pieces(chunks, cuts))


def plain(outcome: Outcome) -> object:
    """Give something that can be compared."""
    match outcome:
        case Strip():
            return bytes(outcome.head)
        case TerminatorFound() | EndOfStream():
            return outcome
        case error:
            return repr(error)


def joined(pieces: list[Piece]) -> list[object]:
    """Give what came of all pieces; payload that came in several is joined."""
    outcomes: list[object] = []
    for piece in pieces:
        for number, outcome in piece.outcomes:
            last = outcomes[-1] if outcomes else None
            if not isinstance(outcome, Strip):
                outcomes.append((number, plain(outcome)))
            elif isinstance(last, bytes):
                outcomes[-1] = last + bytes(outcome.head)
            else:
                outcomes.append(bytes(outcome.head))
    return outcomes


@given(
    st.lists(st.binary(min_size=1, max_size=5), max_size=8), st.sets(st.integers(1, 50), max_size=8)
)
def test_cut(chunks: list[bytes], cuts: set[int]) -> None:
    """Nothing is lost, no piece is empty, and pieces begin where it was cut."""
    data = b"".join(chunks)
    pieces: dict[int, bytes] = {}
    for number, chunk in cut(chunks, sorted(cuts)):
        assert chunk
        pieces[number] = pieces.get(number, b"") + chunk
    assert b"".join(pieces.values()) == data
    assert list(pieces) == list(range(1, len(pieces) + 1))
    lengths = [0]
    for piece in pieces.values():
        lengths.append(lengths[-1] + len(piece))
    inside = sorted(at for at in cuts if at < len(data))
    assert lengths == ([0, *inside, len(data)] if data else [0])


def test_which_event_came_out_at_which_piece() -> None:
    """A CR is held back until it is known what it is."""
    pieces = arrive([b"ab\r\ncd\r\n"], [3, 4], b"\r\n")
    assert [
        (p.number, p.start, [plain(outcome) for _, outcome in p.outcomes], p.held_back)
        for p in pieces
    ] == [
        (1, 0, [b"ab"], 1),
        (2, 3, [TerminatorFound(b"\r\n")], 0),
        (3, 4, [b"cd", TerminatorFound(b"\r\n")], 0),
        (0, 8, [EndOfStream()], 0),
    ]
    assert [p.is_end for p in pieces] == [False, False, False, True]


@pytest.mark.parametrize("terminator", TERMINATORS, ids=repr)
@given(
    data=st.text("012345:,abc\r\n\1\2\3", max_size=40).map(str.encode),
    cuts=st.sets(st.integers(1, 40)),
    size=st.integers(1, 41),
)
def test_cuts_do_not_matter(terminator: Terminator, data: bytes, cuts: set[int], size: int) -> None:
    """The events, one after the other, are those of the stream in one piece."""
    chunks = [data[start : start + size] for start in range(0, len(data), size)]
    assert joined(arrive(chunks, sorted(cuts), terminator)) == joined(
        arrive([data], [], terminator)
    )


def test_reads_do_not_show() -> None:
    """One piece is one arrival, however many reads it took."""
    assert joined(arrive([b"a", b"b", b"\n"], [])) == joined(arrive([b"ab\n"], []))
    piece, _ = arrive([b"a", b"b", b"\n"], [])
    assert [plain(outcome) for _, outcome in piece.outcomes] == [b"ab", TerminatorFound(b"\n")]


@pytest.mark.parametrize("cuts", [[], [2], [3]])
def test_enough_frames(cuts: list[int]) -> None:
    """It ends with the last frame asked for."""
    pieces = arrive([b"a\nb\nc\n", b"d\n"], cuts, most_frames=2)
    assert joined(pieces) == [b"a", (1, TerminatorFound(b"\n")), b"b", (2, TerminatorFound(b"\n"))]
    assert pieces[-1].held_back == 0


def test_errors() -> None:
    """An oversize frame is passed over; what breaks the framing is the end."""
    assert [type(o) for p in arrive([b"abcdef\nx\n"], []) for _, o in p.outcomes] == [
        *(Strip, FrameTooLarge, Strip, TerminatorFound, EndOfStream)
    ]
    assert [type(o) for p in arrive([b"abc"], []) for _, o in p.outcomes] == [
        *(Strip, IncompleteFrame)
    ]
    assert [type(o) for p in arrive([b"+1:", b"x"], [2], Netstring()) for _, o in p.outcomes] == [
        MalformedFrame
    ]
