"""What lets a run outlive its process: rows on their way to the store, and attempts that begin from them.

write_builders.py     a record's rows as store commands; `persister.py` when they are handed over
heartbeat.py          once a second: progress out, other kernels' requests in
pending_approvals.py  calls of a live run that wait for a person
decide_approvals.py   approve and deny, from any kernel; `abandoned.py` paused runs whose kernel is gone
resume.py             Resumer: resume, retry, adopt; `resume_state.py` where the next attempt begins
fork.py               where a run begins that shares the first steps of another one
dependencies.py       tools, schema and model of a stopped run found again
load.py               stored answers in their types
"""
