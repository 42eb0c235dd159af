"""Worker processes: they take runs that were launched `on="workers"` from the record, on any number of machines.

command.py   the command line: `nbagent worker agents:desk --store postgresql://host/team`
serving.py   which agents a worker has, by their addresses
worker.py    one worker: the product's own runtime without a notebook
lease.py     its word that it lives, what others have left, what the engine has to be given
engine.py    the engine, DBOS on the record's server; the only module that imports dbos
health.py    an answer for whoever watches the process
logs.py      one line of JSON an event
demo.py      a Postgres of its own and two workers, to try it; demo_agents.py is what they serve

A run's steps are in the record alone; the engine only says which worker has its turn. `runtime/placement/take_up.py` goes on
where the record says that a run stands.
"""
