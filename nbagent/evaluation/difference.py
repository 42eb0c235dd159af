"""`nb.diff`: what two runs did, step by step, side by side. On the caller's thread."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from nbagent.batch import get
from nbagent.errors import UnknownOptionError
from nbagent.frames import DIFFERENCE, documented, frame_of_rows
from nbagent.run import RunOutput, sum_known
from nbagent.runtime import Run

if TYPE_CHECKING:
    import pandas as pd


@documented(DIFFERENCE)
def diff(a: Run | RunOutput | str, b: Run | RunOutput | str) -> pd.DataFrame:
    """Compare two runs step by step: texts, tool calls, tokens, cost and time, one row for each.

    `a` and `b` are handles, outputs, ids or labels. Step 0 is the run as a whole; the k-th tool call of a step stands
    beside the other run's k-th. Unknown is None, and two unknowns are the same. Raises UnknownNameError.

    >>> first = Agent(model="demo:assistant").start("What is the capital of Peru?")
    >>> second = Agent(model="demo:assistant").start("What is the capital of Chile?")
    >>> frame = nb.diff(first.wait(timeout=30), second.wait(timeout=30))
    >>> frame.loc[frame["kind"] == "text", ["step", "a", "b", "same"]]
       step                             a                                b   same
    7     1  The capital of Peru is Lima.  The capital of Chile is Santiago.  False
    """
    one, other = _output(a), _output(b)
    rows = [
        {"step": step, "kind": kind, "a": left, "b": right, "same": left == right}
        for (step, kind), left, right in _paired(dict(_facts(one)), dict(_facts(other)))
    ]
    return frame_of_rows(DIFFERENCE, rows)


def _output(given: Any) -> RunOutput:
    if isinstance(given, RunOutput):
        return given
    found = get(given) if isinstance(given, str) else given
    if not isinstance(found, Run):
        raise UnknownOptionError(f"diff was given {given!r:.80}", "give runs, their outputs, ids or labels")
    return found.output


def _paired(left: dict[tuple[int, str], Any], right: dict[tuple[int, str], Any]) -> Iterator[Any]:
    """Give each fact with its value in both, in the order of steps; None where a run has none."""
    keys = list(dict.fromkeys([*left, *right]))
    for key in sorted(keys, key=lambda one: one[0]):
        yield key, left.get(key), right.get(key)


def _facts(output: RunOutput) -> Iterator[tuple[tuple[int, str], Any]]:
    """Give what a run did, by step and kind."""
    metrics = output.metrics
    for kind, value in (
        ("prompt", output.prompt), ("model", f"{output.provider}:{output.model}"), ("status", output.status.value),
        ("answer", output.content if isinstance(output.content, str) or output.content is None else repr(output.content)),
        ("tokens", metrics.total_tokens), ("cost_usd", metrics.cost_usd), ("duration_s", metrics.duration_s),
    ):  # fmt: skip
        yield (0, kind), value
    texts = [message for message in output.messages if message.role == "assistant"]
    results = {message.tool_call_id: message.content for message in output.messages if message.role == "tool"}
    for step, message in enumerate(texts, 1):
        yield (step, "text"), message.content
        for number, request in enumerate(message.tool_requests, 1):
            kind = f"tool call {number}" if len(message.tool_requests) > 1 else "tool call"
            yield (step, kind), f"{request.name}({request.arguments})"
            yield (step, kind.replace("call", "result")), results.get(request.tool_call_id)
    for step in sorted({call.step for call in output.model_calls}):
        calls = [call for call in output.model_calls if call.step == step]
        yield (step, "tokens"), sum_known(call.usage.total_tokens for call in calls)
        yield (step, "cost_usd"), sum_known(call.cost_usd for call in calls)
        yield (step, "duration_s"), sum_known(call.duration_s for call in calls)
