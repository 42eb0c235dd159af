"""The runtime: everything between a launch and a final row.

`thread.py` is the background thread and its loop, `live.py` one unfinished run on it, `handle.py` the `Run` that
a user holds, `turns.py` who goes first (sessions, slots), `record.py` a run's rows on their way to the store,
`launch.py` the kernel's one `Runtime`, which ties them together.
"""

from nbagent.runtime.handle import Run, gather
from nbagent.runtime.launch import Launching, Runtime, current

__all__ = ["Launching", "Run", "Runtime", "current", "gather"]
