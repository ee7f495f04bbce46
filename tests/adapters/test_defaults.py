"""What protects a server unless it is told otherwise: docs/security.md promises these figures.

What they do is held elsewhere, in each world, by the suites of tests/conformance.py:
that an idle peer is closed, and that one that does not read costs bounded memory.
Here is only that nobody has to ask for them, in any adapter, the next one included.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import framer_adapters
from framer import Channel, Framer, LengthFrom, OutputQueue
from framer_adapters._common import CLOSE_TIMEOUT, IDLE_TIMEOUT, LINGER, RECEIVE_SIZE

SECURITY = Path(__file__).parent.parent.parent / "docs" / "security.md"


def find_servers() -> Iterator[Any]:
    """List every public function that serves, in every adapter."""
    for module in pkgutil.iter_modules(framer_adapters.__path__, "framer_adapters."):
        if "._" not in module.name:
            adapter = importlib.import_module(module.name)
            for name in ("serve", "serve_channel"):
                if hasattr(adapter, name):
                    yield pytest.param(getattr(adapter, name), id=f"{module.name}.{name}")


SERVERS = list(find_servers())


@pytest.mark.parametrize("serve", SERVERS)
def test_an_idle_timeout_is_on_by_default(serve: Callable[..., object]) -> None:
    """Each server closes a peer that does nothing, after five minutes."""
    assert inspect.signature(serve).parameters["idle_timeout"].default == IDLE_TIMEOUT == 300


@pytest.mark.parametrize("serve", SERVERS)
def test_frames_are_limited_by_default(serve: Callable[..., object]) -> None:
    """Each server limits frames, by its own default, or by that of the channel."""
    parameter = inspect.signature(serve).parameters.get("max_frame_size")
    assert (Channel.max_frame_size if parameter is None else parameter.default) == 65536


def test_there_are_servers_to_look_at() -> None:
    """Five adapters, and of each but one (in selectors nothing waits) both kinds."""
    assert len(SERVERS) >= 9


def limits() -> dict[str, int]:
    """Look at the defaults, in the words of the page."""
    output = OutputQueue()
    output.push(bytes(65536))
    assert not output.congested
    output.push(b"x")
    assert output.congested
    length_from = inspect.signature(LengthFrom).parameters["max_header_size"].default
    return {
        "max_frame_size": Framer().max_frame_size or 0,
        "max_header_size": length_from,
        "high_water": 65536,
        "idle_timeout": int(IDLE_TIMEOUT),
        "closing": int(CLOSE_TIMEOUT),
        "lingering": int(LINGER),
        "one read": RECEIVE_SIZE,
    }


@pytest.mark.parametrize("name", list(limits()))
def test_the_page_says_the_figures_of_the_code(name: str) -> None:
    """Whoever changes a default changes docs/security.md."""
    (row,) = re.findall(rf"^\| {name}\b.*?\| ([\d,]+) ", SECURITY.read_text("utf-8"), re.MULTILINE)
    assert int(row.replace(",", "")) == limits()[name]
