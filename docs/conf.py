"""How the documentation is built: `python -m sphinx -W docs OUT`. The leg `docs` of `.ci/run` does it."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from ipython_pygments_lexers import IPython3Lexer

import nbagent
from nbagent.magics.commands import NBAgent
from nbagent.settings import OPTIONS

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "nbagent"
author = "nbagent contributors"
version = release = nbagent.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "sphinx.ext.napoleon"]
html_theme = "furo"
html_title = "nbagent"
html_static_path: list[str] = []
exclude_patterns = ["_build"]

# `<!-- not run: why -->` is for the test that runs the pages' cells; a page's own headings can be linked to
myst_heading_anchors = 3
# cells of a notebook: magics, and prompts in them
highlight_language = "none"

autosummary_generate = False
autodoc_member_order = "groupwise"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
# docstrings are text for `help()`: single backticks name code
default_role = "literal"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
# a pydantic model's fields are told by its own docstring
autodoc_inherit_docstrings = False


def options_table() -> str:
    """Every option with its default, out of the table that is the only place where they stand."""
    rows = "".join(f"| `{one.name}` | `{one.default!r}` | {one.doc} |\n" for one in OPTIONS.values())
    return f"| option | default | what it says |\n|---|---|---|\n{rows}"


def magic_help(name: str) -> str:
    """What `NAME?` shows in a notebook."""
    text = getattr(NBAgent, name).__doc__ or ""
    first, _, rest = text.partition("\n")
    return f"```text\n{first}\n{textwrap.dedent(rest)}\n```\n"


def fill(_app: Sphinx, name: str, source: list[str]) -> None:
    """Put what the code says of itself in the place of its mark."""
    if name == "options":
        source[0] = source[0].replace("<!-- options -->", options_table())
    if name == "magics":
        for magic in ("agent_bg", "agent", "agent_module", "after"):
            source[0] = source[0].replace(f"<!-- {magic} -->", magic_help(magic))


def setup(app: Sphinx) -> None:
    """Register `fill`, and have cells read as IPython reads them."""
    app.add_lexer("python", IPython3Lexer)
    app.connect("source-read", fill)
