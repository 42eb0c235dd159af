"""Which names a magic sees: the notebook's, and those of the function that calls it. Main thread.

IPython gives cell magics the notebook's variables alone; a call of `run_cell_magic` or `run_line_magic`
inside a function has the function's own variables too, as any other expression there.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from types import FrameType
from typing import Any

_CALLS = frozenset({"run_cell_magic", "run_line_magic"})
_COMPREHENSIONS = frozenset({"<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>"})


def visible_names(user_ns: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what is visible where the magic that runs now was called: locals before globals before the notebook's."""
    frame = _calling_frame()
    if frame is None or frame.f_locals is user_ns:
        return user_ns
    names = dict(user_ns)
    if frame.f_globals is not user_ns:
        names.update(frame.f_globals)
    scopes = [frame]
    while scopes[-1].f_code.co_name in _COMPREHENSIONS and scopes[-1].f_back is not None:
        scopes.append(scopes[-1].f_back)  # before Python 3.12 these have a frame of their own
    for scope in reversed(scopes):
        if scope.f_locals is not scope.f_globals:
            names.update(scope.f_locals)
    return names


def _calling_frame() -> FrameType | None:
    """The frame that called the innermost magic; None where IPython itself did, as for `%%time` around a magic."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - the documented way to look at a caller
    while frame is not None and not (_is_ipython(frame) and frame.f_code.co_name in _CALLS):
        frame = frame.f_back
    frame = frame.f_back if frame is not None else None
    while frame is not None and _is_ipython(frame):
        frame = frame.f_back
    return frame


def _is_ipython(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0] == "IPython"
