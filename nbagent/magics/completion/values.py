"""What the arguments of a magic's line can be, from what the notebook and the record hold. Main thread.

Called by `completer.py`. Each function gives all candidates, the likeliest first. Nothing is imported, opened
or started for an argument that does not need it.
"""

from __future__ import annotations

import argparse
import inspect
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from nbagent import settings
from nbagent.magics.completion.deadline_cache import DeadlineCache
from nbagent.run import FINISHED, UNFINISHED

if TYPE_CHECKING:
    from nbagent.store import RunNames

# which runs a verb of %agent can do something for; all, for the others
_STATUSES = {
    "wait": UNFINISHED,
    "cancel": UNFINISHED,
    "approve": frozenset({"paused"}),
    "deny": frozenset({"paused"}),
    "resume": frozenset({"interrupted", "error", "timeout"}),
    "retry": FINISHED,
}
_BATCH_VERBS = frozenset({"wait", "show", "resume", "retry", "cancel"})
_FILES_MOST = 200
_LIBRARIES = frozenset({"nbagent", "pydantic", "typing"})


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletionRequest:
    """What is looked for: `names` are the notebook's own variables, `begun` the value's beginning.

    `verb` is that of `%agent VERB`, "" for a cell magic.
    """

    names: Mapping[str, Any]
    begun: str
    verb: str = ""


def values_of(action: argparse.Action, request: CompletionRequest) -> Iterable[str]:
    """Return what an argument can be: its choices, an option's choices, or what its name stands for."""
    if action.choices:
        return map(str, action.choices)
    option = settings.OPTIONS.get(action.dest)
    if option is not None and option.choices:
        return option.choices
    known = _VALUES.get(action.dest)
    return known(request) if known is not None else ()


def _instances(request: CompletionRequest, module: str, name: str) -> list[str]:
    """Variables that hold an object of this class; a module that nobody has imported has made none."""
    kind = getattr(sys.modules.get(module), name, None)
    return [key for key, value in request.names.items() if kind is not None and _is(value, kind)]


def _is(value: Any, *kinds: type) -> bool:
    """As `isinstance`, without running any code of a variable that stands for another object."""
    return issubclass(type(value), kinds)


def _agents(request: CompletionRequest) -> list[str]:
    return _instances(request, "nbagent.agent", "Agent")


def _tools(request: CompletionRequest) -> list[str]:
    made = {
        *_instances(request, "nbagent.tools.definition", "Tool"),
        *_instances(request, "nbagent.mcp.server", "MCPServer"),
    }
    return [name for name, value in request.names.items() if name in made or _is(value, FunctionType)]


def _schemas(request: CompletionRequest) -> Iterator[str]:
    """Classes with annotated fields, and lists of them; the libraries' own bases are no answers."""
    for name, value in request.names.items():
        if not _is(value, type) or value.__module__.partition(".")[0] in _LIBRARIES:
            continue
        if inspect.get_annotations(value):
            yield name
            yield f"list[{name}]"


def _values(request: CompletionRequest) -> list[str]:
    """Variables that hold data: no module, class or function."""
    code = (ModuleType, type, FunctionType, BuiltinFunctionType)
    return [name for name, value in request.names.items() if not _is(value, *code)]


def _files(request: CompletionRequest) -> list[str]:
    """Return the files beside what was begun, as they are written there; a folder ends with a slash."""
    begun = Path(request.begun)
    folder = begun if request.begun.endswith("/") else begun.parent
    try:
        listed = sorted(folder.expanduser().iterdir())[:_FILES_MOST]
    except OSError:
        return []
    written = [f"{folder / one.name}{'/' if one.is_dir() else ''}" for one in listed if " " not in one.name]
    hidden = begun.name.startswith(".")
    return [name for name in written if hidden or not Path(name).name.startswith(".")]


def _contexts(request: CompletionRequest) -> list[str]:
    return [*_values(request), *_files(request)]


def _models(request: CompletionRequest) -> list[str]:
    """The providers; after the colon, the provider's models that were used here before, then those that are listed.

    Those are the price list's, and the provider's own where its key is set: it is asked in the background.
    """
    from nbagent.models import known_models, listed_names, named_providers

    provider, colon, _ = request.begun.partition(":")
    if not colon:
        return [f"{name}:" for name in named_providers()]
    used = [run.model for run in recent_runs() if run.model.startswith(f"{provider}:")]
    served = _served.ask(provider, lambda: listed_names(provider))
    return [*used, *_listed.ask(provider, lambda: known_models(provider)), *served]


def _providers(_request: CompletionRequest) -> Iterable[str]:
    from nbagent.models import named_providers

    return named_providers()


def _sessions(request: CompletionRequest) -> list[str]:
    named = _instances(request, "nbagent.session", "Session")
    return [*named, *(run.session_id for run in recent_runs() if run.session_id)]


def _runs(request: CompletionRequest) -> Iterator[str]:
    """Labels and ids of the runs that the verb is good for, newest first."""
    wanted = _STATUSES.get(request.verb)
    for run in recent_runs():
        # what can be done for a batch is known to it alone
        if wanted is None or run.status in wanted or (run.batch_id and request.verb in _BATCH_VERBS):
            if run.batch_id and run.label:
                yield run.label
                yield run.batch_id
                continue
            if run.label:
                yield run.label
            yield run.run_id


def _labels(_request: CompletionRequest) -> Iterator[str]:
    yield from (run.label for run in recent_runs() if run.label)


def _batches(_request: CompletionRequest) -> Iterator[str]:
    """Labels and ids of the batches of the newest runs."""
    for run in recent_runs():
        if run.batch_id:
            yield from (name for name in (run.label, run.batch_id) if name)


_VALUES: dict[str, Callable[[CompletionRequest], Iterable[str]]] = {
    "agent": _agents,
    "members": _agents,
    "tools": _tools,
    "schema": _schemas,
    "context": _contexts,
    "map": _values,
    "file": _files,
    "model": _models,
    "provider": _providers,
    "session": _sessions,
    "label": _labels,
    "batch": _batches,
    "run": _runs,
    "runs": _runs,
    "run_id": _runs,
}

_listed: DeadlineCache[str] = DeadlineCache()
_served: DeadlineCache[str] = DeadlineCache()
_recorded: DeadlineCache[RunNames] = DeadlineCache()


def recent_runs() -> list[RunNames]:
    """The newest runs of the record, newest first, this kernel's as they are now; waits for the file 50 ms at most."""
    place = settings.store_place()
    if "nbagent.runtime" not in sys.modules and not (isinstance(place, Path) and place.exists()):
        return []  # nobody has run anything here
    from nbagent import runtime
    from nbagent.store import run_names

    current = runtime.current()
    store = current.store
    found = {run.run_id: run for run in _recorded.ask(store.name, lambda: run_names(store))}
    found |= {run.run_id: run for run in _own_runs(current)}
    return sorted(found.values(), key=lambda run: (run.created_at, run.run_id), reverse=True)


def _own_runs(current: Any) -> Sequence[RunNames]:
    """This kernel's runs from memory, without those that runs started."""
    from nbagent.store import RunNames

    return [
        RunNames(
            run_id=launch.run_id,
            label=launch.label,
            session_id=launch.session_id if live.has_history else None,
            model=f"{launch.provider}:{launch.model}",
            status=live.record.status.value,
            created_at=launch.created_at,
            batch_id=launch.batch_id,
        )
        for live in current.runs()
        if (launch := live.record.launch).parent_run_id is None
    ]
