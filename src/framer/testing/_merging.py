"""Differences that the caller calls legal: how data is cut into events, and when an error comes.

A parser that hands data on as it comes gives as many events as there were chunks.
The caller names the kinds of event for which that is so, and they are joined before they
are compared: by a type, ``merge=(h11.Data,)``, or, where events are tuples that begin with
their name, by that, ``merge=("write",)``.
How two are joined is seen from their fields:
the first that is bytes (or else the first that is str) is the payload, and is joined;
flags hold if they hold for either; all others have to be the same, or the two are not joined.
Where that is not right, ``merge={Kind: join}`` names a function of two events.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, cast

from framer.testing._transcripts import Transcript
from framer.testing._values import Plain, fields_of, value_of

__all__ = ["Errors", "Kind", "Merge", "Rules", "Seen"]

Kind: TypeAlias = type | str
Join: TypeAlias = Callable[[Any, Any], Any]
Merge: TypeAlias = Iterable[Kind] | Mapping[Kind, Join]
Errors: TypeAlias = Literal["exact", "outcome", "early", "any"]

_ERRORS = ("exact", "outcome", "early", "any")
_MAY_BE_EARLY = ("early", "any")


@dataclass(frozen=True, slots=True)
class Seen:
    """An event, or several that were joined."""

    event: Any
    value: Any
    offset: int


@dataclass(frozen=True, slots=True)
class Rules:
    """By what rules two transcripts are compared."""

    merge: dict[Kind, Join | None]
    errors: Errors

    @classmethod
    def of(cls, merge: Merge = (), errors: Errors = "outcome") -> Rules:
        """Check what the caller has said."""
        if errors not in _ERRORS:
            raise ValueError(f"errors= is one of {', '.join(_ERRORS)}, not {errors!r}")
        if isinstance(merge, str | type):
            raise TypeError(f"merge= takes several kinds, in a tuple: merge=({_name(merge)},)")
        if isinstance(merge, Mapping):
            return cls(dict(cast("Mapping[Kind, Join]", merge)), errors)
        return cls(dict.fromkeys(merge), errors)

    def seen(self, transcript: Transcript, *, open_only: bool = False) -> list[Seen]:
        """The events of a transcript, joined where they may be."""
        count = transcript.open_events if open_only else None
        each = zip(transcript.events, transcript.values, transcript.offsets, strict=True)
        return self.joined([Seen(*one) for one in each][:count])

    def joined(self, seen: list[Seen]) -> list[Seen]:
        """Join neighbours that are of the same kind, if that is one that may be joined."""
        joined: list[Seen] = []
        for one in seen:
            both = _join_two(joined[-1], one, self.merge) if joined else None
            if both is None:
                joined.append(one)
            else:
                joined[-1] = both
        return joined

    def cut_short(self, transcript: Transcript) -> bool:
        """Whether events may be missing at its end, for an error that came early."""
        return self.errors in _MAY_BE_EARLY and transcript.error is not None

    def difference(self, one: Transcript, other: Transcript) -> int | None:
        """The first place where they differ: an event, or past the events, the error; or None."""
        same_error = self._error(one) == self._error(other)
        if same_error and one.values == other.values:
            return None  # as nearly always, and nothing has to be joined to see it
        first, second = self.seen(one), self.seen(other)
        if self.cut_short(one) and same_error:
            return self._first_that_is_no_beginning(*sorted((first, second), key=len))
        for place, (a, b) in enumerate(zip(first, second, strict=False)):
            if a.value != b.value:
                return place
        if len(first) == len(second) and same_error:
            return None
        return min(len(first), len(second))

    def _first_that_is_no_beginning(self, shorter: list[Seen], longer: list[Seen]) -> int | None:
        for place, (a, b) in enumerate(zip(shorter, longer, strict=False)):
            if a.value == b.value:
                continue
            is_last = place == len(shorter) - 1
            is_last_of_both = is_last and len(shorter) == len(longer)
            if not (is_last and self.extends(a, b)) and not (
                is_last_of_both and self.extends(b, a)
            ):
                return place
        return None

    def _error(self, transcript: Transcript) -> Any:
        error = transcript.error
        if self.errors == "any":
            return error is not None
        return value_of(error) if self.errors == "exact" else type(error)

    def extends(self, part: Seen, whole: Seen) -> bool:
        """Whether the one is the beginning of the other, or may be."""
        for kind, join in self.merge.items():
            if not (_is_of(part.event, kind) and _is_of(whole.event, kind)):
                continue
            if join is not None:
                return True  # what a function has joined, nobody else can take apart
            begun, all_of_it = _payload(part.value, kind), _payload(whole.value, kind)
            return type(begun) is type(all_of_it) and bool(all_of_it[: len(begun)] == begun)
        return bool(part.value == whole.value)


def _name(kind: Any) -> str:
    return kind.__name__ if isinstance(kind, type) else repr(kind)


def _is_of(event: Any, kind: Kind) -> bool:
    if isinstance(kind, type):
        return isinstance(event, kind)
    return isinstance(event, tuple) and bool(cast("Any", event)[:1] == (kind,))


def _join_two(a: Seen, b: Seen, merge: Mapping[Kind, Join | None]) -> Seen | None:
    for kind, join in merge.items():
        if not (_is_of(a.event, kind) and _is_of(b.event, kind)):
            continue
        if join is not None:
            event = join(a.event, b.event)
            return Seen(event, value_of(event), b.offset)
        value = _joined(a.value, b.value, kind)
        return None if value is None else Seen(a.event, value, b.offset)
    return None


# What events are made of


def _joined(a: Any, b: Any, kind: Kind) -> Any:
    """The value of two events as one, or None if something besides the payload differs."""
    if isinstance(a, bytes | str | list):
        return a + b
    first, second = _fields(a), _fields(b)
    name = _payload_name(first, kind)
    fields = dict(first)
    for other, value in first.items():
        if other == name:
            fields[other] = value + second[other]
        elif isinstance(value, bool):
            fields[other] = value or second[other]
        elif value != second[other]:
            return None
    return _rebuilt(a, fields)


def _payload(value: Any, kind: Kind) -> Any:
    if isinstance(value, bytes | str | list):
        return cast("Any", value)
    fields = _fields(value)
    return fields[_payload_name(fields, kind)]


def _payload_name(fields: dict[Any, Any], kind: Kind) -> Any:
    """Which field is the payload: the first of bytes, or else the first text but for a tag."""
    for wanted in ((bytes, bytearray), str):
        for name, value in fields.items():
            if isinstance(value, wanted) and not (name == 0 and value == kind):
                return name
    name = _name(kind)
    raise TypeError(
        f"no field of {name} is bytes or str, so nobody knows how to join two of them;"
        f" give a function of two events that returns one: merge={{{name}: join}}"
    )


def _fields(value: Any) -> dict[Any, Any]:
    if isinstance(value, tuple):
        items = cast("tuple[Any, ...]", value)  # type: ignore[redundant-cast]  # not so for pyright
        return dict(enumerate(items))
    return value.fields if isinstance(value, Plain) else fields_of(value)


def _rebuilt(value: Any, fields: dict[Any, Any]) -> Any:
    if isinstance(value, tuple):
        return tuple(fields.values())
    if isinstance(value, Plain):
        return Plain(value.kind, fields)
    kind = cast("type[Any]", type(value))  # type: ignore[redundant-cast]  # not so for pyright
    built: Any = object.__new__(kind)
    for name, field in fields.items():
        object.__setattr__(built, name, field)  # also where it is frozen
    return built
