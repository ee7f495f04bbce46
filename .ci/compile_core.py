"""A build hook for hatch: compile the hot half of the core with mypyc, when that is asked for.

    FRAMER_COMPILE=1 pip install --no-binary sansio-framer sansio-framer

It wants a C compiler, and takes half a minute. Without that variable it does nothing at all.

The modules that are compiled, which pyproject.toml names, are the ones that everybody else runs
as they are. They stay beside what is made of them: where that does not fit, as in another Python,
they are used instead.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CompiledCore(BuildHookInterface[Any]):
    """Found by hatchling, as the one class of its kind in this file."""

    def wanted(self) -> bool:
        """Whether to compile: with ``FRAMER_COMPILE=1``, and not for an editable install."""
        return os.environ.get("FRAMER_COMPILE", "0") not in {"", "0"}

    def dependencies(self) -> list[str]:
        """What the build needs besides hatchling."""
        return ["mypy~=2.4.0", "setuptools"] if self.wanted() else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile in a folder of its own, and have what comes out put into the wheel."""
        if not self.wanted() or version == "editable":
            return
        self.folder = TemporaryDirectory()
        folder = Path(self.folder.name)
        shutil.copytree(Path(self.root, "src", "framer"), folder / "framer")
        subprocess.run(
            [sys.executable, "-m", "mypyc", *self.config["modules"]],
            cwd=folder,
            env={"MYPYC_DEBUG_LEVEL": "0", **os.environ},
            check=True,
        )
        for file in [*folder.iterdir(), *folder.joinpath("framer").iterdir()]:
            if file.suffix in {".so", ".pyd"}:
                build_data["force_include"][str(file)] = file.relative_to(folder).as_posix()
        build_data["pure_python"] = False
        build_data["infer_tag"] = True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove that folder."""
        if hasattr(self, "folder"):
            self.folder.cleanup()
