"""Launches for workers: the address of an agent, the row that waits for a worker, and what is heard of it here.

addresses.py      the module and name under which another process finds the same agent
who_serves.py     which workers serve an address
placed_launch.py  what may go to workers, and the launch
placed_retry.py   the same row once more
placed_runs.py    the runs that this kernel has launched so
status_watch.py   waiting for runs of other processes
following.py      the events of one
take_up.py        a worker takes up a run: its first attempt, or the next one
take_up_row.py    a worker goes on with a run of a batch
"""
