"""check_chunking: the same bytes, however they are cut, give the same events.

One run with the whole stream in one piece says what is expected,
and a second one whether the subject can be relied on to say the same twice.
Then each way of `splits` is compared with it.
A way that differs is made smaller before it is shown:
a single cut is looked for first, and if none will do,
cuts are left out, many at a time and then one by one, as long as the difference stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NoReturn

from framer.testing._failures import (
    CheckFailed,
    NotDeterministic,
    Side,
    Vacuous,
    again,
    compare,
    describe,
)
from framer.testing._merging import Errors, Merge, Rules
from framer.testing._splits import cut_at, cuts_of, splits
from framer.testing._transcripts import Make, Transcript, transcript

__all__ = ["check_chunking", "expected", "require_something", "smallest_split"]

__tracebackhide__ = True  # pytest shows the line of the test, and what the failure says

# A subject that fails with one of these at once has mostly been put together wrongly.
_MISUSE = (TypeError, AttributeError, NameError, NotImplementedError)


def check_chunking(
    make: Make,
    data: bytes,
    *,
    merge: Merge = (),
    errors: Errors = "outcome",
    ways: Iterable[Sequence[bytes]] | None = None,
) -> Transcript:
    r"""Check that the same bytes give the same events, however they are cut.

    Args:
        make: the subject.
        data: the stream; some hundred bytes with a few messages are a good size.
        merge: kinds of event of which neighbours are joined before they are compared:
            types, or the first items of tuples; or a mapping from those to a function
            of two events that returns one.
        errors: what has to be the same about an error.
            "outcome": the events before it, and its type.
            "exact": its arguments and attributes, too.
            "early": its type; it may come before events that another way of cutting gives.
            "any": only that there is one; which, and how early, may differ.
        ways: other ways to cut than `splits`.

    Returns:
        What comes out when the stream is fed in one piece.

    Raises:
        CheckFailed: a way of cutting gives other events, or another error.
        Vacuous: no event came out, so nothing was checked.
        NotDeterministic: the same way gives different events each time.

    >>> from framer import Framer
    >>> from framer.testing import check_chunking, framer_subject
    >>> check_chunking(framer_subject(lambda: Framer(b"\r\n")), b"spam\r\n\r\neggs\r\n").events
    [b'spam', b'', b'eggs']
    """
    data = bytes(data)
    rules = Rules.of(merge, errors)
    whole = expected(make, data, rules)
    for chunks in splits(data) if ways is None else ways:
        seen = transcript(make, chunks)
        if rules.difference(whole, seen) is not None:
            _fail(make, rules, whole, seen.chunks, f"check_chunking(make, {data!r})")
    return whole


def expected(make: Make, data: bytes, rules: Rules) -> Transcript:
    """What comes out of the whole stream in one piece: not nothing, and the same each time.

    Raises:
        Vacuous, NotDeterministic: it is not so.
    """
    chunks = cut_at(data, ())
    whole, second = transcript(make, chunks), transcript(make, chunks)
    require_something(whole)
    place = rules.difference(whole, second)
    if place is None:
        return whole
    sides = Side("the first time", whole), Side("the second time", second)
    message = (
        "the subject is not deterministic: twice the same bytes, in one piece, gave different"
        f" events\n\n{describe(chunks)}\n\n{compare(*sides, rules, place)}\n\n"
        "Does make() return a new object each time it is called?\n"
        "Is there a time, a random number or a count of all objects in the events?\n\n"
        f"{again(f'transcript(make, {chunks!r})  # twice')}"
    )
    raise NotDeterministic(message, split=chunks, transcripts=(whole, second), difference=place)


def require_something(seen: Transcript) -> None:
    """Refuse to call it a success if nothing came out.

    Raises:
        Vacuous: no event, and no error either, but for those of a subject put together wrongly.
    """
    if seen.events or not (seen.error is None or isinstance(seen.error, _MISUSE)):
        return
    if seen.error is None:
        told = "Feed it at least one whole message, or look at what the subject returns."
    else:
        told = f"It only raised {type(seen.error).__name__}: {seen.error}"
    raise Vacuous(
        "vacuous: the subject gave no event at all, so nothing was checked\n\n"
        f"{describe(seen.chunks)}\n\n{told}\n\n{again(f'transcript(make, {seen.chunks!r})')}",
        split=seen.chunks,
        transcripts=[seen],
    ) from seen.error


def smallest_split(differs: Callable[[list[bytes]], bool], chunks: Sequence[bytes]) -> list[bytes]:
    """As few pieces as still make the difference, found by leaving out cuts.

    *chunks* are known to make it. One cut is tried at each place before anything else.
    """
    data, cuts = b"".join(chunks), cuts_of(chunks)
    for place in range(1, len(data)):
        if len(cuts) > 1 and differs(cut_at(data, (place,))):
            return cut_at(data, (place,))
    size = len(cuts) // 2
    while size:
        start = 0
        while start < len(cuts):
            fewer = cuts[:start] + cuts[start + size :]
            if differs(cut_at(data, fewer)):
                cuts = fewer
            else:
                start += size
        size //= 2
    return cut_at(data, cuts)


def _fail(
    make: Make, rules: Rules, whole: Transcript, chunks: Sequence[bytes], call: str
) -> NoReturn:
    def differs(chunks: list[bytes]) -> bool:
        return rules.difference(whole, transcript(make, chunks)) is not None

    split = smallest_split(differs, chunks)
    seen = transcript(make, split)
    place = rules.difference(whole, seen)
    if place is None:
        raise NotDeterministic(
            "the subject is not deterministic: the same pieces gave other events the second time"
            f"\n\n{describe(split)}\n\n{again(f'transcript(make, {split!r})  # twice')}",
            split=split,
            transcripts=(whole, seen),
        )
    table = compare(Side("in one piece", whole), Side("cut", seen), rules, place)
    raise CheckFailed(
        "the events depend on how the stream is cut\n\n"
        f"{describe(split)}\n\n{table}\n\n{again(call, seen)}",
        split=split,
        transcripts=(whole, seen),
        difference=place,
    ) from seen.error
