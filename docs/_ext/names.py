"""What a docstring names in single backticks is a link, if there is something behind it.

Sphinx wants to be told whether a name is a class, a function or a variable,
and takes a type alias for none of them.
Here a name is looked up whatever it is; first as it stands, then among framer's own.
What is not found is left to Sphinx, which warns of it unless `conf.py` says what it is.

Two habits of our docstrings are none of napoleon's, and are put right on the way.
So are two of autodoc's: a default that a dataclass makes anew each time is no ``<factory>``
to a reader, and ``typing`` is not named.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.domains.python._object import PyObject
from sphinx.environment import BuildEnvironment
from sphinx.pycode import ModuleAnalyzer
from sphinx.util.inspect import TypeAliasForwardRef
from sphinx.util.nodes import make_refnode

import framer


def find(
    app: Sphinx, env: BuildEnvironment, node: addnodes.pending_xref, content: nodes.TextElement
) -> nodes.reference | None:
    """Find what a reference means; None if nothing has that name."""
    if node.get("refdomain") != "py":
        return None
    objects = env.domains.python_domain.objects
    target = str(node["reftarget"])
    public = re.sub(r"^framer\._\w+\.", "framer.", target)
    for name in (target, public, f"framer.{target}"):
        if name in objects:
            found = objects[name]
            return make_refnode(
                app.builder, node["refdoc"], found.docname, found.node_id, [content], name
            )
    return None


def gather_sources(_app: Sphinx) -> None:
    """Tell autodoc where the names of `framer` come from, for their order and their docstrings.

    Public names claim to live in `framer` itself, whose source has only imports of them.
    """
    public = ModuleAnalyzer.for_module("framer")
    public.analyze()
    for path in sorted(Path(framer.__file__).parent.glob("_*.py")):
        if path.stem.startswith("__"):
            continue
        private = ModuleAnalyzer.for_module(f"framer.{path.stem}")
        private.analyze()
        public.attr_docs.update(private.attr_docs)
        first = len(public.tagorder)
        for name, place in private.tagorder.items():
            public.tagorder.setdefault(name, first + place)


def state_when(
    _app: Sphinx, _what: str, _name: str, _obj: object, _options: object, lines: list[str]
) -> None:
    """Make a section that napoleon knows of ``Raises, after the last frame that is complete:``."""
    for index, line in enumerate(lines):
        if match := re.fullmatch(r"Raises, (.+):", line):
            lines[index : index + 1] = [f"What it raises comes {match[1]}.", "", "Raises:"]
            return


def keep_words(
    _app: Sphinx, what: str, _name: str, _obj: object, _options: object, lines: list[str]
) -> None:
    """Put back what napoleon takes for a type in ``What ends a frame: exactly the value ...``.

    And keep Sphinx from taking the first of several attributes for the type of the last.
    """
    while lines and not lines[-1]:
        lines.pop()
    if what in {"attribute", "data", "property"} and lines and lines[-1].startswith(":type: "):
        words = lines.pop().removeprefix(":type: ")
        lines[0] = f"{words}: {lines[0]}"
    for index, line in enumerate(lines):
        if re.match(r":ivar \w+, ", line):
            names, _, words = line.removeprefix(":ivar ").partition(":")
            lines[index] = f":ivar {names.replace(' ', '')}:{words}"
        elif match := re.fullmatch(r":rtype: (\w+ \w.*)", line):
            lines[index] = ""
            at = next(at for at, line in enumerate(lines) if line.startswith(":returns: "))
            lines[at] = f":returns: {match[1]}: {lines[at].removeprefix(':returns: ')}"
    lines.append("")


def plain_signature(
    _app: Sphinx,
    _what: str,
    _name: str,
    _obj: object,
    _options: object,
    signature: str | None,
    returns: str | None,
) -> tuple[str | None, str | None]:
    """Have a signature in words that can be read, and so be broken into lines."""
    if signature is not None:
        signature = signature.replace("<factory>", "...").replace("~typing.", "")
    return signature, returns


def space_names(_app: Sphinx, doctree: nodes.document) -> None:
    """Put a space between the names of several attributes, which `keep_words` took away."""
    for part in doctree.findall(addnodes.literal_strong):
        if part.astext() == ",":
            part[:] = [nodes.Text(", ")]


def quote_words(_app: Sphinx, doctree: nodes.document) -> None:
    """Put back the quotes of ``alias of Literal[...]``, which Sphinx takes away."""
    for paragraph in doctree.findall(nodes.paragraph):
        if paragraph.astext().startswith("alias of Literal["):
            words = re.sub(r"(?<!['\w])\w+(?!['\w])", r"'\g<0>'", paragraph[-1].astext())
            paragraph[-1] = nodes.Text(words)


def _name_of(alias: TypeAliasForwardRef) -> str:
    return str(alias.name)


def setup(app: Sphinx) -> dict[str, Any]:
    """Have Sphinx ask here for what it does not find."""
    for field in PyObject.doc_field_types:
        if field.name == "variable":
            field.label = "Attributes"  # as in the docstrings; napoleon makes variables of them
    # Sphinx writes an alias by its name, but not inside of a union, where it writes its repr().
    TypeAliasForwardRef.__repr__ = _name_of  # type: ignore[method-assign] # none of ours is run
    app.connect("builder-inited", gather_sources)
    app.connect("autodoc-process-docstring", state_when, priority=400)  # before napoleon
    app.connect("autodoc-process-docstring", keep_words, priority=600)  # and after it
    app.connect("autodoc-process-signature", plain_signature)
    app.connect("doctree-read", space_names)
    app.connect("doctree-read", quote_words)
    app.connect("missing-reference", find)
    return {"parallel_read_safe": True}
