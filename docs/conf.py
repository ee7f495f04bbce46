"""The site, as Sphinx builds it: `make docs`.

What is special about it is in `_ext`, a module for each thing:

- `repository`: texts of the repository become pages, and links to its files lead to their source;
- `names`: what stands in single backticks in a docstring is a link if there is something behind it;
- `drawings`: byte diagrams and state diagrams, made by running framer;
- `exploring`: the explorer, with the Python that runs it in the reader's browser;
- `links`: every link inside the finished site leads somewhere.
"""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "_ext"), str(HERE.parent / "src"), str(HERE.parent / "adapters")]

import framer  # noqa: E402

project = "framer"
author = "The framer maintainers"
project_copyright = "the framer maintainers"
version = release = framer.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "repository",
    "names",
    "drawings",
    "exploring",
    "links",
]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build", "_ext", "_static"]

# Markdown

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
smartquotes_action = "D"  # dashes only: b"" in a docstring is no quotation
highlight_language = "none"

# The reference

nitpicky = True
default_role = "py:obj"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
autodoc_type_aliases = {
    "Event": "framer.Event",
    "Leftover": "framer.Leftover",
    "Producer": "framer.Producer",
    "Terminator": "framer.Terminator",
}
nitpick_ignore_regex = [
    # An argument or an attribute, which has no place of its own; what is for checkers; of others;
    # private.
    (r"py:obj", r"(Server\.)?[a-z_]\w*"),
    (r"py:class", r"FileDescriptorLike|Frame|Map|ReadableBuffer|(st\.)?SearchStrategy"),
    (r"py:.*", r"(_?asyncio|anyio|asynchat|asyncore|collections|os|socket|ssl|trio|typing)\..*"),
    (r"py:.*", r"framer\.Literal|(framer(_adapters)?\.)?(\w+\.)*_\w+(\.\w+)*"),
]
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 80
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_custom_sections = [
    ("Raises, after the last frame that is complete", "Raises"),
    ("Raises, after the last event that is certain", "Raises"),
]

# HTML

html_theme = "furo"
html_title = f"framer {release}"
html_static_path = ["_static"]
html_favicon = "_static/favicon.svg"
html_css_files = ["site.css"]
html_copy_source = False
html_domain_indices = False  # of modules, to which nothing leads; the index has them
html_show_sphinx = False
html_theme_options = {"navigation_with_keys": True}
pygments_style = "default"
pygments_dark_style = "github-dark"
