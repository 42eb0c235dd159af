"""Launches for workers: the address of an agent, the row that waits for a worker, and what is asked of it from here.

addresses.py      the module and name under which another process finds the same agent
placed_launch.py  what may go to workers, and the launch
"""
