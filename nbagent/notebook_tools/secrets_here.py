"""What of a notebook must not reach a model: variables with names like a key's, the same objects under other names.

Their values are masked in whatever a notebook tool returns, with those of keys that are known elsewhere
(`redaction.py`), also as they stand in a `repr`, in JSON, in an address or in base64. On the main thread.
"""

from __future__ import annotations

import ast
import base64
import functools
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any
from urllib.parse import quote, quote_plus

from nbagent.core import MASK, is_secret_name, known_secrets, mask
from nbagent.notebook_tools.safe_tables import column_labels, column_texts, is_table

_LEAST = 4  # characters; a shorter one is masked as a whole word only
_LEAST_DIGITS = 4
_PREFIX = 16  # characters: a long value that a table has cut off is known by its beginning
_LONG = 24
_LINE = 16  # of a value of several lines each line of this length is masked, too
_ITEMS = 200
_DEPTH = 4
_KEPT = 2_000
_ROWS = 500  # of a hidden column
_LOOKED_AT = 2_000  # items of containers, in one look
_WEAK = frozenset(
    {"key", "token", "auth", "sig", "signature", "pat"}
)  # as often a loop's variable, or a column


@functools.lru_cache(4_096)
def is_hidden_name(name: str) -> bool:
    """Say whether a variable of this name is hidden."""
    return is_secret_name(name) or is_secret_name(re.sub(r"([A-Za-z])(\d)", r"\1_\2", name))


def is_hidden_column(name: str) -> bool:
    """Say whether a column is: `token` and `key` are as often words and join columns as secrets."""
    return is_hidden_name(name) and name.lower() not in _WEAK


class Secrets:
    """The hidden values of a namespace, as they are now and as they were at the end of earlier cells."""

    def __init__(self) -> None:
        self._seen: dict[str, bool] = {}  # the latest last; True: masked wherever it stands, however short

    def hidden_names(self, names: Mapping[str, Any]) -> frozenset[str]:
        """Return the names that are hidden: those like a key's, and others of the same objects."""
        by_name = {name for name in names if is_hidden_name(name)}
        ids = {id(names[name]) for name in by_name if _is_of_its_own(names[name])}
        texts = {names[name] for name in by_name if type(names[name]) is str and len(names[name]) >= _LEAST}
        same = {
            name
            for name, value in names.items()
            if id(value) in ids or (type(value) is str and value in texts)
        }
        return frozenset(by_name | same)

    def look(self, names: Mapping[str, Any]) -> None:
        """Keep the values that are hidden now, for as long as the kernel lives."""
        plain = None
        hidden, left = _Left(), _Left()
        for name in list(names):
            if is_hidden_name(name):
                weak = name.lower() in _WEAK
                if weak and plain is None:
                    plain = _plain_words(names)
                for text in _texts_in(names.get(name), hidden):
                    if not (weak and (len(text) < _LEAST or text in (plain or ()))):
                        self._keep(text, strong=not weak)
            else:
                self._keep_all(_named_inside(names.get(name), left))

    def look_at_code(self, code: str) -> None:
        """Keep the texts that code gives to names like a key's: `password = "..."`, `connect(api_key="...")`."""
        self._keep_all(_texts_named_in(code))

    def masked(self, text: str) -> str:
        """Return a text without any of them."""
        text = mask(text)
        for value in sorted(self._seen, key=len, reverse=True):
            text = _without(text, value)
        return _without_cut_ones(text, [*self._seen, *known_secrets()])

    def _keep_all(self, texts: Iterable[str]) -> None:
        for text in texts:
            self._keep(text, strong=True)

    def _keep(self, text: str, *, strong: bool) -> None:
        text = text.strip()
        if text and text.lower() not in _WORDS:
            self._seen.pop(text, None)
            self._seen[text] = strong
            while len(self._seen) > _KEPT:
                del self._seen[next(iter(self._seen))]


_CUT = re.compile(r"…|\.\.\.")
_WORDS = frozenset({"true", "false", "none", "null", "nan", "yes", "no", "on", "off"})


def _without(text: str, value: str) -> str:
    if len(value) < _LEAST:
        return re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", MASK, text)
    for form in _forms(value):
        if form in text:
            text = text.replace(form, MASK)
    if len(value) >= _LONG and value[:_PREFIX] in text:
        text = re.sub(re.escape(value[:_PREFIX]) + r"[^\s\"',;)\]}]*", MASK, text)
    return text


def _without_cut_ones(text: str, values: Iterable[str]) -> str:
    """Return a text without the beginnings of values that were cut off with the text around them: `sk-liv…`."""
    long = [value for value in values if len(value) > _LEAST and value[:_LEAST] in text]
    parts, done = [], 0
    for cut in _CUT.finditer(text):
        before = text[done : cut.start()]
        most = max((_cut_off(before.rstrip(), value) for value in long), default=0)
        parts += [before.rstrip()[: len(before.rstrip()) - most] + MASK if most else before, cut[0]]
        done = cut.end()
    return "".join((*parts, text[done:]))


