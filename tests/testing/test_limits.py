"""check_limit and check_linear: exact sizes, and time that is counted, not measured."""

# pyright: reportUnknownLambdaType=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false
# What a parser gives may be anything, and so may what a test makes of it.

from collections.abc import Iterator

import pytest

from framer import Framer, LengthPrefix, Netstring, encode_frame
from framer.testing import CheckFailed, Vacuous, check_limit, check_linear, framer_subject
from framer.testing._limits import LONG_ENOUGH


def line(size: int) -> bytes:
    """Make a line."""
    return b"x" * size + b"\r\n"


class Limited:
    """Lines with a limit, which a subclass compares wrongly in some place."""

    limit = 10
    unfinished_limit = 10
    half = b"\r"

    def __init__(self) -> None:
        self.rest = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Split, and compare."""
        *lines, self.rest = (self.rest + data).split(b"\r\n")
        for found in lines:
            if len(found) > self.limit:
                raise ValueError("too long")
            yield found
        if len(self.rest.removesuffix(self.half)) > self.unfinished_limit:
            raise ValueError("too long")


class Strict(Limited):
    """Refuses the limit itself."""

    limit = 9


class HalfCounted(Limited):
    """Counts half of a terminator."""

    half = b"never"


class NotWhole(Limited):
    """Has no limit for a line that comes whole."""

    limit = 1000


class NotUnfinished(Limited):
    """Has no limit for a line that has not ended."""

    unfinished_limit = 10**9


@pytest.mark.parametrize("limit", [0, 1, 10])
@pytest.mark.parametrize(
    "kind", [b"\r\n", LengthPrefix(2), Netstring()], ids=["line", "length", "net"]
)
def test_exact_limits(limit: int, kind: bytes | LengthPrefix | Netstring) -> None:
    """Framer's are."""
    make = framer_subject(lambda: Framer(kind, max_frame_size=limit))
    check_limit(make, lambda size: encode_frame(b"x" * size, kind), limit)


def test_wrong_limits() -> None:
    """Each way to compare wrongly is found, and said."""
    check_limit(Limited, line, 10)
    with pytest.raises(
        CheckFailed, match="a frame of 10 is refused, and the limit is 10"
    ) as caught:
        check_limit(Strict, line, 10)
    assert caught.value.split == [line(10)]
    assert isinstance(caught.value.__cause__, ValueError)
    with pytest.raises(CheckFailed, match="a frame of 10 is refused") as caught:
        check_limit(HalfCounted, line, 10)
    assert caught.value.split == [b"x" * 10 + b"\r", b"\n"]
    assert caught.value.transcripts[0].error_offset == 11  # with the CR in, and no LF
    with pytest.raises(CheckFailed, match="a frame of 11 passes"):
        check_limit(NotWhole, line, 10)
    with pytest.raises(
        CheckFailed, match="nothing is said about a frame of 1044 until its last byte"
    ):
        check_limit(NotUnfinished, line, 10)


def test_sizes_that_cannot_be_made() -> None:
    """What no frame can be as large as needs no refusal."""
    make = framer_subject(lambda: Framer(LengthPrefix(1), max_frame_size=20))
    check_limit(make, lambda size: encode_frame(b"x" * size, LengthPrefix(1)), 20)


def test_vacuity() -> None:
    """A frame that should pass has an event."""

    class Silent:
        def feed(self, data: bytes) -> list[bytes]:
            return []

    with pytest.raises(Vacuous):
        check_limit(Silent, line, 10)
    with pytest.raises(Vacuous):
        check_linear(Silent, line)


class Working:
    """Counts its work, in seconds, as if they were."""

    work = 0.0
    power = 1

    def __init__(self) -> None:
        self.size = 0

    def feed(self, data: bytes) -> list[bytes]:
        """Work as much as its class says."""
        self.size += len(data)
        Working.work += self.cost(len(data))
        return [data]

    def cost(self, size: int) -> float:
        """Work for each byte."""
        return size * 1e-5


class Square(Working):
    """Works on the whole chunk for each byte of it."""

    def cost(self, size: int) -> float:
        """Work for each pair of bytes."""
        return size * size * 1e-9


class SquareInFeeds(Working):
    """Works on all that has come, for each chunk."""

    def cost(self, size: int) -> float:
        """Work on it all."""
        return self.size * 1e-8


def clock() -> float:
    """Tell how much work was done."""
    return Working.work


def test_linear_time() -> None:
    """What is linear passes, for the whole and for pieces, also if it never takes long."""
    check_linear(Working, bytes, clock=clock)
    check_linear(Working, bytes, clock=lambda: 0.0)


@pytest.mark.parametrize(
    ("make", "way"), [(Square, "in one piece"), (SquareInFeeds, "in pieces of")]
)
def test_square_time(make: type[Working], way: str) -> None:
    """What is not linear fails, and says how it was fed and how it grew."""
    with pytest.raises(CheckFailed, match=f"4 times the stream, fed {way}.* to the power 2.0"):
        check_linear(make, bytes, clock=clock)


def test_a_measurement_that_was_disturbed() -> None:
    """One that is linear when it is taken again counts as linear."""
    slow = iter([1.0])

    class Disturbed(Working):
        def cost(self, size: int) -> float:
            disturbed = size > 4 * LONG_ENOUGH / 1e-5
            return super().cost(size) + (next(slow, 0.0) if disturbed else 0.0)

    check_linear(Disturbed, bytes, clock=clock)
    assert next(slow, None) is None


def test_the_real_clock() -> None:
    """By default it is the time of this thread; nothing is asserted of how fast that is."""
    check_linear(framer_subject(Framer), lambda size: b"spam\n" * (size // 5))
