"""The rows of one batch as its card lists them: label, prompt, answer's fields; and how often each answer came. Pure.

Owned by the batch's `TableModel`. A card lists so many rows and all counts: the rest is `batch.to_frame()`'s.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from nbagent.core import dump_json, one_line
from nbagent.schemas import to_plain

LISTED = 10_000  # rows with an answer
FAILED_LISTED = 5_000
FIELDS, KINDS = 6, 8  # columns; different answers that are counted
CELL_CHARS, KIND_CHARS = 100, 40
ANSWER = "answer"  # the column of answers that are no records
Item = list[Any]  # position, label, status, run id, error, from earlier, [cell, ...]


class BatchItems:
    """The listed rows by position, their columns, and counts over all rows that have ended, listed or not."""

    def __init__(self) -> None:
        self.seen = 0  # ends that were taken in
        self.fields: list[str] = []
        self._items: dict[int, Item] = {}
        self._values: dict[int, dict[str, str]] = {}  # what each row counts as, to take it back
        self._counts: dict[str, Counter[str]] = {}
        self._too_many: set[str] = set()
        self._failed = 0

    def take(self, seen: int, arrived: Sequence[tuple[int, Any, Any]]) -> dict[str, Any]:
        """Take in the rows that have ended since, as (position, label, outcome), `seen` with all before.

        Return the message, empty for none.
        """
        changed = []
        for position, label, outcome in arrived:
            self._count(position, outcome)
            if item := self._item(position, label, outcome):
                changed.append(item)
        self.seen = seen
        return {"items": changed, **self._more()} if arrived else {}

    def state(self) -> dict[str, Any]:
        """Return everything; the items as one text, which costs a tenth of a list."""
        return {"items": dump_json(list(self._items.values())).decode(), **self._more()}

    def _more(self) -> dict[str, Any]:
        return {"fields": list(self.fields), "counts": self._shown_counts(), "ended": len(self._values)}

    def _item(self, position: int, label: Any, outcome: Any) -> Item | None:
        known = self._items.get(position)
        failed = bool(outcome.has_failed)
        if known is None:
            if failed and self._failed >= FAILED_LISTED:
                return None
            if not failed and len(self._items) - self._failed >= LISTED:
                return None
        self._failed += failed - (known is not None and bool(known[4]))
        cells = _cells(outcome.answer)
        for name in cells:
            if name not in self.fields and len(self.fields) < FIELDS:
                self.fields.append(name)
        error = (outcome.error or outcome.status).partition("\n")[0] if failed else ""
        item = [
            position,
            _label(label),
            outcome.status,
            outcome.run_id,
            one_line(error, CELL_CHARS * 2),
            bool(outcome.reused),
            [cells.get(name) for name in self.fields],
        ]
        self._items[position] = item
        return item

    def _count(self, position: int, outcome: Any) -> None:
        for name, value in self._values.pop(position, {}).items():
            if name in self._counts:
                self._counts[name][value] -= 1
        kinds: dict[str, str] = {}
        for name, value in _cells(outcome.answer).items():
            if name in self._too_many or isinstance(value, float):
                continue
            text = str(value)
            counter = self._counts.setdefault(name, Counter())
            if len(text) > KIND_CHARS or (text not in counter and len(counter) >= KINDS):
                self._too_many.add(name)  # no kinds of answers: each is another
                del self._counts[name]
                continue
            counter[text] += 1
            kinds[name] = text
        self._values[position] = kinds

    def _shown_counts(self) -> list[list[Any]]:
        """Return [field, [[value, count], ...]] of those fields whose values come again."""
        shown = []
        for name, counter in self._counts.items():
            found = {value: count for value, count in counter.most_common() if count > 0}
            if found and sum(found.values()) >= 2 * len(found):
                shown.append([name, [list(pair) for pair in found.items()]])
        return shown


def _label(label: Any) -> str:
    return one_line(str(label), CELL_CHARS)


def _cells(answer: Any) -> dict[str, Any]:
    """Return an answer's fields as short plain values: numbers, and everything else as text."""
    if answer is None:
        return {}
    try:
        plain = to_plain(answer)
    except Exception:  # noqa: BLE001 - half of a surrogate pair, or a serializer of the user: shown as its text
        plain = str(answer)
    record = plain if isinstance(plain, Mapping) else {ANSWER: plain}
    return {
        one_line(str(name), KIND_CHARS): _cell(value) for name, value in record.items() if value is not None
    }


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return value if abs(value) < 2**53 else str(value)
    return one_line(value if isinstance(value, str) else dump_json(value).decode(), CELL_CHARS)
