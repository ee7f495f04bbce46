"""The fuzz targets: functions of bytes, which raise if something is not as it is promised.

A target decides from the bytes what to do (see choices.py), does it, and compares.
So it needs no fuzzer: `tests/test_fuzz.py` runs each over its corpus, in `corpus/<name>.txt`,
and `make fuzz` has atheris look for more. To add one: a module, a line here, a corpus.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from fuzz import channel, connection, dropins, output, programs, streams, twins

__all__ = ["TARGETS", "corpus"]

TARGETS: dict[str, Callable[[bytes], None]] = {
    "streams": streams.run,
    "programs": programs.run,
    "twins": twins.run,
    "output": output.run,
    "channel": channel.run,
    "connection": connection.run,
    "dropins": dropins.run,
}

CORPUS = Path(__file__).parent / "corpus"


def corpus(name: str) -> list[bytes]:
    """Read the kept corpus of a target: a line for each input, in hexadecimal; # is a comment."""
    text = (CORPUS / f"{name}.txt").read_text(encoding="ascii")
    inputs = (line.partition("#")[0].strip() for line in text.splitlines())
    return [bytes.fromhex(line) for line in inputs if line]
