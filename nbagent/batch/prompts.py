"""From a row to its prompt, and to the key by which its answer is found again. Pure; on the background thread.

A row's values are put in as data: what looks like a template in them stays as it is.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nbagent.batch.rows import known_columns, templated
from nbagent.errors import PromptError, TemplateError, close_match
from nbagent.template import render, variables_in

ROW, INDEX = "row", "index"
_MISSING = re.compile(r"has no attribute '([^']*)'|no element '([^']*)'")


@dataclass(frozen=True, slots=True)
class Prompts:
    """A template and the notebook's variables that it uses beside `row` (the row) and `index` (its label)."""

    template: str
    names: Mapping[str, Any]

    @classmethod
    def of(cls, template: Any, names: Mapping[str, Any]) -> Prompts:
        """Check the template and keep what it uses of `names`, as it is now. Raises TemplateError and PromptError."""
        if not isinstance(template, str) or not template.strip():
            raise PromptError(
                f"the template is {template!r}", 'give a text such as "Classify: {{ row.text }}"'
            )
        used = variables_in(template)
        if ROW not in used:
            raise TemplateError(
                "the template does not use the row: every prompt would be the same",
                "put {{ row.column }} (or {{ row }}, for a list of texts) where the row's value goes",
            )
        return cls(template, {name: names[name] for name in used - {ROW, INDEX} if name in names})

    def of_row(self, label: Any, row: Any) -> str:
        """Return a row's prompt. Raises TemplateError (a column that is not there) and PromptError (nothing left)."""
        try:
            prompt = render(self.template, {**self.names, ROW: row, INDEX: templated(label)})
        except TemplateError as error:
            raise _of_column(error, row) from None
        if not prompt.strip():
            raise PromptError(
                f"the prompt of row {label!r} is empty", "give the template some text of its own"
            )
        return prompt


def _of_column(error: TemplateError, row: Any) -> TemplateError:
    """Say of a column that is missing that it is one."""
    found, columns = _MISSING.search(error.what), known_columns(row)
    name = found and (found[1] or found[2])
    if not found or not columns or name in columns:
        return error
    where = error.what.partition(": ")[0]
    return TemplateError(
        f"the rows have no column {name!r}{close_match(str(name), columns)}, used in {where}",
        f"columns: {', '.join(columns[:20])}",
    )


class RowKeys:
    """Tells rows by their prompts: the second row with one prompt has another key than the first."""

    def __init__(self) -> None:
        self._seen: dict[bytes, int] = {}

    def key_of(self, prompt: str) -> tuple[str, int]:
        """Return the row's key, and how many rows with this prompt there were before it."""
        digest = hashlib.blake2b(prompt.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        before = self._seen.get(digest, 0)
        self._seen[digest] = before + 1
        return (digest.hex() if before == 0 else f"{digest.hex()}#{before + 1}"), before
