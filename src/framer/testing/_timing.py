"""When events come out, and what a stream says that ends too early, too late or too often.

check_prompt, check_prefixes, check_coalescing, check_only_raises:
each holds what a parser should do with frames that are given, and compares runs with each other.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from framer.testing._chunking import expected, require_something, smallest_split
from framer.testing._failures import CheckFailed, Side, again, compare, describe, short
from framer.testing._merging import Errors, Merge, Rules
from framer.testing._splits import cut_at, splits
from framer.testing._transcripts import Make, Transcript, transcript

__all__ = ["check_coalescing", "check_only_raises", "check_prefixes", "check_prompt"]

__tracebackhide__ = True  # pytest shows the line of the test, and what the failure says


def check_prompt(make: Make, frames: Iterable[bytes]) -> None:
    r"""Check that the events of a frame are out as soon as its last byte is in.

    A subject that holds everything back until the end passes `check_chunking`; it fails here.
    So does one that lets out one frame for each chunk, or ends a frame when the next one begins:
    a peer that waits for the answer before it sends more would wait for ever.

    Args:
        make: the subject.
        frames: whole frames, as they follow each other in a stream, each of which has events.

    Raises:
        CheckFailed: events of a frame are held back.
        Vacuous: no event came out.

    >>> from framer import Framer
    >>> from framer.testing import check_prompt, framer_subject
    >>> check_prompt(framer_subject(Framer), [b"one\n", b"\n", b"three\n"])
    """
    frames = [bytes(frame) for frame in frames]
    stream = b"".join(frames)
    whole = expected(make, stream, Rules.of())
    ways: list[Callable[[list[bytes]], list[bytes]]] = [
        list,
        lambda frames: [b"".join(frames)],
        lambda frames: cut_at(b"".join(frames), range(1, sum(map(len, frames)))),
    ]
    for way in ways:
        before = 0
        for count in range(1, len(frames) + 1):
            chunks = way(frames[:count])
            seen = transcript(make, chunks)
            if seen.error is not None and seen.error_offset != sum(map(len, chunks)):
                raise CheckFailed(
                    f"the subject raised {seen.error!r} in the middle of good frames\n\n"
                    f"{describe(chunks)}\n\n{again(f'transcript(make, {chunks!r})')}",
                    split=chunks,
                    transcripts=[seen],
                ) from seen.error
            follow = frames[count] if count < len(frames) else frames[-1]
            own = _in_common(seen, transcript(make, [*chunks, follow]))
            if seen.open_events <= before or seen.open_events < own:
                _fail_late(chunks, seen, whole, before)
            before = seen.open_events


def _in_common(one: Transcript, other: Transcript) -> int:
    """How many events both begin with: those do not depend on what follows."""
    count = 0
    for a, b in zip(one.values, other.values, strict=False):
        if a != b:
            break
        count += 1
    return count


def _fail_late(chunks: list[bytes], seen: Transcript, whole: Transcript, before: int) -> None:
    late = seen.values[seen.open_events :]
    if late:
        told = f"these came only when the stream was ended: {short(late, 300)}"
    else:
        rest = whole.values[before:]
        told = f"still to come from the whole stream were: {short(rest, 300)}"
    if seen.error is not None:
        told += f"\nat the end the subject raised {short(seen.error, 300)}"
    raise CheckFailed(
        "events are held back: all of a frame is in, but not all of its events are out\n\n"
        f"{describe(chunks)}\n\n"
        f"out by then: {short(seen.values[: seen.open_events], 300)}\n{told}\n\n"
        f"{again(f'transcript(make, {chunks!r}, eof=False)')}",
        split=chunks,
        transcripts=[seen],
        difference=seen.open_events,
    )


def check_prefixes(
    make: Make,
    data: bytes,
    *,
    merge: Merge = (),
    errors: Errors = "outcome",
    complete: Iterable[int] | None = None,
) -> None:
    r"""Check what comes out of a stream that ends, or pauses, at each of its bytes.

    What came out before is not taken back: the events of a prefix are those that the whole stream
    begins with. And how a stream ends does not depend on how it was cut before that.

    Args:
        make: the subject.
        data: the stream.
        merge: as for `check_chunking`; needed if a frame's payload is streamed.
        errors: as for `check_chunking`.
        complete: the offsets at which the stream may end. If they are given, the subject has to
            raise an error where it ends at any other: half a message is not the end of a stream.

    Raises:
        CheckFailed: events of a prefix are not those of the whole; its end depends on
            how it was cut; or half a message passed for a clean end.
        Vacuous: no event came out.

    >>> from framer import Framer
    >>> from framer.testing import check_prefixes, framer_subject
    >>> check_prefixes(framer_subject(Framer), b"one\ntwo\n", complete=[0, 4, 8])
    """
    data = bytes(data)
    rules = Rules.of(merge, errors)
    whole = expected(make, data, rules)
    ends = None if complete is None else set(complete)
    for size in range(len(data) + 1):
        chunks = cut_at(data[:size], ())
        seen = transcript(make, chunks)
        _check_begins(rules, chunks, seen, whole)
        for way in (cut_at(data[:size], range(1, size)), cut_at(data[:size], (max(size - 1, 0),))):
            if rules.difference(seen, transcript(make, way)) is not None:
                way = smallest_split(partial(_differs, make, rules, seen), way)  # noqa: PLW2901 - the same, but smaller
                other = transcript(make, way)
                place = rules.difference(seen, other) or 0
                table = compare(Side("in one piece", seen), Side("cut", other), rules, place)
                raise CheckFailed(
                    f"after {size} bytes of {len(data)} the stream ends,"
                    " and what comes out depends on how it was cut\n\n"
                    f"{describe(way)}\n\n{table}\n\n"
                    f"{again(f'check_chunking(make, {data[:size]!r})', other)}",
                    split=way,
                    transcripts=[seen, other],
                    difference=place,
                )
        if ends is not None and size not in ends and seen.error is None:
            raise CheckFailed(
                f"after {size} bytes of {len(data)} the stream ends inside a message,"
                " and that passes for a clean end\n\n"
                f"{describe(chunks)}\n\nwhat came out: {short(seen.values, 300)}\n\n"
                f"{again(f'transcript(make, {chunks!r}).error')}",
                split=chunks,
                transcripts=[seen],
            )


def _differs(make: Make, rules: Rules, seen: Transcript, chunks: list[bytes]) -> bool:
    return rules.difference(seen, transcript(make, chunks)) is not None


def _check_begins(rules: Rules, chunks: list[bytes], seen: Transcript, whole: Transcript) -> None:
    begun, all_of_it = rules.seen(seen, open_only=True), rules.seen(whole)
    for place, one in enumerate(begun):
        is_last = place == len(begun) - 1
        if place < len(all_of_it):
            other = all_of_it[place]
            if one.value == other.value or (is_last and rules.extends(one, other)):
                continue
            if rules.cut_short(whole) and other is all_of_it[-1] and rules.extends(other, one):
                continue
        elif rules.cut_short(whole):
            break
        table = compare(Side("all of it", whole), Side("a part of it", seen), rules, place)
        raise CheckFailed(
            "what came out of a part of the stream is not what the whole stream begins with\n\n"
            f"the part is {describe(chunks)}\n\n{table}\n\n"
            f"{again('# compare', seen, whole)}",
            split=chunks,
            transcripts=[whole, seen],
            difference=place,
        )


def check_coalescing(make: Make, frame: bytes, n: int = 2000, *, merge: Merge = ()) -> None:
    r"""Check that many frames in one chunk give what they give one by one.

    A subject that lets out only the first, that handles each inside the one before and runs out
    of stack, or that counts something it should not, fails.

    Args:
        make: the subject.
        frame: a whole frame, that may come any number of times.
        n: how many.
        merge: as for `check_chunking`.

    Raises:
        CheckFailed: the events differ.
        Vacuous: no event came out.

    >>> from framer import Framer
    >>> from framer.testing import check_coalescing, framer_subject
    >>> check_coalescing(framer_subject(Framer), b"\n")
    """
    rules, frame = Rules.of(merge), bytes(frame)
    single = transcript(make, [frame] * n)
    require_something(single)
    burst = transcript(make, [frame * n])
    if rules.difference(single, burst) is None:
        return
    passes, fails = 0, n
    while fails - passes > 1:
        middle = (passes + fails) // 2
        one, other = transcript(make, [frame] * middle), transcript(make, [frame * middle])
        if rules.difference(one, other) is None:
            passes = middle
        else:
            fails, single, burst = middle, one, other
    place = rules.difference(single, burst) or 0
    table = compare(Side("one by one", single), Side("in one chunk", burst), rules, place)
    call = f"check_coalescing(make, {frame!r}, {fails})"
    raise CheckFailed(
        f"{fails} times the same frame, in one chunk, do not give what they give one by one\n\n"
        f"the frame: {short(frame, 300)}\n\n{table}\n\n{again(call)}",
        split=[frame * fails],
        transcripts=[single, burst],
        difference=place,
    ) from burst.error


def check_only_raises(make: Make, data: bytes, *exceptions: type[Exception]) -> None:
    r"""Check that nothing but these exceptions comes out, however the stream is cut or cut short.

    Args:
        make: the subject.
        data: the stream; here it may well be damaged.
        exceptions: what the subject says it raises; none at all if there are none.

    Raises:
        CheckFailed: it raised something else, which is the cause of this.
        Vacuous: neither an event nor one of those exceptions came out.

    >>> from framer import Framer, FramingError, Netstring
    >>> from framer.testing import check_only_raises, framer_subject
    >>> check_only_raises(framer_subject(lambda: Framer(Netstring())), b"2:hi,-1:,", FramingError)
    """
    data = bytes(data)
    something = False

    def is_other(chunks: Sequence[bytes]) -> bool:
        nonlocal something
        error = transcript(make, chunks).error
        something |= error is not None
        return error is not None and not isinstance(error, exceptions)

    for size in range(len(data), -1, -1):
        prefix = data[:size]
        for chunks in splits(prefix) if size == len(data) else (cut_at(prefix, ()),):
            if is_other(chunks):
                _fail_raising(make, smallest_split(is_other, chunks), exceptions)
    if not something:
        require_something(transcript(make, cut_at(data, ())))


def _fail_raising(make: Make, split: list[bytes], allowed: tuple[type[Exception], ...]) -> None:
    seen = transcript(make, split)
    error = seen.error
    names = ", ".join(kind.__name__ for kind in allowed)
    may = f"only {names} may" if names else "no exception may"
    where = "".join(traceback.format_exception(error)[-2:]) if error is not None else ""
    raise CheckFailed(
        f"{type(error).__name__} came out, and {may}\n\n"
        f"{describe(split)}\n\n{where.rstrip()}\n\n{again(f'transcript(make, {split!r}).error')}",
        split=split,
        transcripts=[seen],
    ) from error
