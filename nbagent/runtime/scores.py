"""What people and programs think of runs, on its way into the record. Blocks the caller until it is durable."""

from __future__ import annotations

import getpass
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nbagent.core import plain_number, unwrapped, utc_now
from nbagent.errors import UnknownNameError, UnknownOptionError
from nbagent.runtime.timeouts import COMMIT_WAIT_S
from nbagent.store import AddScore, RunStore

if TYPE_CHECKING:
    from nbagent.runtime.ports import RuntimePort

_USERS = (
    "JUPYTERHUB_USER",
    "NB_USER",
)  # who a hub says is at work; the machine's own name is the same for all there


@dataclass(frozen=True, slots=True)
class Score:
    """A score as a person gives it."""

    name: str
    value: Any
    comment: str | None = None
    author: str | None = None


def score_run(runtime: RuntimePort, store: RunStore, run_id: str, score: Score) -> None:
    """Write a score of a run. Raises UnknownOptionError, UnknownNameError for a run that is gone, and StoreError."""
    name: Any = score.name
    if not isinstance(name, str) or not name.strip():
        raise UnknownOptionError(
            f"a score has the name {name!r:.80}", 'name it, as in run.score("right", True)'
        )
    for what, text in (("comment", score.comment), ("author", score.author)):
        if text is not None and not isinstance(text, str):
            raise UnknownOptionError(f"the {what} is {text!r:.80}", "give a text")
    runtime.thread.forbid_blocking("run.score()")
    write = AddScore(
        run_id=run_id,
        name=name.strip(),
        value=_plain(score.value),
        author=score.author or _who(),
        comment=score.comment,
        created_at=utc_now(),
    )
    if not store.write(write, "a score", timeout_s=COMMIT_WAIT_S):
        raise UnknownNameError(f"run {run_id!r} is not in the record", "it may have been deleted")


def _plain(value: Any) -> bool | float | str:
    """Give a score as the record holds it. Raises UnknownOptionError."""
    value = unwrapped(value)
    if isinstance(value, str):
        return value
    if (number := plain_number(value)) is not None:
        return number
    raise UnknownOptionError(f"a score is {value!r:.80}", "give True or False, a finite number, or a word")


def _who() -> str:
    """Name who is at work: as a hub says, else who is logged in."""
    found = next((name for one in _USERS if (name := os.environ.get(one))), None)
    if found:
        return found
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # no name for this user's number
        return f"user {os.getuid()}" if hasattr(os, "getuid") else "somebody"
