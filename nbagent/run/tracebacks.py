"""A traceback as a person reads it: the own frames, and one line for those of libraries between. Pure.

The record keeps the whole; an opened run and the error of `run.result()` show this.
"""

from __future__ import annotations

import re
from pathlib import Path

_EDGE = re.compile(r"(?:\s*\| )?")  # of a group of exceptions
_FRAME = re.compile(r'  File "(?P<file>.*)", line (?P<line>\d+)(?:, in (?P<name>.*))?')
_CELL = re.compile(r"[/\\]ipykernel_\d+[/\\]|<ipython-input-|<(?:stdin|string|doctest)\b")
_PACKAGE = re.compile(r"[/\\](?:site|dist)-packages[/\\]([^/\\.]+)")
_PYTHON = re.compile(r"[/\\]lib[/\\]python3\.\d+[/\\]|[/\\]python3\d+[/\\]lib[/\\]", re.IGNORECASE)
_OWN = str(Path(__file__).parents[1])
_NAMED = 4  # libraries that a line names


def own_frames(text: str) -> str:
    """Return a formatted traceback without the frames of libraries; a line says of how many and of which."""
    shown: list[str] = []
    left: list[str] = []
    in_library = False
    for line in text.splitlines():
        edge = _EDGE.match(line)[0]  # type: ignore[index]  # it matches anything
        inner = line[len(edge) :]
        frame = _FRAME.fullmatch(inner)
        if frame is not None:
            library = library_of(frame["file"])
            in_library = library is not None
            left += [library] if library is not None else []
        elif not inner.startswith(("    ", "  [Previous line repeated")):
            in_library = False
        if not in_library:
            shown += [*_of_libraries(left, edge), line]
            left = []
    return "\n".join([*shown, *_of_libraries(left, "")])


def where_raised(text: str) -> str:
    """Return the last frame that is no library's, in one line; empty where there is none."""
    found, begun = "", False  # begun: a frame of the own, whose line of code may follow
    for line in text.splitlines():
        inner = line[_EDGE.match(line).end() :]  # type: ignore[union-attr]  # it matches anything
        frame = _FRAME.fullmatch(inner)
        if begun and frame is None and inner.startswith("    "):
            found += f": {inner.strip()}"
        begun = frame is not None and library_of(frame["file"]) is None
        if frame is not None and begun:
            place = "a cell" if _CELL.search(frame["file"]) else frame["file"]
            found = f"{frame['name'] or 'a module'} ({place}, line {frame['line']})"
    return found


def _of_libraries(left: list[str], edge: str) -> list[str]:
    """Return the line that stands for frames of these libraries; none for none."""
    if not left:
        return []
    names = list(dict.fromkeys(left))
    more = ", ..." if len(names) > _NAMED else ""
    return [f"{edge}  [{len(left)} frame{'s' * (len(left) > 1)} of {', '.join(names[:_NAMED])}{more}]"]


def library_of(file: str) -> str | None:
    """Return the library that a file of code is of; None for a file of the user's, or a cell."""
    if _CELL.search(file):
        return None
    if (package := _PACKAGE.search(file)) is not None:
        return package[1]
    if file.startswith(_OWN):
        return "nbagent"
    if _PYTHON.search(file):
        return "Python"
    return file.strip("<>").partition(" ")[0] if file.startswith("<") else None
