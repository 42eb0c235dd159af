"""`nb.compare`: the same prompts to several agents or models, side by side. On the caller's thread; blocks it only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nbagent.core import check_count, check_seconds
from nbagent.errors import PromptError
from nbagent.evaluation.contenders import contenders_of
from nbagent.frames import COMPARISON, documented, frame_of_rows
from nbagent.run import RunOutput
from nbagent.runtime import Run, gather
from nbagent.schemas import rows_of

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trial:
    """One run of the grid."""

    contender: str
    prompt: str
    repeat: int
    run: Run


@documented(COMPARISON)
def compare(
    agents_or_models: Mapping[str, Any] | Iterable[Any] | Any,
    prompts: str | Iterable[str],
    output_schema: Any = None,
    repeat: int = 1,
    *,
    timeout: float | None = None,
) -> pd.DataFrame:
    """Ask each agent or model each prompt `repeat` times and return the answers beside latency, tokens and cost.

    `agents_or_models` are Agents (or Teams), model objects or "provider:name" strings, one or several; a
    mapping names them, and a list among them is one contender with models to fall back on. All runs work in
    the background at once, within the configured concurrency; this call waits for them, `timeout` seconds at
    most, and Stop cancels what has not ended. With an `output_schema`
    the answers' fields are columns of their own, `answer.<field>`. A failed run is a row with its status and
    error, nothing is raised for it. The frame has one row a run, ordered by prompt, contender and repeat; the
    runs carry the tag `compare`. Raises the ConfigurationErrors of a launch.

    >>> frame = nb.compare(["demo:assistant", "demo:slow"], "What is the capital of Italy?")
    >>> frame[["contender", "answer"]]
            contender                         answer
    0  demo:assistant  The capital of Italy is Rome.
    1       demo:slow  The capital of Italy is Rome.
    """
    contenders = contenders_of(agents_or_models, "compare")
    if not isinstance(prompts, Iterable):
        raise PromptError(f"compare was given the prompts {prompts!r:.80}", "give a text, or a list of texts")
    listed = [prompts] if isinstance(prompts, str) else list(prompts)
    if not listed:
        raise PromptError("compare was given no prompt", "give one, or a list of them")
    check_count("repeat", repeat, "give 1 or more")
    check_seconds("timeout", timeout)
    cells: list[_Trial] = []
    try:
        for prompt in listed:
            for name, agent in contenders.items():
                cells += [
                    _Trial(
                        contender=name,
                        prompt=prompt,
                        repeat=number,
                        run=agent.start(prompt, output_schema=output_schema, tags={"compare": name}),
                    )
                    for number in range(1, repeat + 1)
                ]
        gather(*(cell.run for cell in cells), timeout=timeout)
    except BaseException:
        for cell in cells:
            cell.run.cancel()
        raise
    outputs = [cell.run.output for cell in cells]
    rows = [_row(cell, output) for cell, output in zip(cells, outputs, strict=True)]
    return frame_of_rows(COMPARISON, rows, more=[_fields(output) for output in outputs])


def _row(cell: _Trial, output: RunOutput) -> dict[str, Any]:
    return {
        "prompt": cell.prompt,
        "contender": cell.contender,
        "repeat": cell.repeat,
        "status": output.status.value,
        "stop_reason": output.stop_reason,
        "answer": output.content,
        "error": output.error,
        **{name: getattr(output.metrics, name) for name in _MEASURED},
        "provider": output.provider,
        "model": output.model,
        "run_id": output.run_id,
    }


_MEASURED = (
    "duration_s",
    "ttft_s",
    "queued_s",
    "paused_s",
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "cost_usd",
    "model_calls",
    "tool_calls",
)


def _fields(output: RunOutput) -> dict[str, Any]:
    """Return the fields of a typed answer that is one record, as columns; others have none."""
    rows = rows_of(output.content) if output.output_valid else []
    return {f"answer.{name}": value for name, value in rows[0].items()} if len(rows) == 1 else {}
