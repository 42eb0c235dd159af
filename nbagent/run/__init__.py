"""What a run is when somebody looks at it: status, metrics, snapshot; and the folds from events to these.

status.py      RunStatus, the stop reasons, which status each means
metrics.py     RunMetrics, folded from a run's model and tool calls
output.py      RunOutput, the frozen snapshot
record.py      RunRecord, the live fold of a run's events
order.py       tool calls as the model asked for them
size.py        how much memory a run takes
waited_run.py  the run of its session that it waits for
catch_up.py    a record as few events, for who listens late
tracebacks.py  a traceback's own frames, without those of libraries
reprs.py       short forms of what a user holds
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbagent.run.catch_up import StoredEvents, catch_up_events, text_of
    from nbagent.run.metrics import (
        TOKEN_FIELDS,
        AttemptTimes,
        RunMetrics,
        calls_of_all,
        metrics_of,
        paid_calls,
        sum_known,
    )
    from nbagent.run.order import in_asked_order
    from nbagent.run.output import RunOutput, shown
    from nbagent.run.record import RunLaunch, RunRecord, TypedOutput, without_texts
    from nbagent.run.reprs import html_repr, short_repr, told_fields
    from nbagent.run.size import size_bytes
    from nbagent.run.status import FINISHED, STATUS_OF, UNFINISHED, RunStatus, StopReason, status_of
    from nbagent.run.tracebacks import library_of, own_frames, where_raised
    from nbagent.run.waited_run import EarlierRun, whole_seconds

_HOMES = {
    name: module
    for module, names in {
        "catch_up": "StoredEvents catch_up_events text_of",
        "metrics": "TOKEN_FIELDS AttemptTimes RunMetrics calls_of_all metrics_of paid_calls sum_known",
        "order": "in_asked_order",
        "output": "RunOutput shown",
        "record": "RunLaunch RunRecord TypedOutput without_texts",
        "reprs": "html_repr short_repr told_fields",
        "size": "size_bytes",
        "status": "FINISHED STATUS_OF UNFINISHED RunStatus StopReason status_of",
        "tracebacks": "library_of own_frames where_raised",
        "waited_run": "EarlierRun whole_seconds",
    }.items()
    for name in names.split()
}

__all__ = [
    "FINISHED",
    "STATUS_OF",
    "TOKEN_FIELDS",
    "UNFINISHED",
    "AttemptTimes",
    "EarlierRun",
    "RunLaunch",
    "RunMetrics",
    "RunOutput",
    "RunRecord",
    "RunStatus",
    "StopReason",
    "StoredEvents",
    "TypedOutput",
    "calls_of_all",
    "catch_up_events",
    "html_repr",
    "in_asked_order",
    "library_of",
    "metrics_of",
    "own_frames",
    "paid_calls",
    "short_repr",
    "shown",
    "size_bytes",
    "status_of",
    "sum_known",
    "text_of",
    "told_fields",
    "where_raised",
    "whole_seconds",
    "without_texts",
]


def __getattr__(name: str) -> Any:
    """Import a name's file at its first use: `%load_ext` needs the statuses alone, and none of the models of pydantic."""
    if name not in _HOMES:
        raise AttributeError(f"module 'nbagent.run' has no attribute {name!r}")
    found = getattr(importlib.import_module(f"nbagent.run.{_HOMES[name]}"), name)
    globals()[name] = found
    return found
