"""adapters/README.md quotes the code as it is, and its links lead somewhere."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

import framer_adapters._conversation
import framer_adapters._tasks
import framer_adapters._waits
import framer_adapters.trio

FOLDER = Path(__file__).parent
README = FOLDER.parent.parent / "adapters" / "README.md"
TEXT = README.read_text(encoding="utf-8")
QUOTES = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
MODULES = (
    framer_adapters._conversation,
    framer_adapters._tasks,
    framer_adapters._waits,
    framer_adapters.trio,
)
SOURCES = "".join(map(inspect.getsource, MODULES)) + (FOLDER / "test_trio.py").read_text()


@pytest.mark.parametrize("quote", QUOTES, ids=lambda quote: quote.split("\n")[0].strip())
def test_quotes_are_in_the_code(quote: str) -> None:
    """Word for word, with the indentation that they have there."""
    assert quote in SOURCES


def test_there_is_something_to_quote() -> None:
    """The expression above has found them."""
    assert len(QUOTES) > 5


def test_links() -> None:
    """Each leads to a file, of the package as it is installed or of the repository."""
    package = Path(str(framer_adapters.__file__)).parent
    for link in re.findall(r"\]\(([^)]+)\)", TEXT):
        target = (
            package / Path(link).name
            if link.startswith("framer_adapters/")
            else README.parent / link
        )
        assert target.exists(), link
