"""Look at code before a person is asked: what cannot be approved is the model's to mend. Pure."""

from __future__ import annotations

import ast
import re

CODE_CHARS = 20_000  # what a person can be shown whole
_MAGIC = re.compile(r"^\s*(?:%{1,2}\w|!|\?|\w[\w.]*\?{1,2}\s*$|\w+\s*=\s*[%!])", re.MULTILINE)
_REFUSED = {
    "input": "nobody can type an answer",
    "get_ipython": "magics and the shell are not for code that a model writes",
    "breakpoint": "nobody is there to debug",
    "exit": "it would end the kernel",
    "quit": "it would end the kernel",
}
_APPROVING = frozenset({"approve", "deny", "decide"})


def check_code(code: str) -> str:
    """Return the code; raise ValueError, which the model is told, for what is never put before a person."""
    if not code.strip():
        msg = "the code is empty"
        raise ValueError(msg)
    if len(code) > CODE_CHARS:
        msg = (
            f"the code has {len(code):,} characters; a person is shown at most {CODE_CHARS:,}: do it in steps"
        )
        raise ValueError(msg)
    try:
        code.encode()
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        if _MAGIC.search(code):
            msg = "magics (%...) and the shell (!...) are refused: write plain Python"
        else:
            msg = f"this is no Python: {getattr(error, 'msg', None) or error} (line {getattr(error, 'lineno', None)})"
        raise ValueError(msg) from None
    for node in ast.walk(tree):
        if (why := _why_refused(node)) is not None:
            raise ValueError(why)
    return code


def _why_refused(node: ast.AST) -> str | None:
    if not isinstance(node, ast.Call):
        return None
    called = node.func
    if isinstance(called, ast.Name) and called.id in _REFUSED:
        return f"{called.id}() is refused: {_REFUSED[called.id]}"
    if isinstance(called, ast.Attribute) and called.attr in _APPROVING and not node.args:
        return f".{called.attr}() is refused: only a person approves"
    return None
