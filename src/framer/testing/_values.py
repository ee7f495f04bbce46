"""What two events have to have in common to be the same: `value_of`.

An event that compares by its contents is its own value.
Many do not: they are plain objects, equal to themselves only.
Their value is their type and their attributes, so that nobody has to write ``__eq__`` for a test.
What can change later (a list, a bytearray, an array, a view of a buffer) is copied,
in an event that compares by its contents, too,
so that a value says what came out when it came out.
"""

from __future__ import annotations

import copy
import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any, Final, cast, final

__all__ = ["Plain", "fields_of", "value_of"]

MOST_LEVELS: Final = 12
"""How deep to look into an event; one that refers to itself has no bottom."""

_AS_THEY_ARE = (type, Enum, FunctionType, BuiltinFunctionType, MethodType, ModuleType)
_CHANGING = (bytearray, memoryview, list, dict, set, deque)
_NOT_A_NUMBER: Final = "nan"


@final
@dataclass(frozen=True, slots=True)
class Plain:
    """The type and the attributes of an object that compares by identity."""

    kind: type
    fields: dict[str, Any]

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in self.fields.items())
        return f"{self.kind.__name__}({fields})"


def value_of(thing: Any, levels: int = MOST_LEVELS) -> Any:
    """Something that is equal for events that say the same, and does not change."""
    match thing:
        case bytes() | str() | int() | None:
            return thing
        case float():
            return thing if thing == thing else _NOT_A_NUMBER  # noqa: PLR0124 - NaN is not itself
        case bytearray() | memoryview():
            return bytes(cast("bytearray", thing))
        case _ if not levels:
            return cast("object", type(thing))
        case tuple() | list():
            values = [value_of(item, levels - 1) for item in cast("list[Any]", thing)]
            return tuple(values) if isinstance(thing, tuple) else values
        case dict():
            mapping = cast("dict[Any, Any]", thing)  # type: ignore[redundant-cast]  # not so for pyright
            return {key: value_of(item, levels - 1) for key, item in mapping.items()}
        case _:
            return _value_of_object(thing, levels)


def _value_of_object(thing: Any, levels: int) -> Any:
    kind = cast("Any", type(thing))
    if isinstance(thing, _AS_THEY_ARE):
        return thing
    if (contents := _contents_of_buffer(thing)) is not None:
        return Plain(kind, contents)
    if kind.__eq__ is not object.__eq__:
        return _as_it_is_now(thing, levels)
    fields = fields_of(thing)
    if isinstance(thing, BaseException):
        fields = {"args": thing.args, **fields}
    if not fields and not hasattr(thing, "__dict__"):
        fields = {"repr": re.sub(r" at 0x\w+", "", repr(thing))}
    return Plain(kind, {name: value_of(f, levels - 1) for name, f in fields.items()})


def _contents_of_buffer(thing: Any) -> dict[str, Any] | None:
    """What is in an array, which may be used again, and need not even compare to a bool."""
    try:
        with memoryview(thing) as view:
            return {"format": view.format, "shape": view.shape, "bytes": view.tobytes()}
    except TypeError:
        return None


def _as_it_is_now(thing: Any, levels: int) -> Any:
    """What compares by its contents: itself, or a copy if something in it can change."""
    if isinstance(thing, set | deque):
        return copy.copy(cast("object", thing))
    changing = {
        name: value_of(field, levels - 1)
        for name, field in fields_of(thing).items()
        if isinstance(field, _CHANGING)
    }
    if not changing:
        return thing
    try:
        twin = copy.copy(thing)
        for name, value in changing.items():
            object.__setattr__(twin, name, value)  # also where it is frozen
    except (TypeError, AttributeError):  # it can be neither copied nor changed so
        return thing
    return twin


def fields_of(thing: object) -> dict[str, Any]:
    """The attributes of an object, be they in slots or in a dictionary, in their order."""
    fields: dict[str, Any] = {}
    for kind in reversed(type(thing).__mro__):
        slots = cast("str | tuple[str, ...]", vars(kind).get("__slots__", ()))
        for name in (slots,) if isinstance(slots, str) else slots:
            if name not in {"__dict__", "__weakref__"} and hasattr(thing, name):
                fields[name] = getattr(thing, name)
    fields.update(cast("Mapping[str, Any]", getattr(thing, "__dict__", {})))
    return fields
