"""What an agent may be given as `instructions`: a text, a list of texts, or a function that returns one of these.

Called by `agent.py`: checked where the agent is made, turned into text at each launch, on the launching
thread.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from nbagent.errors import ConfigurationError

Instructions = str | Sequence[str] | Callable[[], str | Sequence[str]]

_WHAT = "give a text, a list of texts, or a function without parameters that returns one of these"


def check_instructions(given: Any) -> None:
    """Raise ConfigurationError for what is neither a text, a list of texts, nor a function of no argument."""
    if isinstance(given, str) or _is_texts(given):
        return
    if not callable(given) or isinstance(given, type):
        raise ConfigurationError(f"instructions={given!r:.80} is no text", _WHAT)
    if inspect.iscoroutinefunction(given):
        raise ConfigurationError(f"instructions={given!r:.80} is an async function", _WHAT)
    try:
        inspect.signature(given).bind()
    except TypeError as error:
        raise ConfigurationError(f"instructions={given!r:.80} cannot be called: {error}", _WHAT) from None
    except ValueError:  # a builtin that tells no signature: calling it will say
        return


def instructions_text(given: Any) -> str:
    """Return the text that a model is given.

    Raises ConfigurationError as `check_instructions`, also for what a function returns or raises.
    """
    check_instructions(given)
    if not callable(given):
        return _joined(given)
    try:
        returned = given()
    except Exception as error:
        raise ConfigurationError(
            f"the function {_name(given)} given as instructions raised {type(error).__name__}: {error}",
            "mend it, or give the instructions as a text",
        ) from error
    if isinstance(returned, str) or _is_texts(returned):
        return _joined(returned)
    raise ConfigurationError(
        f"the function {_name(given)} given as instructions returned {returned!r:.80}",
        "it has to return a text or a list of texts",
    )


def _is_texts(given: Any) -> bool:
    return isinstance(given, list | tuple) and all(isinstance(one, str) for one in given)


def _joined(texts: str | Sequence[str]) -> str:
    return texts if isinstance(texts, str) else "\n".join(texts)


def _name(function: Any) -> str:
    return repr(getattr(function, "__name__", function))
