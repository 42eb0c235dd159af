"""One unfinished run.

active_run.py        ActiveRun: its task, its record, its end; `end_events.py` how the end reads
executor.py          who works on an attempt, and the function for each kind of spec
run_tree.py          parent and child runs; `budget.py` what all of a tree may cost
run_context.py       which run a launch comes from
members.py           a team's members as child runs
history.py           a session's history, fit to be sent
pausable_timeout.py  the run's time limit
event_stream.py      its events for those who iterate; `callbacks.py` for `on_event=` and `on_text=`
"""
