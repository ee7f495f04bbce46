"""The adapters package itself: importing it loads no runtime."""

import subprocess
import sys
from pathlib import Path

import framer_adapters

RUNTIMES = ("anyio", "asyncio", "selectors", "socket", "ssl", "trio")


def test_importing_the_package_loads_no_runtime() -> None:
    """Whoever uses trio does not pay for asyncio, and the other way round."""
    assert framer_adapters.__file__ is not None
    folder = str(Path(framer_adapters.__file__).parent.parent)
    program = (
        f"import sys; sys.path.insert(0, {folder!r}); import framer_adapters; "
        f"print(sorted(set({RUNTIMES!r}) & set(sys.modules)))"
    )
    ran = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == "[]"
