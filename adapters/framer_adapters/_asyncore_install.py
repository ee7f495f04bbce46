"""How a drop-in comes under its old name: for ``import asyncore`` in code that nobody will touch.

A module that is there is not hidden unless that is asked for:
it may be the standard library's (Python 3.11), or a copy of it that some package has brought,
and code that has imported it before would go on with it, on a ``socket_map`` of its own.
"""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType

from framer import UsageError

__all__ = ["install_under"]


def install_under(modules: dict[str, ModuleType], *, force: bool) -> None:
    """Put modules into ``sys.modules`` by these names: all of them, or none.

    Raises:
        framer.UsageError: a name is taken, by a module that is loaded or can be, and no `force`.
    """
    if not force:
        for name, module in modules.items():
            place = _place(name, module)
            if place is not None:
                raise UsageError(
                    f"there is a module {name!r} already, {place}: use that one, uninstall it, "
                    "or have it hidden by install(force=True), before anything imports it"
                )
    sys.modules.update(modules)


def _place(name: str, module: ModuleType) -> str | None:
    """Say where another module of this name is; None if there is none."""
    if name in sys.modules:
        loaded = sys.modules[name]
        file = getattr(loaded, "__file__", None) or "made by hand"
        return None if loaded is module else f"loaded ({file})"
    found = importlib.util.find_spec(name)
    return None if found is None else str(found.origin)
