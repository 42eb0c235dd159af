"""Who goes next.

background_loop.py    the background thread and its event loop
main_thread.py        work for the kernel's main thread
fair_yield.py         few resumptions in one iteration of the event loop
session_queue.py      a session's runs in this kernel, in order; `session_turn.py` one run's way to its turn
session_conflicts.py  unfinished runs that a launch finds in its session
turn_watch.py         when a waiting run looks again
"""
