"""The runtime: everything between a launch and a final row.

`launch.py` is the kernel's one `Runtime`, which ties the others together. What happens to a run:

launching.py   what a launch is given; `bulk.py` many of them at once, `forecast.py` what one would send and cost
thread.py      the background thread and its loop; `mainthread.py` tools that need the main thread
live.py        one unfinished run on it; `services.py` what it is given, `clock.py` its time limit, `ending.py` how
               its end reads
session_turns.py  whose turn it is in a session, here and in other kernels; `turn_watch.py` when to look again
turns.py       who goes first: slots; `rates.py` per minute, `breath.py` rests for the user's own cells
history.py     what of its session the model is shown; `reuse.py` an earlier answer in its place, by `cachekey.py`
approvals.py   calls that wait for a person; `decisions.py` what people decide on them
children.py    which run a launch comes from; `kin.py` what stops with it, `members.py` how a team's members are
               started, `budget.py` what all of it may cost
record.py      its rows on their way to the store; `handover.py` when they go, `ticker.py` what happens once a second
listeners.py   who hears its events
handle.py      the `Run` that a user holds; `outcome.py` what it tells of the end, `stored.py` what the file has,
               `verbs.py` runs by their names
recover.py     resume and retry; `standing.py` where a run stands, `equip.py` its tools, schema and model again
"""

from nbagent.runtime.api import cancel_run, gather, get, resume
from nbagent.runtime.execution.active_run import ActiveRun
from nbagent.runtime.execution.event_stream import Callbacks, RunEvents
from nbagent.runtime.execution.history import as_sent, whole
from nbagent.runtime.launch.batch_launcher import BatchLauncher
from nbagent.runtime.launch.forecast import Forecast, forecast
from nbagent.runtime.launch.request import LaunchRequest, ResolvedAgent, check_models
from nbagent.runtime.recovery.dependencies import HasDependencies, HasModel, RunDependencies, notebook_names
from nbagent.runtime.recovery.resume import agent_of_stored_spec
from nbagent.runtime.repricing import catch_up_prices, report_repriced, reprice
from nbagent.runtime.run_handle import Run
from nbagent.runtime.runtime import Runtime, current
from nbagent.runtime.scheduling.concurrency import ConcurrencyLimiter, Place, call_limits
from nbagent.runtime.scheduling.fair_yield import FairYield
from nbagent.runtime.scheduling.rate_window import RateWindow, Sample

__all__ = [
    "ActiveRun",
    "BatchLauncher",
    "Callbacks",
    "ConcurrencyLimiter",
    "FairYield",
    "Forecast",
    "HasDependencies",
    "HasModel",
    "LaunchRequest",
    "Place",
    "RateWindow",
    "ResolvedAgent",
    "Run",
    "RunDependencies",
    "RunEvents",
    "Runtime",
    "Sample",
    "agent_of_stored_spec",
    "as_sent",
    "call_limits",
    "cancel_run",
    "catch_up_prices",
    "check_models",
    "current",
    "forecast",
    "gather",
    "get",
    "notebook_names",
    "report_repriced",
    "reprice",
    "resume",
    "whole",
]
