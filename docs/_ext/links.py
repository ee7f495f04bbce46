"""Every link inside the finished site leads somewhere: to a file, and to the place in it.

Sphinx warns of references that it cannot resolve.
This looks at what a browser gets: the pages as they were written,
with the links that themes, included texts and our own extensions have put in.
"""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from sphinx.application import Sphinx
from sphinx.util import logging

logger = logging.getLogger(__name__)


class Page(HTMLParser):
    """What a page links to, and the places in it that can be linked to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.places: set[str] = {"", "top"}
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take note of a link or a place."""
        for name, value in attrs:
            if value is None:
                continue
            if name in {"href", "src"}:
                self.links.add(value)
            elif name == "id" or (tag == "a" and name == "name"):
                self.places.add(value)


def broken_links(site: Path) -> list[str]:
    """Say of each link inside the site that leads nowhere where it stands and what it says."""
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}
    broken: list[str] = []
    for path, page in pages.items():
        for link in sorted(page.links):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.is_file():
                broken.append(f"{path.relative_to(site)}: no file for {link!r}")
            elif target in pages and unquote(parts.fragment) not in pages[target].places:
                broken.append(f"{path.relative_to(site)}: no such place as {link!r}")
    return broken


def check(app: Sphinx, error: Exception | None) -> None:
    """Warn of each broken link, which with ``-W`` fails the build."""
    if error is None and app.builder.format == "html":
        for message in broken_links(Path(app.outdir)):
            logger.warning(message)


def setup(app: Sphinx) -> dict[str, Any]:
    """Have Sphinx call it in the end."""
    app.connect("build-finished", check, priority=900)
    return {"parallel_read_safe": True}
