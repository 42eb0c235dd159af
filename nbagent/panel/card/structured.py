"""A structured answer as a table and as a tree: plain, bounded data of short texts. Pure.

The table has a row per element, as `to_frame()` has; the tree has the answer's own shape. Whoever shows a
value escapes it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from nbagent.core import one_line, truncate_end, utf8_safe
from nbagent.run import shown
from nbagent.schemas import rows_of, to_plain

TABLE_ROWS, TABLE_COLUMNS, CELL_LIMIT = 20, 12, 200
TREE_NODES, TREE_DEPTH, LEAF_LIMIT = 300, 8, 2_000
WIDE = 5  # an answer of one row with so many columns reads better downwards
Data = dict[str, Any]


def structure_of(value: Any) -> Data:
    """Return {table, tree, more, form}; table and tree None where there is none, `form` which of them to show first."""
    data = _plain(value)
    table, more = _table(value)
    nested = isinstance(data, dict) or (
        isinstance(data, list) and any(isinstance(x, dict | list) for x in data)
    )
    tree = Tree().of(data) if nested and data else None
    return {"table": table, "tree": tree, "more": more, "form": _form(table, tree)}


def _plain(value: Any) -> Any:
    try:
        return to_plain(value)
    except Exception:  # noqa: BLE001 - half of a surrogate pair, or a serializer of the user: what is plain is shown
        return value if isinstance(value, dict | list) else None


def _form(table: Data | None, tree: Data | None) -> str:
    if table is None:
        return "" if tree is None else "tree"
    if tree is None:
        return "table"
    alone = len(table["cells"]) == 1 and (len(table["columns"]) >= WIDE or table["nested"])
    return "tree" if alone else "table"


# ----------------------------------------------------------------------- table


def _table(value: Any) -> tuple[Data | None, str]:
    """Return columns and cells of text, and a note of what was left out."""
    rows = rows_of(value)
    columns = list(dict.fromkeys(str(key) for row in rows for key in row))
    if not columns:
        return None, ""
    shown, names = rows[:TABLE_ROWS], columns[:TABLE_COLUMNS]
    left = [
        f"{len(shown)} of {len(rows):,} rows" if len(rows) > len(shown) else "",
        f"{len(names)} of {len(columns):,} columns" if len(columns) > len(names) else "",
    ]
    note = ", ".join(filter(None, left))
    return {
        "columns": [one_line(name, CELL_LIMIT) for name in names],
        "numeric": [all(_is_number(row.get(name)) for row in shown) for name in names],
        "cells": [[_cell(row.get(name)) for name in names] for row in shown],
        "nested": any(isinstance(row.get(name), list | dict) for row in shown for name in names),
    }, f"{note}; to_frame() has all" if note else ""


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _number(value)
    text = value if isinstance(value, str) else shown(value, _json)
    return one_line(text, CELL_LIMIT)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _number(value: float) -> str:
    if isinstance(value, int):
        return f"{value:,}" if abs(value) >= 10_000 else str(value)  # noqa: PLR2004 - 2024 is a year
    return f"{value:,.6g}" if abs(value) < 1_000_000 else f"{value:,.2f}"  # noqa: PLR2004


# ------------------------------------------------------------------------ tree


class Tree:
    """One tree's building: nodes are {name, kind, text}, or {name, kind, note, kids}; a cut list says what is left."""

    def __init__(self) -> None:
        self._left = TREE_NODES

    def of(self, data: Any, name: str = "", depth: int = 0) -> Data:
        """Return the node of plain JSON data."""
        self._left -= 1
        known = {"name": one_line(name, CELL_LIMIT)}
        if not isinstance(data, dict | list):
            return known | _leaf(data)
        note = _count(data)
        if not data or depth >= TREE_DEPTH:
            return known | {"kind": "empty", "text": note}
        kids = list(self._kids(data, depth + 1))
        if len(kids) < len(data):
            kids.append({"name": "", "kind": "more", "text": f"and {len(data) - len(kids):,} more"})
        return known | {"kind": "list" if isinstance(data, list) else "object", "note": note, "kids": kids}

    def _kids(self, data: Any, depth: int) -> Iterator[Data]:
        pairs = data.items() if isinstance(data, dict) else ((str(at), one) for at, one in enumerate(data))
        for name, one in pairs:
            if self._left <= 0:
                return
            yield self.of(one, str(name), depth)


def _count(data: dict[str, Any] | list[Any]) -> str:
    what = "item" if isinstance(data, list) else "field"
    return f"{len(data):,} {what}{'' if len(data) == 1 else 's'}"


def _leaf(data: Any) -> Data:
    if data is None or isinstance(data, bool):
        return {"kind": "word", "text": {None: "none", True: "true", False: "false"}[data]}
    if isinstance(data, int | float):
        return {"kind": "number", "text": _number(data)}
    return {"kind": "text", "text": utf8_safe(truncate_end(shown(data, str), LEAF_LIMIT))}
