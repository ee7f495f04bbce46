"""What more than one of the test files here asks for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from loops import Clock

from framer_adapters._loop import Loop


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still."""
    return Clock()


@pytest.fixture
def loop(clock: Clock) -> Iterator[Loop]:
    """A loop with that clock."""
    with Loop(clock=clock) as loop:
        yield loop
