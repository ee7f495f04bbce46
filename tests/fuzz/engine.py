"""One target under atheris, in a process of its own: ``python -m fuzz.engine TARGET OPTIONS``.

The options are those of libFuzzer. What it watches is framer, not the oracles:
only code whose branches are new makes an input interesting.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any


def main() -> None:
    """Fuzz until libFuzzer has had enough; it ends the process itself."""
    atheris: Any = importlib.import_module("atheris")  # it has no types
    name, *options = sys.argv[1:]
    with atheris.instrument_imports(include=["framer", "framer_adapters"]):
        importlib.import_module("framer")
        importlib.import_module("framer_adapters.selectors")
        importlib.import_module("framer_adapters.asynchat")
    targets = importlib.import_module("fuzz.targets")
    atheris.Setup([sys.argv[0], *options], targets.TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
