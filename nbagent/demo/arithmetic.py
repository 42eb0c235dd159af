"""Simple sums for the demo model: finds an expression in a text and evaluates it safely.

Used by `questions.py` and `tool_arguments.py`; pure, any thread.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable
from typing import Final

_WORDS: Final = (
    (r"(\d)\s*,\s*(\d{3})(?!\d)", r"\1\2"),
    (r"\bmultiplied by\b|\btimes\b|×|(?<=\d)\s*x\s*(?=\d)", " * "),
    (r"\bdivided by\b|÷", " / "),
    (r"\bplus\b", " + "),
    (r"\bminus\b|−", " - "),
    (r"\bto the power of\b|\^", " ** "),
    (r"\bsquared\b", " ** 2"),
    (r"(\d(?:\.\d+)?)\s*(?:%|percent) of", r"\1 / 100 *"),
    (r"square root of\s*(\d+(?:\.\d+)?)", r"\1 ** 0.5"),
)
_NUMBER = r"\(*\s*-?\d+(?:\.\d+)?\s*\)*"
_EXPRESSION: Final = re.compile(rf"{_NUMBER}(?:\s*(?:\*\*|[*/+]|(?<=\s)-(?=\s))\s*{_NUMBER})+")
_OPERATORS: Final[dict[type[ast.operator], Callable[[float, float], float]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
_LARGEST = 10**15
_LONGEST = 300  # characters: a longer sum would nest too deeply to parse


def find_expression(text: str) -> str | None:
    """Give the first sum in a text, in Python's notation, or None."""
    for pattern, replacement in _WORDS:
        text = re.sub(pattern, replacement, text, flags=re.IGNORECASE)
    found = _EXPRESSION.search(text)
    return None if found is None else " ".join(found[0].split())


def evaluate(expression: str) -> int | float | None:
    """Evaluate + - * / and powers of plain numbers; None if that fails or grows too large."""
    if len(expression) > _LONGEST:
        return None
    try:
        value = _value(ast.parse(expression, mode="eval").body)
    except (SyntaxError, ValueError, ArithmeticError, TypeError):
        return None
    if isinstance(value, complex) or abs(value) > _LARGEST:
        return None
    return int(value) if value == int(value) else round(value, 10)


def _value(node: ast.expr) -> float:
    match node:
        case ast.Constant(value=int() | float() as number):
            return number
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand)
        case ast.BinOp(left=left, op=op, right=right):
            first, second = _value(left), _value(right)
            if isinstance(op, ast.Pow) and (abs(second) > 64 or abs(first) > 10**6):
                raise ValueError("power too large")
            return _OPERATORS[type(op)](first, second)
        case _:
            raise ValueError("not a sum")
