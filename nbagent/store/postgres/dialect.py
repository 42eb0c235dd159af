"""SQL of ours in Postgres' words: point reads are written once, in what DuckDB and Postgres share but for a few spellings. Pure."""

from __future__ import annotations

import re
from functools import lru_cache

_QUOTED = re.compile(r"('(?:[^']|'')*')")
_WORDS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\browid\b"), "row_id"),
    (re.compile(r"\bunnest\((\$\d+)\)"), r"unnest(\1::text[])"),
    (
        re.compile(r"\barg_max\(\s*([\w.]+)\s*,\s*(\([^()]*\)|[\w.]+)\s*\)"),
        r"(array_agg(\1 order by \2 desc))[1]",
    ),
)


@lru_cache(maxsize=256)
def postgres_sql(sql: str) -> str:
    """Return a query of this room as Postgres takes it: parameters numbered, JSON fields by name."""
    number = 0
    parts = []
    for part in _QUOTED.split(sql):
        if part.startswith("'"):
            parts.append("'" + part[3:] if part.startswith("'$.") else part)
            continue
        pieces = part.split("?")
        text = pieces[0]
        for piece in pieces[1:]:
            number += 1
            text += f"${number}{piece}"
        parts.append(text)
    found = "".join(parts)
    for pattern, replacement in _WORDS:
        found = pattern.sub(replacement, found)
    return found
