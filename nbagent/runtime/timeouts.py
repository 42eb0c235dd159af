"""How long this room waits for whom, in seconds, in one place. What is bounded stands beside each number."""

from __future__ import annotations

# the store
COMMIT_WAIT_S = 2.0  # a launch, a step or an end for its commit; then the work goes on, and the rows follow
DECISION_WAIT_S = 5.0  # a person's decision for its commit, and for the live run that it is for
CLAIM_WAIT_S = 5.0  # a resumed attempt for its claim; then it is not resumed
PRICES_WAIT_S = 30.0  # costs that a new price gives to earlier calls for their commit
READ_S = 1.0  # a read of a session before it is asked whether the store is in trouble
READ_IN_TROUBLE_S = 0.2  # the same while the store is in trouble
READ_PATIENCE_S = 10.0  # all reads of a session from a store that is only busy
LOOK_S = 2.0  # a launch for what other kernels' runs its session has
LOOK_IN_TROUBLE_S = 0.2  # the same while the store is in trouble
SWEEP_WAIT_S = 2.0  # a waiting run for the end of attempts whose process is gone

# a live run
GRACE_S = 0.05  # a cancelled task to close its connection, before the end is written without it
HEARD_WAIT_S = 0.5  # a decision for the loop to take it
STOP_WAIT_S = 2.0  # `run.cancel()` for the end; another kernel hears of a cancel within a second, through a server at once
EXIT_S = 1.8  # everything at a kernel's exit, which gives about two seconds

# a budget of the record
BUDGET_WAIT_S = 60.0  # a model call for its slice; then its run ends
BUDGET_LOOK_S = 0.25  # between two looks at what other processes hold of it, where nothing else is left
BUDGET_IDLE_S = 0.5  # a process without a model call, before it gives back what it holds

# looking again
TICK_S = 1.0  # between two progress writes, and two looks at what other kernels ask for
WATCHED_S = 0.1  # between two progress writes of a run that somebody looks at in another process
HEARTBEAT_S = 60.0  # a quiet run's word that its process lives; other hosts give it up after ten times that
POLL_S = 0.5  # between two looks at a run that another kernel works on
LEAST_POLL_S = 0.1  # the same where a record tells that others have written
WAKE_S = 0.5  # a waiting kernel's loop sees Stop only when it wakes
