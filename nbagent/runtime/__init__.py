"""The runtime: everything between a launch and a final row.

runtime.py          Runtime, one a kernel: launch, resume, cancel, close; `current()`
registry.py         the runs that this kernel works on or remembers
run_handle.py       Run, what a user holds; `run_view.py` its state, `run_errors.py` what it says of an end
api.py              get, gather, resume, cancel_run
batch_launcher.py   many runs of one agent
repricing.py        costs that a new price gives to earlier calls
shutdown.py         the process ends: what becomes of its runs, and what a script is told
ports.py            what these files need of each other, as Protocols
timeouts.py         every wait of this room, with what it bounds
launch/             the request as data, what it would cost, an earlier answer in its place
limits/             model calls at a time, in a minute, and as the provider refuses them; what may be spent
scheduling/         who goes next: the background loop, turns of a session, the main thread
execution/          one unfinished run: its task, its place in the run tree, its history, its listeners
placement/          launches for workers: an agent's address, and the row that waits for one
steering/           messages that a person sends to a run on the way
recovery/           rows on their way to the store, approvals, and attempts that begin from stored rows

Imports point one way: launch and scheduling and what recovery writes know no run; execution stands on them,
resume and the registry on that, `runtime.py` on all. A file names types of the files below it or of
`ports.py`, never its caller.
"""

from nbagent.runtime.api import (
    cancel_run,
    gather,
    get,
    get_many,
    pending_output,
    read_ahead,
    resume,
    supersede,
)  # fmt: skip
from nbagent.runtime.batch_launcher import BatchLauncher
from nbagent.runtime.execution.active_run import ActiveRun
from nbagent.runtime.execution.callbacks import Callbacks
from nbagent.runtime.execution.done_callbacks import DoneCallbacks
from nbagent.runtime.execution.event_stream import RunEvents
from nbagent.runtime.execution.executor import Executor, WorkerExecutor, register_runner
from nbagent.runtime.execution.history import as_sent, whole
from nbagent.runtime.execution.members import MemberRunner
from nbagent.runtime.execution.run_context import RUN_TASK, ancestor_ids
from nbagent.runtime.launch.forecast import Forecast, forecast
from nbagent.runtime.launch.request import LaunchRequest, ResolvedAgent, check_models
from nbagent.runtime.limits.allowance import allowance_of, budget_text
from nbagent.runtime.limits.budgets import BatchSlots
from nbagent.runtime.limits.limiter import call_limits
from nbagent.runtime.placement.placed_launch import address_for, check_placed, warn_if_unserved
from nbagent.runtime.placement.take_up import (
    DIED,
    GIVEN_BACK,
    ChangedAgentError,
    agent_as_launched,
    take_up,
    take_up_new,
)
from nbagent.runtime.placement.who_serves import waits_for_worker
from nbagent.runtime.ports import HasModel, LiveRun, Runnable
from nbagent.runtime.recovery.dependencies import agents_in, notebook_names
from nbagent.runtime.recovery.resume import agent_of_stored_spec
from nbagent.runtime.recovery.standing_approvals import end as end_standing_approvals
from nbagent.runtime.recovery.standing_approvals import granted_to, is_kernel_bound
from nbagent.runtime.repricing import catch_up_prices, report_repriced, reprice
from nbagent.runtime.run_handle import Run
from nbagent.runtime.runtime import Runtime, current
from nbagent.runtime.scheduling.code_at_work import CODE_FILE, code_at_work, forbid_inside

__all__ = [
    "CODE_FILE",
    "DIED",
    "GIVEN_BACK",
    "RUN_TASK",
    "ActiveRun",
    "BatchLauncher",
    "BatchSlots",
    "Callbacks",
    "ChangedAgentError",
    "DoneCallbacks",
    "Executor",
    "Forecast",
    "HasModel",
    "LaunchRequest",
    "LiveRun",
    "MemberRunner",
    "ResolvedAgent",
    "Run",
    "RunEvents",
    "Runnable",
    "Runtime",
    "WorkerExecutor",
    "address_for",
    "agent_as_launched",
    "agent_of_stored_spec",
    "agents_in",
    "allowance_of",
    "ancestor_ids",
    "as_sent",
    "budget_text",
    "call_limits",
    "cancel_run",
    "catch_up_prices",
    "check_models",
    "check_placed",
    "code_at_work",
    "current",
    "end_standing_approvals",
    "forbid_inside",
    "forecast",
    "gather",
    "get",
    "get_many",
    "granted_to",
    "is_kernel_bound",
    "notebook_names",
    "pending_output",
    "read_ahead",
    "register_runner",
    "report_repriced",
    "reprice",
    "resume",
    "supersede",
    "take_up",
    "take_up_new",
    "waits_for_worker",
    "warn_if_unserved",
    "whole",
]
