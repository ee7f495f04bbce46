"""Build the wheel and the sdist twice, and hold that both times they are the same bytes.

Whoever distrusts a release can build it again and compare: the same commit gives the same files,
wherever, whenever and by whom they are built. The second build is as unlike the first as it can be:
from the sdist, not the checkout; with the time of today, in another time zone, under another umask.

    SOURCE_DATE_EPOCH    what time to write into the files; by default that of the commit
"""

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DIST = ROOT / "dist"

PACKAGES = ("framer/", "framer_adapters/")


def commit_time() -> str:
    """Tell when the commit was made, in seconds since 1970; any constant where there is no git."""
    command = ["git", "log", "-1", "--format=%ct"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return ran.stdout.strip() or "1577836800"


def build(source: Path, target: Path, **environment: str) -> None:
    """Build both from a folder into another."""
    command = [sys.executable, "-m", "build", "-qq", "--outdir", str(target), str(source)]
    subprocess.run(command, check=True, env={**os.environ, **environment})


def build_again(sdist: Path, folder: Path) -> Path:
    """Build both from the sdist, elsewhere; return where they are."""
    shutil.unpack_archive(sdist, folder, filter="data")
    source = folder / sdist.name.removesuffix(".tar.gz")
    for path in source.rglob("*"):
        path.touch()
        path.chmod(path.stat().st_mode & 0o700)
    before = os.umask(0o077)
    try:
        build(source, folder / "dist", TZ="Pacific/Kiritimati")
    finally:
        os.umask(before)
    return folder / "dist"


def strays(wheel: Path) -> list[str]:
    """List what a wheel would install outside of the two packages and its own metadata."""
    name, version = wheel.name.split("-")[:2]
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    return [
        each for each in names if not each.startswith((*PACKAGES, f"{name}-{version}.dist-info/"))
    ]


def main() -> int:
    """Build, build again, compare; the status is how many files are not as they should be."""
    os.environ.setdefault("SOURCE_DATE_EPOCH", commit_time())
    shutil.rmtree(DIST, ignore_errors=True)
    build(ROOT, DIST)
    (sdist,), (wheel,) = DIST.glob("*.tar.gz"), DIST.glob("*.whl")
    with tempfile.TemporaryDirectory() as folder:
        again = build_again(sdist, Path(folder))
        bad = [
            f"{path.name} is not the same when it is built again"
            for path in (sdist, wheel)
            if path.read_bytes() != (again / path.name).read_bytes()
        ]
    bad += [f"{wheel.name} has {name}, outside of the packages" for name in strays(wheel)]
    for problem in bad:
        print(problem, file=sys.stderr)
    if not bad:
        print(f"{wheel.name} and {sdist.name}: built twice, the same bytes")
    return len(bad)


if __name__ == "__main__":
    sys.exit(main())
