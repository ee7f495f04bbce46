"""Texts of the repository become pages of the site, and links to its files lead to their source.

A text stands in one place.
The README, the changelog and the like stay where people look for them,
and a page of the site includes them.
Their links are written from where they stand, so here each is made to lead to the same file
from where the page stands:

- a text that is a page: to that page;
- any other file that can be read: to a page with its source, which is made for the purpose;
- what cannot be read, such as a capture: to the file itself, as a download.

Whoever reads a text in the repository wants to know which file a link leads to.
Where its words are no more than that, the site has the title of the page instead.

Two things in texts are put right for a page on the way: blocks of code, and cells of tables.
"""

from __future__ import annotations

import html
import os
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, Final

from docutils import nodes
from pygments.lexers import find_lexer_class_for_filename
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.builders.html import StandaloneHTMLBuilder
from sphinx.util.osutil import relative_uri

ROOT: Final = Path(__file__).resolve().parents[2]

INCLUDED: Final = {
    "README.md": "docs/index.md",
    "CHANGELOG.md": "docs/changelog.md",
    "CONTRIBUTING.md": "docs/contributing.md",
    "adapters/README.md": "docs/how-to/write-an-adapter.md",
}
"""The texts of the repository that a page includes, and which page that is."""

SHORT: Final = 8
"""How many characters a short cell of a table has, at the most."""

LINK: Final = re.compile(r"\[([^\]\[]+)\]\(([^)\s]+)\)")


def _moved(text: str, here: PurePosixPath, page: PurePosixPath) -> str:
    """Return the text with links that were written at *here* made to work from *page*."""

    def move(match: re.Match[str]) -> str:
        words, target = match.groups()
        path, mark, fragment = target.partition("#")
        if not path or "://" in path or "`" in target:
            return match[0]
        name = os.path.normpath(here.parent / path)
        name = INCLUDED.get(name, name)
        if words == path.removeprefix("../") and name.endswith(".md"):
            words = ""  # for which MyST puts the title
        return f"[{words}]({os.path.relpath(name, page.parent)}{mark}{fragment})"

    return LINK.sub(move, text)


def _page(app: Sphinx, docname: str) -> PurePosixPath:
    return PurePosixPath(app.env.doc2path(docname).relative_to(ROOT).as_posix())


def move_links(app: Sphinx, docname: str, source: list[str]) -> None:
    """Move the links of a page, which Sphinx has just read."""
    page = _page(app, docname)
    source[0] = _moved(source[0], page, page)


def move_included_links(app: Sphinx, path: Path, _parent: str, source: list[str]) -> None:
    """Move the links of a text that a page includes."""
    here = PurePosixPath(os.path.relpath(Path(app.srcdir, path).resolve(), ROOT))
    source[0] = _moved(source[0], here, _page(app, app.env.docname))


def link_to_sources(app: Sphinx, doctree: nodes.document) -> None:
    """Have links to files that can be read lead to the pages that `source_pages` makes."""
    env = app.env
    for link in list(doctree.findall(addnodes.download_reference)):
        name = os.path.relpath(env.relfn2path(link["reftarget"], env.docname)[1], ROOT)
        if _lexer(name) is not None:
            _sources(app)[name] = None
            uri = relative_uri(app.builder.get_target_uri(env.docname), f"source/{name}.html")
            link.replace_self(nodes.reference("", "", *link.children, refuri=uri, internal=True))


def trim_blocks(_app: Sphinx, doctree: nodes.document) -> None:
    """Take from code the empty line that doctest wants, and from quotations their indentation."""
    for block in doctree.findall(nodes.literal_block):
        text = textwrap.dedent(block.astext().rstrip())
        block.rawsource = text
        block[:] = [nodes.Text(text)]


def mark_short_cells(_app: Sphinx, doctree: nodes.document) -> None:
    """Mark cells with no more than a number in them, which need no room for words."""
    for cell in doctree.findall(nodes.entry):
        if len(cell.astext()) <= SHORT:
            cell["classes"].append("short")


def _lexer(name: str) -> str | None:
    """Name the language of a file; None if it cannot be read."""
    if name.endswith(".bin"):
        return None
    lexer = find_lexer_class_for_filename(name)
    return "text" if lexer is None else str(lexer.aliases[0])


def _sources(app: Sphinx) -> dict[str, None]:
    """The files that pages link to, in an order that stays; it is kept between two builds."""
    if not hasattr(app.env, "framer_sources"):
        app.env.framer_sources = {}  # type: ignore[attr-defined] # what an extension keeps there
    return app.env.framer_sources  # type: ignore[attr-defined, no-any-return]


def source_pages(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Make a page of each file that is linked to."""
    if not isinstance(app.builder, StandaloneHTMLBuilder):
        return
    for name in sorted(_sources(app)):
        text = (ROOT / name).read_text(encoding="utf-8")
        code = app.builder.highlighter.highlight_block(text, _lexer(name) or "text")
        title = html.escape(name)
        body = f'<section id="source"><h1>{title}</h1>\n{code}\n</section>'
        yield f"source/{name}", {"title": title, "body": body, "parents": []}, "page.html"


def setup(app: Sphinx) -> dict[str, Any]:
    """Have Sphinx do all of it."""
    app.connect("source-read", move_links)
    app.connect("include-read", move_included_links)
    app.connect("doctree-read", link_to_sources, priority=400)  # before downloads are collected
    app.connect("doctree-read", trim_blocks)
    app.connect("doctree-read", mark_short_cells)
    app.connect("html-collect-pages", source_pages)
    return {"parallel_read_safe": False, "env_version": 1}
