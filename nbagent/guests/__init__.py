"""Guests: agents of other frameworks, run in the background of a notebook as our own.

definition.py       `nb.guest` and what it makes; any object to something that runs
recognition.py      which framework an object is of, by name
guest_spec.py       a guest's run as data
running.py          one attempt of a guest, from prompt to end
reporter.py         what a framework tells, as the run's events
member_runs.py      runs of their own for the members of a guest that is a team
answers.py          what it gives, as the run's end
task.py             what a framework's file is given; our history in the usual form
own_connections.py  a copy of the user's object with HTTP connections of its own
own_globals.py      the globals that a copied function reads
own_tasks.py        what a framework starts beside its run ends with it
frameworks/         one file for each framework: what it tells of an agent, and how it is run
"""

from nbagent.guests.definition import Guest, as_runnable, guest
from nbagent.guests.running import run_guest
from nbagent.runtime import register_runner

register_runner("guest", run_guest)

__all__ = ["Guest", "as_runnable", "guest"]
