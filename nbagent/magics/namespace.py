"""What the words of a launching line name in the notebook: a run, a session, any expression. Main thread."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nbagent.errors import UnknownNameError, did_you_mean

if TYPE_CHECKING:
    from nbagent.runtime import Run


def find_run(run_id: str) -> Run | None:
    """Return the run of that id, or None."""
    from nbagent import runtime

    try:
        return runtime.current().get(run_id)
    except UnknownNameError:
        return None


def session(word: str | None, names: Mapping[str, Any]) -> Any:
    """Return what `--session` names: a Session of the notebook, else an id."""
    from nbagent.session import Session

    named = names.get(word) if word else None
    return named if isinstance(named, Session) else word


_SHELLS_OWN = frozenset({"open", "exit", "quit", "get_ipython"})


def evaluate(expression: str, names: Mapping[str, Any], what: str) -> Any:
    """Return the value of a name or expression of the notebook, such as `City` or `list[City]`."""
    try:
        return eval(expression, dict(names))  # noqa: S307 - the user's own notebook, the user's own line
    except NameError as error:
        missing = error.name or expression
        known = [name for name, value in names.items() if callable(value) and name not in _SHELLS_OWN]
        raise UnknownNameError(
            f"{what} {expression!r}: {missing!r} is not defined{did_you_mean(missing, known)}",
            f"run the cell that defines {missing!r} first",
        ) from None
    except Exception as error:  # noqa: BLE001 - whatever the user's expression raises
        raise UnknownNameError(
            f"{what} {expression!r} cannot be read: {error}", f"name a {what} of the notebook"
        ) from None
