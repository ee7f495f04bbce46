"""What CPython 3.11 has and later ones have not, found on this machine.

Nothing of it is in this repository: it has another licence, and it is not ours.
"""

from __future__ import annotations

import functools
import subprocess
import sys
import sysconfig
import warnings
from pathlib import Path
from typing import Any

import pytest
from pythons import find_pythons

__all__ = ["SCRIPTS", "file_of_311", "original", "run_script"]

SCRIPTS = Path(__file__).parent / "old_programs"
TIMEOUT = 120.0  # seconds; none takes them


@functools.cache
def _library() -> Path | None:
    """The folder of the standard library of 3.11: of this Python, or of another one here."""
    if sys.version_info[:2] == (3, 11):
        return Path(sysconfig.get_path("stdlib"))
    python = find_pythons().get("3.11")
    if python is None:
        return None
    program = "import sysconfig; print(sysconfig.get_path('stdlib'))"
    answer = subprocess.run(
        [python, "-I", "-c", program], capture_output=True, check=True, text=True
    )
    return Path(answer.stdout.strip())


def original(name: str) -> Any:
    """Import the module that a drop-in replaces, from 3.11 or from a package that has it, or skip.

    The packages pyasyncore and pyasynchat are copies of 3.11's, without the word of deprecation.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        module = pytest.importorskip(name, reason=f"needs {name}: Python 3.11, or py{name}")
    assert module.__name__ == name  # and not a drop-in
    return module


def file_of_311(name: str) -> Path:
    """Return a file of the standard library of 3.11, or skip the test."""
    library = _library()
    if library is None:
        pytest.skip(f"needs {name} of CPython 3.11, and there is no 3.11 on this machine")
    if not (library / name).exists():
        pytest.skip(f"needs {name} of CPython 3.11, which is not in {library}")
    return library / name


def run_script(name: str, *arguments: str | Path, folder: Path) -> str:
    """Run one of the programs in a Python of its own; what it prints is returned.

    It has to end well; warnings are errors.
    """
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-X", "faulthandler", SCRIPTS / name, *arguments],
        capture_output=True,
        check=False,
        cwd=folder,
        text=True,
        timeout=TIMEOUT,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout
