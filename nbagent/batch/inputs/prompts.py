"""From a row to its prompt, and to the key by which its answer is found again. Pure; on the background thread.

A row's values are put in as data: what looks like a template in them stays as it is.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from nbagent import settings
from nbagent.batch.inputs.row_source import InputRow, known_columns, templated
from nbagent.core import by_place
from nbagent.errors import ConfigurationError, PromptError, TemplateError, did_you_mean
from nbagent.events import FilePart
from nbagent.prompts import (
    BY_NAMES,
    IN_A_CELL,
    Attachment,
    attachments_of,
    files_of,
    is_missing,
    prompt_with,
    render,
    variables_in,
)

ROW, INDEX = "row", "index"
NAMES_TODO = 'give the template\'s variables as a mapping, as in names={"tone": "kind"}'
_MISSING = re.compile(r"has no attribute '([^']*)'|no element '([^']*)'")


Attached = tuple[Attachment, ...] | PromptError  # what goes with a row's prompt, or why it cannot


class FilledPrompt(str):
    """A row's prompt with the pictures and PDFs that go with it."""

    __slots__ = ("files",)
    files: tuple[FilePart, ...]

    @classmethod
    def of(cls, prompt: str, contexts: tuple[Attachment, ...]) -> FilledPrompt:
        """Return a prompt with what goes with it, texts after it and files beside it."""
        filled = cls(prompt_with(prompt, contexts))
        filled.files = files_of(contexts)
        return filled


def files_with(prompt: str) -> tuple[FilePart, ...]:
    """Return the files that go with a prompt."""
    return prompt.files if isinstance(prompt, FilledPrompt) else ()


@dataclass(frozen=True, slots=True)
class Prompts:
    """A template and the notebook's variables that it uses beside `row` (the row) and `index` (its label).

    `files` are the columns whose values go with the prompt: paths, pictures, tables, lists of these.
    """

    template: str
    names: Mapping[str, Any]
    files: tuple[Any, ...] = ()
    undefined: str = BY_NAMES  # what to do about a name that is not there

    @classmethod
    def of(cls, template: Any, names: Mapping[str, Any], files: Any = None) -> Prompts:
        """Check the template and keep what it uses of `names`, as it is now. Raises TemplateError and PromptError."""
        if not isinstance(template, str) or not template.strip():
            raise PromptError(
                f"the template is {template!r}", 'give a text such as "Classify: {{ row.text }}"'
            )
        used = variables_in(template)
        if not used & {ROW, INDEX} and not files:
            raise TemplateError(
                "the template does not use the row: every prompt would be the same",
                "put {{ row.column }} (or {{ row }}, for a list of texts) where the row's value goes",
            )
        columns = () if files is None else tuple(files) if isinstance(files, list) else (files,)
        known = {name: names[name] for name in used - {ROW, INDEX} if name in names}
        return cls(template, known, columns, by_place(python=BY_NAMES, magic=IN_A_CELL))

    def attached_to(self, row: Any) -> Attached:
        """Read what goes with a row's prompt; a column that is not there is `of_row`'s to tell. In a thread of its own."""
        found: list[Any] = []
        for name in self.files:
            value = _column(name, row)
            several = value if isinstance(value, list | tuple) else [value]
            found += [one for one in several if not is_missing(one)]
        try:
            return attachments_of(found, max_bytes=settings.get("max_context_bytes"))
        except ConfigurationError as error:
            return PromptError(error.what, error.todo)

    def of_row(self, label: Any, row: Any, attached: Attached | None = None) -> str:
        """Return a row's prompt, with what `attached_to` it or is read now.

        Raises TemplateError (a column that is not there) and PromptError (nothing left, or a file that cannot
        be sent).
        """
        try:
            prompt = render(self.template, {**self.names, ROW: row, INDEX: templated(label)}, self.undefined)
        except TemplateError as error:
            raise _of_column(error, row) from None
        if not prompt.strip():
            raise PromptError(
                f"the prompt of row {label!r} is empty", "give the template some text of its own"
            )
        if not self.files:
            return prompt
        for name in self.files:
            _check_column(name, row)
        contexts = self.attached_to(row) if attached is None else attached
        if isinstance(contexts, PromptError):
            raise contexts
        return FilledPrompt.of(prompt, contexts)


def _column(name: Any, row: Any) -> Any:
    """Return a row's value in a column, None where it has none; a row that is no record is the column `row` itself."""
    if not isinstance(row, InputRow):
        return row if name == ROW else None
    return row[name] if name in row else None  # noqa: SIM401 - what a row's `get` is, its columns say


def _check_column(name: Any, row: Any) -> None:
    columns = known_columns(row) if isinstance(row, InputRow) else [ROW]
    if not (name in row if isinstance(row, InputRow) else name == ROW):
        raise TemplateError(
            f"the rows have no column {name!r}{did_you_mean(str(name), columns)}, given as files",
            f"columns: {', '.join(columns[:20])}",
        )


def _of_column(error: TemplateError, row: Any) -> TemplateError:
    """Say of a column that is missing that it is one."""
    found, columns = _MISSING.search(error.what), known_columns(row)
    name = found and (found[1] or found[2])
    if not found or not columns or name in columns:
        return error
    where = error.what.partition(": ")[0]
    return TemplateError(
        f"the rows have no column {name!r}{did_you_mean(str(name), columns)}, used in {where}",
        f"columns: {', '.join(columns[:20])}",
    )


def key_columns(key: Any) -> tuple[Any, ...]:
    """Return the columns that tell rows apart, as `map(key=)` names them: one, or several."""
    if key is None:
        return ()
    return tuple(key) if isinstance(key, Iterable) and not isinstance(key, str) else (key,)


class RowKeys:
    """Tells rows by their prompts: the second row with one prompt has another key than the first."""

    def __init__(self) -> None:
        self._counts: dict[bytes, int] = {}

    def key_of(self, prompt: str) -> tuple[str, int]:
        """Return the row's key, and how many rows with this prompt there were before it."""
        hashed = hashlib.blake2b(prompt.encode("utf-8", "surrogatepass"), digest_size=16)
        for file in files_with(prompt):
            hashed.update(f"\0{file.media_type}\0{file.data}".encode())
        digest = hashed.digest()
        before = self._counts.get(digest, 0)
        self._counts[digest] = before + 1
        return (digest.hex() if before == 0 else f"{digest.hex()}#{before + 1}"), before
