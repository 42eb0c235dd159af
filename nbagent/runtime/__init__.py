"""The runtime: everything between a launch and a final row.

`thread.py` is the background thread and its loop, `live.py` one unfinished run on it (`services.py` what it is given,
`ending.py` how its end reads), `handle.py` the `Run` that a user holds (`outcome.py` what it tells of the end,
`gathering.py` many at once, `stored.py` what the file has), `turns.py` who goes first (sessions, slots; `rates.py` per minute), `clock.py` a run's time limit,
`listeners.py` who hears its events, `children.py` which run a launch comes from, `kin.py` what stops with it,
`members.py` how a team's members are started and `budget.py` what all of it may cost, `mainthread.py` tools that need
the main thread, `record.py` a run's rows on their way to the store and
`handover.py` when they go, `launching.py` what a launch is given, `ticker.py` what happens once a second, `launch.py`
the kernel's one `Runtime`, which ties them together. `recover.py` resumes and retries runs: `standing.py` says where one stands, `equip.py` finds
its tools, schema and model again. `forecast.py` says what a launch would send and cost.
"""

from nbagent.runtime.equip import Equipment
from nbagent.runtime.forecast import Forecast, forecast
from nbagent.runtime.gathering import gather
from nbagent.runtime.handle import Run
from nbagent.runtime.launch import Runtime, current
from nbagent.runtime.launching import Crew, Launching
from nbagent.runtime.listeners import Callbacks, RunEvents

__all__ = [
    "Callbacks",
    "Crew",
    "Equipment",
    "Forecast",
    "Launching",
    "Run",
    "RunEvents",
    "Runtime",
    "current",
    "forecast",
    "gather",
]
