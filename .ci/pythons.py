"""The Pythons of this machine: for the sessions of nox, and for tests that want an older one."""

import json
import os
import re
import subprocess
from pathlib import Path

OLDEST = (3, 11)

# What an interpreter has to say of itself: its version, and whether it is a CPython for us.
PROBE = """
import json, platform, sys, sysconfig
print(json.dumps({
    "version": sys.version_info[:3],
    "threads": "t" if sysconfig.get_config_var("Py_GIL_DISABLED") else "",
    "usable": platform.python_implementation() == "CPython"
        and sys.version_info.releaselevel == "final"
        and sys.prefix == sys.base_prefix,
}))
"""


def candidates() -> set[Path]:
    """List the files that may be interpreters: on PATH, and where pyenv and uv keep theirs."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    uv = Path(os.environ.get("UV_PYTHON_INSTALL_DIR") or data / "uv" / "python")
    folders = [Path(folder) for folder in os.environ["PATH"].split(os.pathsep) if folder]
    folders += [*pyenv.glob("versions/*/bin"), *uv.glob("*/bin")]
    return {
        file
        for folder in folders
        for file in folder.glob("python3*")
        if re.fullmatch(r"python3(\.\d+)?t?", file.name)
    }


def find_pythons() -> dict[str, Path]:
    """Find the newest CPython of every minor version, by trying each candidate out.

    Looking names up is not enough: pyenv puts a `python3.12` on PATH that starts nothing
    unless that version is switched on, and hides the real one elsewhere.
    """
    found: dict[str, tuple[tuple[int, ...], Path]] = {}
    for file in sorted(candidates()):
        try:
            answer = subprocess.run(
                [file, "-I", "-c", PROBE], capture_output=True, check=True, timeout=30
            )
            about = json.loads(answer.stdout)
        except (OSError, ValueError, subprocess.SubprocessError):
            continue
        version = tuple(about["version"])
        if about["usable"] and version >= OLDEST:
            name = f"{version[0]}.{version[1]}{about['threads']}"
            found[name] = max(found.get(name, ((), file)), (version, file))
    return {name: found[name][1] for name in sorted(found, key=lambda name: found[name][0])}
