"""Guests: agents of other frameworks, run in the background of a notebook as our own.

definition.py       `nb.guest` and what it makes; any object to something that runs
recognition.py      which framework an object is of, by name
guest_spec.py       a guest's run as data
running.py          one attempt of a guest, from prompt to end
reporter.py         what a framework tells, as the run's events
task.py             what a framework's file is given; our history in the usual form
own_connections.py  a copy of the user's object with HTTP connections of its own
frameworks/         one file for each framework: what it tells of an agent, and how it is run
"""

from nbagent.guests.definition import Guest, as_runnable, guest
from nbagent.guests.running import run_guest
from nbagent.runtime import register_runner

register_runner("guest", run_guest)

__all__ = ["Guest", "as_runnable", "guest"]
