r"""Mathematics in an answer's Markdown, as MathML: rules for markdown-it, and the converter. Pure.

Only where delimiters are sure: `\( \)`, `\[ \]` and `$$ $$` are what they say; what stands between single
dollar signs has to look like a formula, for `$5 to $10` is money. What the converter does not take stays as
its author wrote it. What it makes is markup of its own library, and is sanitised with the rest. From any thread.
"""

from __future__ import annotations

import functools
import re
import threading
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_block import StateBlock
    from markdown_it.rules_inline import StateInline
    from math_core import LatexToMathML

LIMIT = 2_000  # characters of one formula
TAGS = frozenset(
    "math mrow mi mn mo ms mtext mspace mfrac msqrt mroot msub msup msubsup munder mover munderover mmultiscripts "
    "mprescripts mtable mtr mtd mpadded mphantom menclose merror semantics".split()
)
ATTRIBUTES = frozenset(
    "display displaystyle scriptlevel mathvariant stretchy fence separator form lspace rspace minsize maxsize "
    "symmetric largeop movablelimits accent accentunder linethickness width height depth voffset columnalign "
    "rowspacing columnspacing notation".split()
)
# after a dollar sign: no space, no price; before the closing one: no space; after it: no digit or letter
_INLINE = re.compile(r"\$(?![\s$])((?:\\.|[^\\$\n])+?)(?<!\s)\$(?![\w$])")
_DELIMITED = {"\\(": "\\)", "\\[": "\\]", "$$": "$$"}
_COMMAND = re.compile(r"\\[a-zA-Z]+|[\^_]|[=<>≤≥≠≈∈∑∫√±]")
_SYMBOL = re.compile(r"[A-Za-z\u03b1-\u03c9\u0391-\u03a9](?:'+)?|[A-Za-z]\([A-Za-z](?:, ?[A-Za-z])*\)")
_SUM = re.compile(r"[\w.()]{1,6}(?: ?[+*/−-] ?[\w.()]{1,6})+")
_COMMAND_WITH_TEXT = re.compile(r"\\[a-zA-Z]+(?:\{[^{}]*\})?")
_PROSE = re.compile(r"[A-Za-z]{4,} [A-Za-z]{2,}|^\d[\d.,]*(?:\s|$)")


_one_at_a_time = threading.Lock()


def looks_like_formula(text: str) -> bool:
    """Say whether what stands between single dollar signs is mathematics: a letter, or something with an operator."""
    if _is_prose(text):
        return False
    if _SYMBOL.fullmatch(text):
        return True
    if _COMMAND.search(text):
        return True
    return bool(_SUM.fullmatch(text)) and bool(re.search(r"[A-Za-z]", text))


def _is_prose(text: str) -> bool:
    """Say whether words or a price stand there, apart from a formula's commands and their text."""
    return _PROSE.search(_COMMAND_WITH_TEXT.sub("", text.strip())) is not None


def mathml_of(source: str, *, block: bool) -> str | None:
    """Return a formula as MathML; None for what the converter does not take."""
    if not source.strip() or len(source) > LIMIT:
        return None
    try:
        with _one_at_a_time:  # asked by two threads at once the converter refuses one
            return _converter().convert_with_local_state(source, displaystyle=block)
    except Exception:  # noqa: BLE001 - whatever a converter has against it, the source is shown
        return None


def add_maths(parser: MarkdownIt) -> None:
    """Let a parser take formulas out of the text, before it reads backslashes and emphasis in them."""
    parser.inline.ruler.before("escape", "nbagent_maths", _inline)
    parser.block.ruler.before(
        "fence", "nbagent_maths", _block, {"alt": ["paragraph", "reference", "blockquote", "list"]}
    )
    parser.add_render_rule("nbagent_maths", _render)


def _inline(state: StateInline, silent: bool) -> bool:  # noqa: FBT001 - markdown-it's signature
    text, at = state.src, state.pos
    opening = text[at : at + 2]
    if opening in _DELIMITED:
        closing = _DELIMITED[opening]
        end = text.find(closing, at + 2, min(state.posMax, at + LIMIT))
        inner = text[at + 2 : max(end, at + 2)]
        if not inner.strip():
            return False
        if opening == "$$" and not (looks_like_formula(inner.strip()) and text[end + 2 : end + 3] != "$"):
            return False
        if _is_prose(inner):  # an escaped bracket
            return False
        return _take(state, silent, text[at + 2 : end], end + 2, opening)
    if text[at] != "$" or (at and (text[at - 1].isalnum() or text[at - 1] == "$")):
        return False
    found = _INLINE.match(text, at, min(state.posMax, at + LIMIT))
    if found is None or not looks_like_formula(found[1]):
        return False
    return _take(state, silent, found[1], found.end(), "$")


def _take(state: StateInline, silent: bool, source: str, end: int, opening: str) -> bool:  # noqa: FBT001 - the same
    block = opening in ("$$", "\\[")
    made = mathml_of(source, block=block)
    if not silent:
        token = state.push("nbagent_maths", "math", 0)
        token.content = state.src[state.pos : end] if made is None else made
        token.meta = {"made": made is not None}
    state.pos = end
    return True


def _block(state: StateBlock, line: int, last: int, silent: bool) -> bool:  # noqa: FBT001 - the same
    """Take a formula that stands on lines of its own: blank lines may be in it, and what looks like a list."""
    begin = state.bMarks[line] + state.tShift[line]
    opening = state.src[begin : begin + 2]
    if opening not in ("$$", "\\["):
        return False
    closing = _DELIMITED[opening]
    end = state.src.find(closing, begin + 2, begin + LIMIT)
    after = state.src.find("\n", end) if end >= 0 else -1
    rest = state.src[end + 2 : after if after >= 0 else len(state.src)] if end >= 0 else "x"
    if rest.strip() or end > state.eMarks[last - 1]:
        return False
    if silent:
        return True
    while line < last and state.eMarks[line] < end + 2:
        line += 1
    made = mathml_of(state.src[begin + 2 : end], block=True)
    token = state.push("nbagent_maths", "math", 0)
    token.block = True
    token.content = state.src[begin : end + 2] if made is None else made
    token.meta = {"made": made is not None, "alone": True}
    state.line = line + 1
    return True


def _render(_self: object, tokens: list, at: int, _options: object, _env: object) -> str:  # type: ignore[type-arg]
    token = tokens[at]
    made = token.content if token.meta["made"] else f"<code>{escape(token.content)}</code>"
    return f"<p>{made}</p>\n" if token.meta.get("alone") else str(made)


@functools.cache
def _converter() -> LatexToMathML:
    from math_core import LatexToMathML

    return LatexToMathML(fancy_error=False)
