"""What a person changes of a batch after its launch: its limits, or how rows are asked again; and rows asked repeatedly.

Called by `batch.py` on the caller's thread.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from nbagent.batch.inputs.prompts import FilledPrompt, Prompts, RowKeys
from nbagent.batch.inputs.row_source import Numbered, RowSource, source_of
from nbagent.batch.plan import BatchLimits, BatchPlan
from nbagent.batch.row_outcome import spent_on
from nbagent.batch.running.results import Results
from nbagent.batch.running.row_queue import RowRequest
from nbagent.errors import ConfigurationError, NBAgentError, UnknownOptionError, did_you_mean
from nbagent.runtime import notebook_names

_LIMITS = {
    "max_concurrency": "max_concurrency",
    "max_cost": "max_cost_usd",
    "max_tokens": "max_tokens",
    "requests_per_minute": "requests_per_minute",
    "tokens_per_minute": "tokens_per_minute",
}


@dataclass(frozen=True, slots=True)
class RowChanges:
    """How rows are asked again: None is as before. `rows` is their table, `names` what the template may use."""

    template: str | None
    agent: Any
    max_cost: float | None
    rows: Any
    names: Mapping[str, Any]

    def of(self, plan: BatchPlan, batch_key: str) -> BatchPlan:
        """Return the plan for these rows: each asked by itself. Raises TemplateError and the errors of an agent.

        Answers that a batch with this key would not have had are a variant's: no later batch is given them.
        """
        changed = plan
        if self.template is not None:
            known = {**notebook_names(), **plan.prompts.names, **self.names}
            changed = replace(changed, prompts=Prompts.of(self.template, known, list(plan.prompts.files)))
        if self.agent is not None:
            if not callable(getattr(self.agent, "resolved", None)):
                raise UnknownOptionError(f"agent={self.agent!r} is no agent", "give an Agent or a Team")
            changed = replace(changed, crew=self.agent.resolved(output_schema=self._schema(plan)))
        return replace(changed, group=1, is_variant=changed.key != batch_key)

    def _schema(self, plan: BatchPlan) -> Any:
        """Return the batch's own schema: its frame has one kind of answers, whoever gives them."""
        schema = plan.output_schema
        return None if schema is None else schema


def changed_limits(limits: BatchLimits, given: Mapping[str, Any]) -> BatchLimits:
    """Return the limits with those given in place of what they were. Raises UnknownOptionError."""
    for name in given:
        if name not in _LIMITS:
            raise UnknownOptionError(
                f"a batch has no limit {name!r}{did_you_mean(name, list(_LIMITS))}",
                f"limits: {', '.join(_LIMITS)}",
            )
    if given.get("max_concurrency", 1) is None:
        raise UnknownOptionError("max_concurrency is None", "give the number of rows in flight")
    changed = replace(limits, **{_LIMITS[name]: value for name, value in given.items()})
    changed.check()
    return changed


def repeated(source: RowSource, times: int) -> RowSource:
    """Return a source that gives each row so many times, one after the other."""

    def rows() -> Iterator[Numbered]:
        for numbered in source.rows:
            for _ in range(times):
                yield numbered

    total = None if source.total is None else source.total * times
    return replace(source, rows=rows(), total=total)


@dataclass(frozen=True, slots=True)
class RowsAgain:
    """The rows of a batch that can be asked again: their outcomes, and where they came from, in the kernel that knows."""

    results: Results
    source: RowSource | None
    repeat: int
    are_records: bool

    def requests(self, positions: Sequence[int], plan: BatchPlan, changes: RowChanges) -> list[RowRequest]:
        """Return what is sent for these rows: the prompts that they had, or new ones of the rows themselves.

        Raises ConfigurationError where the rows are wanted and not there, and TemplateError.
        """
        results, keys = self.results, RowKeys()
        outcomes = [results.outcomes[position] for position in positions]
        remade = [
            position
            for position, one in zip(positions, outcomes, strict=True)
            if one is None
            or one.prompt is None
            or changes.template is not None
            or (plan.prompts.files and not isinstance(one.prompt, FilledPrompt))
        ]
        if changes.rows is not None and not remade:
            self._check_size(source_of(changes.rows))
        rows = self._rows_to(remade, changes.rows) if remade else []
        remade_positions, numbers = frozenset(remade), _Numbers(plan, rows)
        requests = []
        for position, one in zip(positions, outcomes, strict=True):
            assert one is not None
            prompt, key = one.prompt, one.key
            if position in remade_positions:
                label, row = rows[position]
                prompt = plan.prompts.of_row(label, row)
                key = numbers.key_of(position, prompt)
                results.labels[position], results.keys[position] = label, plan.key_of(label, row)
            if prompt is not None:
                found = key or keys.key_of(prompt)[0]
                requests.append(RowRequest((position,), (prompt,), (found,), spent_on(one), one))
        return requests

    def _rows_to(self, positions: Sequence[int], given: Any) -> list[Numbered]:
        """Return the rows by position up to the last of these, of the table that is given or of the batch's own."""
        source = source_of(given) if given is not None else self._own()
        if source is None:
            raise ConfigurationError(
                "this needs the rows themselves (for another template, or for the files that go with them), which this kernel "
                "does not have",
                "give their table again: rows=table",
            )
        if source.total is not None and source.total * self.repeat <= max(positions):
            raise ConfigurationError(
                f"the table has {source.total} rows, the batch row {max(positions) // self.repeat}",
                "give the table that the batch was made of",
            )
        rows = [numbered for numbered in source.rows for _ in range(self.repeat)]
        return rows[: max(positions) + 1]

    def _check_size(self, source: RowSource) -> None:
        """Refuse a table that is not the batch's where its rows are not wanted: they would be passed over in silence."""
        size = len(self.results.outcomes) // self.repeat
        if source.total is not None and source.total < size:
            raise ConfigurationError(
                f"the table has {source.total} rows, the batch {size}: these rows are asked with the prompts that they had",
                "leave rows= away, or map the new table as a batch of its own",
            )

    def _own(self) -> RowSource | None:
        """Return the rows that the batch was given: records, or the values of one column."""
        if self.source is None or self.source.frame is None:
            return None
        frame = self.source.frame()
        return source_of(frame if self.are_records else frame.iloc[:, 0])


class _Numbers:
    """The keys of rows whose prompts are made again: each has the number among equal prompts that it had in the table.

    A later batch finds their answers by these. Where files go with the rows, which are not all read again for
    it, rows are numbered among those that are asked.
    """

    def __init__(self, plan: BatchPlan, rows: Sequence[Numbered]) -> None:
        self._plan, self._rows, self._next = plan, rows, 0
        self._keys = RowKeys()

    def key_of(self, position: int, prompt: str) -> str:
        """Return the key of the row at a position; positions come in order."""
        if not self._plan.prompts.files:
            for label, row in self._rows[self._next : position]:
                with contextlib.suppress(NBAgentError):  # a row without a prompt has no key
                    self._keys.key_of(self._plan.prompts.of_row(label, row))
        self._next = position + 1
        key = self._keys.key_of(prompt)[0]
        return key.partition("#")[0] if self._plan.dedupe else key
