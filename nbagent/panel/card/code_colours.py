"""The colours of code in an answer's Markdown, by pygments, as styles of its pieces. Pure; from any thread.

A block is coloured only where its fence names a language of `LANGUAGES`: nothing is guessed, and a lexer that
takes long over text that was made to hold it up is not among them. Each colour is half the page's own text colour,
so it is read on light and dark pages alike, in the panel as in a saved file; a viewer that takes styles out leaves
plain code.
"""

from __future__ import annotations

import functools
import re
from html import escape
from typing import Any

LIMIT = 6_000  # characters of one block; a longer one stays plain
# measured over 750 texts that repeat a piece of syntax: at most 0.5 s for such a block, most of them 0.05
LANGUAGES = frozenset(
    "py python python3 pycon sql json bash sh shell zsh js javascript html xml css yaml yml toml ini r julia go rust rs "
    "dockerfile docker".split()
)
_ENDLESS = re.compile(r"(.{1,8}?)\1{150}", re.DOTALL)  # no code: it is what makes a lexer slow
# a kind of piece, as pygments names it -> the half that makes its colour; the narrower kind counts
_HUES = {
    "Comment": "#8c8c8c",
    "Keyword": "#c74ad6",
    "Operator.Word": "#c74ad6",
    "Name.Tag": "#c74ad6",
    "Literal.String": "#2ea043",
    "Literal.Number": "#d1701f",
    "Name.Function": "#3d8bfd",
    "Name.Class": "#3d8bfd",
    "Name.Decorator": "#3d8bfd",
    "Name.Attribute": "#3d8bfd",
    "Generic.Deleted": "#d1701f",
    "Generic.Inserted": "#2ea043",
}
STYLES = frozenset(f"color:color-mix(in srgb,currentcolor 45%,{hue})" for hue in _HUES.values())


def coloured(code: str, language: str, _attributes: str = "") -> str:
    """Return code as HTML with a style on each piece that has a colour; "" for what stays plain."""
    name = language.strip().lower()
    if name not in LANGUAGES or len(code) > LIMIT or _ENDLESS.search(code):
        return ""
    pieces: list[list[str]] = []  # [hue, text], of neighbours with one colour together
    for kind, text in _lexer(name).get_tokens(code):
        hue = _hue_of(kind)
        if pieces and (pieces[-1][0] == hue or not text.strip()):
            pieces[-1][1] += text
        else:
            pieces.append([hue, text])
    if "".join(text for _, text in pieces) != code:
        return ""  # a lexer takes out what it cannot read
    return "".join(_piece(hue, escape(text)) for hue, text in pieces)


def _piece(hue: str, markup: str) -> str:
    return f'<span style="color:color-mix(in srgb,currentcolor 45%,{hue})">{markup}</span>' if hue else markup


@functools.cache
def _hue_of(kind: Any) -> str:
    """Return the colour of a pygments token type, or of the nearest one above it."""
    names = tuple(kind)
    return next(
        (hue for end in range(len(names), 0, -1) if (hue := _HUES.get(".".join(names[:end])))),
        "",
    )


@functools.cache
def _lexer(name: str) -> Any:
    from pygments.lexers import get_lexer_by_name  # type: ignore[import-untyped]

    return get_lexer_by_name(name, stripnl=False, ensurenl=False)
