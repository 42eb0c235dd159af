"""Who goes next.

background_loop.py    the background thread and its event loop
main_thread.py        work for the kernel's main thread
concurrency.py        ConcurrencyLimiter and RunGate: model calls at a time
rate_window.py        requests and tokens in the last minute
server_limits.py      how many requests a server takes at a time
fair_yield.py         few resumptions in one iteration of the event loop
session_queue.py      a session's runs in this kernel, in order; `session_turn.py` one run's way to its turn
session_conflicts.py  unfinished runs that a launch finds in its session
turn_watch.py         when a waiting run looks again
"""
