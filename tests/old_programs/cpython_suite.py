"""Run a test file of CPython 3.11, as it is, over the drop-ins.

    python cpython_suite.py path/to/test_asyncore.py [path/to/smtpd.py]

The last line of the output says in JSON what came of it.
The test file brings nothing along: ``test.support`` is that of the running Python.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import unittest
import warnings
from collections import Counter
from pathlib import Path
from types import ModuleType
from unittest.mock import Mock

from framer_adapters import asynchat


def load(name: str, path: Path) -> ModuleType:
    """Run a file as the module of this name."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main(suite: Path, *modules: Path) -> None:
    """Load what is asked for, run it, and report."""
    warnings.resetwarnings()  # these tests were not written for warnings as errors
    warnings.simplefilter("ignore")
    asynchat.install(force=True)
    # On importing smtpd, Python 3.12 would say that it has been removed. So it has.
    setattr(warnings, "_deprecated", Mock())  # noqa: B010 - it is private
    for path in modules:
        load(path.stem, path)
    tests = load(f"test.{suite.stem}", suite)
    used = [tests.__dict__[name] for name in ("asyncore", "asynchat") if name in tests.__dict__]
    assert used
    assert all(module.__name__.startswith("framer_adapters.") for module in used)

    result = unittest.TextTestRunner(sys.stderr, warnings="ignore").run(
        unittest.defaultTestLoader.loadTestsFromModule(tests)
    )
    bad = [str(test) for test, _ in result.failures + result.errors]
    bad += [str(test) for test in result.unexpectedSuccesses]
    skipped = Counter(reason for _, reason in result.skipped)
    print(json.dumps({"run": result.testsRun, "bad": bad, "skipped": skipped}))
    sys.stdout.flush()
    sys.exit(not result.wasSuccessful())


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
