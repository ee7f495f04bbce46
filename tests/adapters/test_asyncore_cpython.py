"""CPython's own tests of asyncore, asynchat and smtpd pass over the drop-ins, as they are."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest
from old_python import file_of_311, run_script

# How many tests there are in 3.11.7, and those of them that skip themselves on Linux.
UNIX = "Not applicable to AF_UNIX sockets."
INTERNET = "test specific to AF_INET and AF_INET6"
SUITES: dict[str, tuple[int, dict[str, int]]] = {
    "asyncore": (101, {UNIX: 6, INTERNET: 2}),
    "asynchat": (25, {}),
    "smtpd": (153, {}),
}


@pytest.mark.parametrize("name", SUITES)
def test_suite_of_cpython(name: str, tmp_path: Path) -> None:
    """All of them run, pass, and skip no more than they do over the original."""
    if importlib.util.find_spec("test") is None or importlib.util.find_spec("test.support") is None:
        pytest.skip("needs the package test of this Python (Debian: libpython3-testsuite)")
    suite = file_of_311(f"test/test_{name}.py")
    modules = [file_of_311("smtpd.py")] if name == "smtpd" else []
    report = json.loads(
        run_script("cpython_suite.py", suite, *modules, folder=tmp_path).splitlines()[-1]
    )
    run, skipped = SUITES[name]
    assert report["bad"] == []
    assert report["run"] >= run
    assert set(report["skipped"]) <= {*skipped, "IPv6 support required"}
