"""What a docstring tells a model: of the tool, all but the sections that go into the schema; of each parameter, its text.

Called by `definition.py` and `signature.py`. Google, NumPy, Sphinx and epydoc styles, and plain text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import docstring_parser

_NAMES = (
    r"(?:Args|Arguments|Parameters|Params|Keyword Args|Keyword Arguments|Other Parameters|Receives"
    r"|Returns?|Yields?|Raises|Exceptions|Throws)"
)
_GOOGLE = re.compile(rf"(\s*){_NAMES}\s*:\s*$", re.IGNORECASE)
_GOOGLE_INLINE = re.compile(r"(\s*)(?:Returns?|Yields?|Raises)\s*:\s+\S")
_NUMPY = re.compile(rf"(\s*){_NAMES}\s*$", re.IGNORECASE)
_UNDERLINE = re.compile(r"\s*(?:-{3,}|={3,})\s*$")
_FIELD = re.compile(
    r"(\s*)[:@](?:param(?:eter)?|arg(?:ument)?|key(?:word)?|type|kwarg|var|ivar|raises?|except(?:ion)?|returns?|rtype|yields?"
    r"|ytype)\b[^:\n]*:",
    re.IGNORECASE,
)
# lines that mean something by themselves: lists, tables, code, quotes, headings
_OWN_LINE = re.compile(r"\s|[-*+•>|#]|\d+[.)]\s|```|\S+\s*:\s*$")


def description_of(documented: str) -> str:
    """Return what the model is told the tool does; a paragraph of prose is one line."""
    text = "\n".join(_without_sections(documented.splitlines()))
    return "\n\n".join(_joined(part) for part in re.split(r"\n\s*\n", text) if part.strip())


def first_paragraph(described: str) -> str:
    """Return the first paragraph of a description."""
    return described.partition("\n\n")[0]


def parameter_texts(documented: str) -> dict[str, str]:
    """Return what a docstring says of each parameter, on one line each."""
    first, *rest = documented.splitlines() or [""]
    if _GOOGLE.match(first) and rest and rest[0].strip() and not _indent(rest[0]):
        documented = "\n".join(
            [first, *(f"    {line}" for line in rest)]
        )  # as it stood before it was dedented
    try:  # with a line of ours before it: the parser misreads a text that begins with a section
        parsed = docstring_parser.parse(f"Summary.\n\n{documented}")
    except docstring_parser.ParseError:
        return {}
    return {
        found.arg_name.lstrip("*"): " ".join(found.description.split())
        for found in parsed.params
        if found.description
    }


def _without_sections(lines: list[str]) -> Iterator[str]:
    at = 0
    while at < len(lines):
        after = _end_of_section(lines, at)
        if after == at:
            yield lines[at]
            at += 1
        else:
            yield ""  # what stands around a section is no one paragraph
            at = after


def _end_of_section(lines: list[str], at: int) -> int:
    """Return where the section ends that begins at a line, the line's own number where none begins."""
    line = lines[at]
    underlined = at + 1 < len(lines) and _UNDERLINE.match(lines[at + 1]) is not None
    if underlined:
        return _next_underlined(lines, at + 2) if _NUMPY.match(line) else at
    for form in (_GOOGLE, _GOOGLE_INLINE, _FIELD):
        if found := form.match(line):
            indent = len(found.group(1).expandtabs())
            after = at + 1
            while at == 0 and after < len(lines) and lines[after].strip():
                after += 1  # below a docstring's first line `inspect.getdoc` leaves no indent
            while after < len(lines) and (not lines[after].strip() or _indent(lines[after]) > indent):
                after += 1
            return after
    return at


def _next_underlined(lines: list[str], start: int) -> int:
    for at in range(start, len(lines) - 1):
        if lines[at].strip() and _UNDERLINE.match(lines[at + 1]):
            return at
    return len(lines)


def _indent(line: str) -> int:
    expanded = line.expandtabs()
    return len(expanded) - len(expanded.lstrip())


def _joined(paragraph: str) -> str:
    """Return a paragraph of prose on one line, any other as it stands."""
    lines = [line.rstrip() for line in paragraph.splitlines() if line.strip()]
    if any(_OWN_LINE.match(line) for line in lines):
        return "\n".join(lines)
    return " ".join(" ".join(lines).split())