def _cut_off(before: str, value: str) -> int:
    """Return how many characters of a value a text ends in; 0 for less than tell anything."""
    lengths = range(min(len(value) - 1, len(before)), _LEAST - 1, -1)
    return next((length for length in lengths if before.endswith(value[:length])), 0)


@functools.lru_cache(_KEPT)
def _forms(value: str) -> tuple[str, ...]:
    """Return how a value may stand in a text, the longest first."""
    data = value.encode("utf-8", "replace")
    forms = {value, repr(value)[1:-1], json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}
    forms |= {ascii(value)[1:-1], repr(data)[2:-1], quote(value), quote(value, safe=""), quote_plus(value)}
    if len(data) >= 2 * _LEAST:
        forms |= {base64.b64encode(data).decode(), base64.urlsafe_b64encode(data).decode(), data.hex()}
    forms |= {line.strip() for line in value.splitlines() if len(line.strip()) >= _LINE}
    return tuple(sorted((form for form in forms if len(form) >= _LEAST), key=len, reverse=True))


def _is_of_its_own(value: object) -> bool:
    """Say whether an object's identity means something: small numbers, None and types are shared by all."""
    return value is not None and type(value) not in (bool, int, float, str, bytes, type, tuple, frozenset)


def _texts_in(value: object, left: _Left, depth: int = 0) -> Iterator[str]:
    """Yield the texts that a hidden value holds: itself, or what stands in containers; asks only exact types."""
    known: Any = value
    cls = type(value)
    if cls is str:
        yield known
    elif cls in (bytes, bytearray):
        yield bytes(known).decode("utf-8", "replace")
    elif cls is int and known >= 10 ** (_LEAST_DIGITS - 1) and known.bit_length() < 500:  # noqa: PLR2004
        yield str(known)
    elif depth < _DEPTH and cls in (list, tuple, set, frozenset, dict):
        for one in left.take(known.values() if cls is dict else known):
            yield from _texts_in(one, left, depth + 1)


def _named_inside(value: object, left: _Left, depth: int = 0) -> Iterator[str]:
    """Yield the texts under names like a key's inside of a value that is not hidden itself."""
    known: Any = value
    if type(value) is dict and depth < _DEPTH:
        for key, one in left.take(known.items()):
            if type(key) is str and is_hidden_column(key):
                yield from _texts_in(one, left)
            else:
                yield from _named_inside(one, left, depth + 1)
    elif type(value) in (list, tuple) and depth < _DEPTH:
        for one in left.take(known):
            yield from _named_inside(one, left, depth + 1)
    elif is_table(value):
        yield from column_texts(value, is_hidden_column, _ROWS)


class _Left:
    """How much may still be looked at: a look comes after each cell, and data may be deep."""

    def __init__(self, items: int = _LOOKED_AT) -> None:
        self.items = items

    def take(self, values: Iterable[Any]) -> Iterator[Any]:
        """Yield values as long as any may be looked at."""
        for one in islice(values, _ITEMS):
            if self.items <= 0:
                return
            self.items -= 1
            yield one


def _plain_words(names: Mapping[str, Any]) -> frozenset[str]:
    """Return what is no secret although it stands in `key`: names of variables and of columns."""
    found = set(names)
    for value in names.values():
        if is_table(value):
            found.update(one for one in column_labels(value)[:_ITEMS] if type(one) is str)
        elif type(value) is dict:
            found.update(key for key in islice(value, _ITEMS) if type(key) is str)
    return frozenset(found)


def _texts_named_in(code: str) -> Iterator[str]:
    """Yield the constants that stand under names like a key's in code; of what is no Python, by its lines."""
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        for name, text in re.findall(r"(\w+)[\"'\]]*\s*[=:]\s*[\"']([^\"'\n]+)[\"']", code):
            if is_hidden_column(name):
                yield text
        return
    for node in ast.walk(tree):
        for name, value in _named_values(node):
            if is_hidden_column(name) and isinstance(value, ast.Constant):
                yield from _texts_in(value.value, _Left())


def _named_values(node: ast.AST) -> Iterator[tuple[str, ast.AST | None]]:
    if isinstance(node, ast.Assign):
        yield from ((_target_name(target), node.value) for target in node.targets)
    elif isinstance(node, ast.AnnAssign | ast.NamedExpr):
        yield _target_name(node.target), node.value
    elif isinstance(node, ast.keyword):
        yield node.arg or "", node.value
    elif isinstance(node, ast.Dict):
        yield from (
            (key.value, value)
            for key, value in zip(node.keys, node.values, strict=True)
            if isinstance(key, ast.Constant) and isinstance(key.value, str)
        )


def _target_name(target: ast.AST) -> str:
    if isinstance(target, ast.Name):
        return target.id
    if isinstance(target, ast.Attribute):
        return target.attr
    if isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Constant):
        return str(target.slice.value)
    return ""
