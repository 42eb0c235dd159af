"""An answer's scores by the scorers' names, whatever a scorer does. Pure but for the scorers; caller's thread."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from nbagent.core import plain_number
from nbagent.errors import ConfigurationError
from nbagent.evaluation.columns import COLUMNS
from nbagent.evaluation.judging import Judge
from nbagent.evaluation.scorers import COMPARES


@dataclass(frozen=True, slots=True)
class Scored:
    """The scores of one answer by name (bool or float), and what scorers raised or gave that is no score."""

    scores: dict[str, bool | float] = field(default_factory=dict)
    error: str | None = None


def _gives_no_value(scorer: Any) -> bool:
    """Say whether a call gives something to be awaited or gone through, and no score."""
    kinds = inspect.iscoroutinefunction, inspect.isasyncgenfunction, inspect.isgeneratorfunction
    while isinstance(scorer, functools.partial):
        scorer = scorer.func
    call = scorer if inspect.isroutine(scorer) else getattr(type(scorer), "__call__", None)  # noqa: B004 - the method itself
    return any(kind(call) for kind in kinds)


def named_scorers(given: Any) -> dict[str, Any]:
    """Give scorers by their names: a mapping's own, else the functions'; equal names are told apart by a number.

    Raises:
        ConfigurationError: one cannot be called, or has the name of another column.
    """
    if isinstance(given, Mapping):
        named = {str(name): one for name, one in given.items()}
    else:
        named = {}
        for one in given if isinstance(given, list | tuple) else [given]:
            name = one.name if isinstance(one, Judge) else getattr(one, "__name__", type(one).__name__)
            name = "score" if name == "<lambda>" else name
            number = sum(known.partition("#")[0] == name for known in named)
            named[f"{name}#{number + 1}" if number else name] = one
    for name, one in named.items():
        if not callable(one) and not isinstance(one, Judge):
            raise ConfigurationError(
                f"the scorer {name!r} is {one!r:.80}",
                "give functions of (answer, expected, row), or nb.judge",
            )
        if _gives_no_value(one):
            raise ConfigurationError(
                f"the scorer {name!r} is an async function or a generator, which gives no score by itself",
                "write it as def, with return; a model's verdict is nb.judge(agent)",
            )
        if name in COLUMNS:
            raise ConfigurationError(
                f"a scorer has the name {name!r}, which is a column of its own",
                'name it otherwise, as in scorers={"my_score": f}',
            )
    return named


def score(
    scorers: Mapping[str, Callable[..., Any]], answer: Any, expected: Any, row: Mapping[Any, Any]
) -> Scored:
    """Score one answer. A scorer that raises or gives no score leaves none, and is told of."""
    scores: dict[str, bool | float] = {}
    errors: list[str] = []
    for name, scorer in scorers.items():
        if expected is None and getattr(scorer, COMPARES, False):
            continue
        try:
            given = scorer(answer, expected, row)
        except Exception as error:  # noqa: BLE001 - the user's own code: the other scores are none the worse
            errors.append(f"{name}: {type(error).__name__}: {error!s:.200}")
            continue
        parts = (
            {f"{name}.{key}": one for key, one in given.items()}
            if isinstance(given, Mapping)
            else {name: given}
        )
        for part, one in parts.items():
            if (value := plain_number(one)) is None:
                errors.append(f"{part}: {one!r:.80} is no score")
            else:
                scores[part] = value
    return Scored(scores, "; ".join(errors) or None)
