"""Directives that show what framer does, as it does it: diagrams, and the help of its command.

The diagrams are made by `byte_diagrams` and `state_diagrams`.
"""

from __future__ import annotations

import contextlib
import io
import os
from typing import Any, ClassVar
from unittest import mock

import byte_diagrams
import state_diagrams
from docutils import nodes
from docutils.parsers.rst import Directive, directives
from sphinx.application import Sphinx

from framer._cli import main


def _html(text: str) -> list[nodes.Node]:
    return [nodes.raw("", text, format="html")]


class Bytes(Directive):
    """A frame before and after: ``{bytes} LengthPrefix(2)``, with the payload as an option."""

    required_arguments: ClassVar[int] = 1
    final_argument_whitespace: ClassVar[bool] = True
    option_spec: ClassVar[Any] = {
        "payload": directives.unchanged,
        "wire": directives.unchanged,
    }

    def run(self) -> list[nodes.Node]:
        """Draw it."""
        try:
            payload = self.options.get("payload", "hello")
            diagram = byte_diagrams.draw(self.arguments[0], payload, self.options.get("wire"))
        except Exception as error:
            raise self.error(f"{type(error).__name__}: {error}") from error
        return _html(byte_diagrams.to_html(diagram))


class States(Directive):
    """A state diagram, by its name in `state_diagrams.DIAGRAMS`; the rest is what it shows."""

    required_arguments: ClassVar[int] = 1
    optional_arguments: ClassVar[int] = 1
    final_argument_whitespace: ClassVar[bool] = True

    def run(self) -> list[nodes.Node]:
        """Draw it."""
        diagram = state_diagrams.DIAGRAMS[self.arguments[0]]()
        title = self.arguments[1] if len(self.arguments) > 1 else self.arguments[0]
        picture = state_diagrams.to_svg(diagram, title)
        table = state_diagrams.to_table(diagram)
        return _html(f'<figure class="states">{picture}{table}</figure>')


class Followers(Directive):
    """Which events and errors may follow which."""

    def run(self) -> list[nodes.Node]:
        """Write the table."""
        return _html(state_diagrams.followers_table())


class Help(Directive):
    """What the command says of itself, or of one of its commands."""

    optional_arguments: ClassVar[int] = 1

    def run(self) -> list[nodes.Node]:
        """Ask it."""
        said = io.StringIO()
        with (
            contextlib.redirect_stdout(said),
            contextlib.suppress(SystemExit),
            mock.patch.dict(os.environ, {"COLUMNS": "90", "NO_COLOR": "1"}),
        ):
            main([*self.arguments, "--help"])
        return [nodes.literal_block(said.getvalue(), said.getvalue(), language="none")]


def setup(app: Sphinx) -> dict[str, Any]:
    """Have Sphinx know them."""
    app.add_directive("bytes", Bytes)
    app.add_directive("states", States)
    app.add_directive("followers", Followers)
    app.add_directive("help", Help)
    return {"parallel_read_safe": True}
