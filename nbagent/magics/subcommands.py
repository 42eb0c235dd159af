# ruff: noqa: T201 - a magic talks to the person by printing under its cell
"""What each verb of `%agent VERB ...` does: one function each, given the shell and the parsed line. Main thread."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from nbagent.errors import UnknownNameError, UnknownOptionError
from nbagent.magics import approvals, map_option
from nbagent.magics.maintenance import UPKEEP_VERBS
from nbagent.magics.parsers import Line
from nbagent.magics.unreported_runs import mark_reported, unreported

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from nbagent.runtime import Run


def _panel(_shell: InteractiveShell, _arguments: Line) -> None:
    from nbagent.panel import Panel

    Panel().show()


def _dock(_shell: InteractiveShell, _arguments: Line) -> None:
    from nbagent.panel import Panel

    Panel().dock()


def _list(_shell: InteractiveShell, arguments: Line) -> Any:
    from nbagent.frames import runs

    return runs(here=arguments.here, **_filters(arguments))


def _metrics(_shell: InteractiveShell, arguments: Line) -> Any:
    from nbagent.frames import summary

    return summary(arguments.by, **_filters(arguments))


def _filters(arguments: Line) -> dict[str, Any]:
    """Return the filters that the line gives."""
    return {name: getattr(arguments, name) for name in ("session", "since", "label", "batch")}


def _models(_shell: InteractiveShell, arguments: Line) -> Any:
    from nbagent import runtime
    from nbagent.models import provider_status, served_models
    from nbagent.schemas import to_frame

    if not arguments.provider:
        return to_frame(provider_status())
    provider = arguments.provider.strip().removesuffix(":")
    served = runtime.current().thread.submit(served_models(provider)).result()
    if not served:
        print(f"provider {provider!r} answers, and says that it serves no models")
        return None
    return to_frame(served)


def _show(_shell: InteractiveShell, arguments: Line) -> Any:
    from nbagent import runtime
    from nbagent.panel import show_card

    current = runtime.current()
    if arguments.runs:
        for key in arguments.runs:
            if (batch := map_option.batch_named(key)) is not None:
                return map_option.show(batch)
            show_card(current.get(key))
        return None
    lives = [live for live in current.runs() if live.node.parent is None]
    if not lives:
        raise UnknownNameError("this kernel has launched no run", "launch one with %%agent_bg")
    show_card(current.get(lives[-1].record.launch.run_id))
    return None


def _wait(_shell: InteractiveShell, arguments: Line) -> None:
    from nbagent import runtime
    from nbagent.panel import flush_snapshots

    current = runtime.current()
    keys = map_option.wait_for(arguments.runs, arguments.timeout)
    if arguments.runs and not keys:
        return
    runs = [current.get(key) for key in keys] if arguments.runs else unreported(current)
    outputs = runtime.gather(*runs, timeout=arguments.timeout)
    mark_reported(runs)
    flush_snapshots(runs)
    _print_count([output.status.value for output in outputs])


def _cancel(_shell: InteractiveShell, arguments: Line) -> None:
    from nbagent import runtime

    current = runtime.current()
    if not arguments.runs and not arguments.all:
        raise UnknownOptionError("%agent cancel names no run", "name runs by id or label, or say --all")
    batches = map_option.cancel(arguments.runs, everything=arguments.all)
    keys = [key for key in arguments.runs if key not in batches]
    if arguments.all:  # one that has ended may be on its way into the store still
        runs = [run for run in current.unfinished() if not run.status.is_final]
    else:
        runs = [current.get(key) for key in keys]
    if batches and not runs:
        return
    cancelled = sum(run.cancel() for run in runs)
    print(f"cancelled {cancelled} of {len(runs)} run{'' if len(runs) == 1 else 's'}")


def _approve(shell: InteractiveShell, arguments: Line) -> None:
    if (adopted := approvals.approve(arguments)) is not None:
        _show_again(shell, adopted)


def _deny(shell: InteractiveShell, arguments: Line) -> None:
    if (adopted := approvals.deny(arguments)) is not None:
        _show_again(shell, adopted)


def _resume(shell: InteractiveShell, arguments: Line) -> None:
    from nbagent.runtime import current

    for key in map_option.batches_again(shell, _named(arguments, "resume"), "resume"):
        _show_again(shell, current().resume(key, from_partial=arguments.from_partial))


def _retry(shell: InteractiveShell, arguments: Line) -> None:
    from nbagent.runtime import current

    if arguments.stale:
        from nbagent.evaluation import stale_prompts

        found = stale_prompts()
        print(f"{len(found)} stale run{'' if len(found) == 1 else 's'}{' asked again' if found else ''}")
        for run_id, prompt in reversed(found.items()):
            _show_again(shell, current().retry(run_id, prompt=prompt))
        return
    for key in map_option.batches_again(shell, _named(arguments, "retry"), "retry_failed"):
        _show_again(shell, current().retry(key))


def _show_again(shell: InteractiveShell, run: Run) -> None:
    """Show a run that works again, and let its label name it, where the label names no other thing."""
    from nbagent.panel import show_card
    from nbagent.runtime import Run

    names = shell.user_ns
    if run.label and isinstance(names.get(run.label), Run | None):
        names[run.label] = run
    show_card(run)


def _named(arguments: Line, verb: str) -> list[str]:
    """Return the runs that the line names. Raises UnknownOptionError if it names none."""
    if not arguments.runs:
        raise UnknownOptionError(f"%agent {verb} names no run", "name runs by id or label")
    return list(arguments.runs)


def _print_count(statuses: list[str]) -> None:
    counts = ", ".join(f"{statuses.count(status)} {status}" for status in sorted(set(statuses)))
    print(
        f"{len(statuses)} run{'' if len(statuses) == 1 else 's'}{': ' + counts if counts else ' to wait for'}"
    )


VERBS: Mapping[str, Callable[[InteractiveShell, Line], Any]] = MappingProxyType(
    {
        "panel": _panel,
        "dock": _dock,
        "list": _list,
        "show": _show,
        "wait": _wait,
        "cancel": _cancel,
        "approve": _approve,
        "deny": _deny,
        "resume": _resume,
        "retry": _retry,
        "metrics": _metrics,
        "models": _models,
        **UPKEEP_VERBS,
    }
)
