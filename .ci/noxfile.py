"""Sessions for nox: the tests in every Python of the machine, and against the built wheel.

    nox -f .ci/noxfile.py              all of them
    nox -f .ci/noxfile.py -s wheel     one of them

What needs one environment only is written in the Makefile and called from here.
"""

import json
import logging
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nox

ROOT = Path(__file__).resolve().parent.parent
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


# The wheel's tests prove nothing when they import a checkout.
INSTALLED = """
import sysconfig, framer, framer_adapters
for package in (framer, framer_adapters):
    assert package.__file__.startswith(sysconfig.get_path("purelib")), package.__file__
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


PYTHONS = find_pythons()

# The ones found come first on PATH, so that nox finds them by their short names.
os.environ["PATH"] = os.pathsep.join(
    [*dict.fromkeys(str(file.parent) for file in PYTHONS.values()), os.environ["PATH"]]
)

nox.options.default_venv_backend = "virtualenv"  # brings a pip that knows --group; venv may not
nox.options.download_python = "never"
nox.options.envdir = str(ROOT / ".nox")
nox.options.error_on_missing_interpreters = True


def make(session: nox.Session, target: str) -> None:
    """Run a target of the Makefile."""
    session.chdir(ROOT)
    session.run("make", target, external=True)


def run_tests(session: nox.Session) -> None:
    """Run the tests as `make test` does: one process a CPU."""
    session.run("python", "-m", "pytest", "-n", "auto", "--dist", "worksteal", *session.posargs)


@nox.session(python=list(PYTHONS))
def tests(session: nox.Session) -> None:
    """Run the tests in one of the Pythons found."""
    session.chdir(ROOT)
    session.install("-qq", "--editable", ".[all]", "--group", "tests")
    run_tests(session)


@nox.session(venv_backend="none")
def other_tests(session: nox.Session) -> None:
    """Run the tests in every Python but that of .venv, in which `make test` runs them."""
    this = f"{sys.version_info.major}.{sys.version_info.minor}"
    for python in PYTHONS:
        if python != this:
            session.notify(f"tests-{python}")


@nox.session(venv_backend="none")
def lint(session: nox.Session) -> None:
    """Check style and format."""
    make(session, "lint")


@nox.session(venv_backend="none")
def types(session: nox.Session) -> None:
    """Check types with mypy and pyright."""
    make(session, "types")


@nox.session(venv_backend="none")
def coverage(session: nox.Session) -> None:
    """Hold each module to 100 % of branches from its own tests."""
    make(session, "coverage")


@nox.session(python=next(reversed(PYTHONS), None))
def wheel(session: nox.Session) -> None:
    """Build, then run the tests of the sdist against the wheel, with no source in reach."""
    make(session, "build")
    (built,) = (ROOT / "dist").glob("*.whl")
    (sdist,) = (ROOT / "dist").glob("*.tar.gz")
    session.install("-qq", f"{built}[all]", "--group", "tests")

    tree = Path(session.create_tmp()) / sdist.name.removesuffix(".tar.gz")
    shutil.rmtree(tree, ignore_errors=True)
    shutil.unpack_archive(sdist, tree.parent)
    shutil.rmtree(tree / "src")
    shutil.rmtree(tree / "adapters" / "framer_adapters")
    session.chdir(tree)
    session.run("python", "-c", INSTALLED)

    # The last line is to be pytest's own: it is what is read first.
    logging.getLogger("nox").setLevel(logging.WARNING)
    run_tests(session)
