"""The columns of an evaluation's frame that are no scores, in their order, with their types (None: as they are)."""

from __future__ import annotations

from typing import Final

FIRST: Final[dict[str, str | None]] = {
    "contender": "category", "case": None, "repeat": "Int64", "expected": None, "answer": None,
}  # fmt: skip
LAST: Final[dict[str, str | None]] = {
    "status": "category", "error": "string", "score_error": "string", "cost_usd": "Float64",
    "judge_cost_usd": "Float64", "duration_s": "Float64", "run_id": "string",
}  # fmt: skip
COLUMNS: Final[dict[str, str | None]] = {**FIRST, **LAST}  # the scores stand between both
