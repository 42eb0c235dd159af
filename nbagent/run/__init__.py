"""What a run is when somebody looks at it: status, metrics, snapshot; and the folds from events to these.

status.py      RunStatus, the stop reasons, which status each means
metrics.py     RunMetrics, folded from a run's model and tool calls
output.py      RunOutput, the frozen snapshot
record.py      RunRecord, the live fold of a run's events
order.py       tool calls as the model asked for them
size.py        how much memory a run takes
waited_run.py  the run of its session that it waits for
catch_up.py    a record as few events, for who listens late
reprs.py       short forms of what a user holds
"""

from nbagent.run.catch_up import catch_up_events, catch_up_events_of_stored, text_of
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
from nbagent.run.waited_run import EarlierRun, whole_seconds

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
    "TypedOutput",
    "calls_of_all",
    "catch_up_events",
    "catch_up_events_of_stored",
    "html_repr",
    "in_asked_order",
    "metrics_of",
    "paid_calls",
    "short_repr",
    "shown",
    "size_bytes",
    "status_of",
    "sum_known",
    "text_of",
    "told_fields",
    "whole_seconds",
    "without_texts",
]
