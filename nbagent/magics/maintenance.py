# ruff: noqa: T201 - a magic talks to the person by printing under its cell
"""The verbs of `%agent` that look after the record: record, clear, export, sql, doctor. Main thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbagent.errors import UnknownOptionError
from nbagent.magics.parsers import Line

if TYPE_CHECKING:
    import pandas as pd
    from IPython.core.interactiveshell import InteractiveShell

    from nbagent.maintenance import Diagnosis

_ANSWER = {"y", "yes"}


def record(_shell: InteractiveShell, arguments: Line) -> None:
    """Move recorded answers to a file or from one; with a *.duckdb file, the whole record."""
    from nbagent import maintenance

    file, comes = arguments.file, arguments.way == "import"
    if file.lower().endswith(maintenance.SUFFIX):
        if not comes:
            print(f"exported {_runs(maintenance.export_record(file))} to {file}, a record by itself")
            return
        count, known = maintenance.import_record(file)
        print(
            f"imported {_runs(count)} from {file}" + (f"; {known} more were there already" if known else "")
        )
    elif comes:
        count = maintenance.import_answers(file)
        print(f"imported {_answers(count)} from {file}: --cache use and --cache replay give them")
    else:
        count = maintenance.export_answers(file, everything=arguments.all)
        print(f"exported {_answers(count)} to {file}")


def clear(_shell: InteractiveShell, arguments: Line) -> None:
    """Say what would be deleted, ask, and delete it."""
    from nbagent import maintenance

    filters = {"older_than": arguments.older_than, "status": arguments.status, "session": arguments.session}
    filters |= {"label": arguments.label, "batch": arguments.batch}
    if not any(filters.values()) and not arguments.all:
        raise UnknownOptionError(
            "%agent clear does not say which runs",
            "say --older-than 7d, --status error, --session ID, --label NAME, --batch NAME or --all",
        )
    preview = maintenance.to_clear(**filters)
    print(preview)
    if (len(preview) or preview.found.batch_ids) and (arguments.yes or _agreed()):
        count = maintenance.clear(preview)
        print(f"deleted {_runs(count)}")


def _agreed() -> bool:
    """Ask the person, where somebody can answer."""
    try:
        reply = input("delete them? [y/N] ")
    except (EOFError, NotImplementedError):  # ipykernel's own error is a NotImplementedError by name only
        reply = None
    except Exception as error:
        if type(error).__name__ != "StdinNotImplementedError":
            raise
        reply = None
    if reply is None:
        print("nothing is deleted: nobody can be asked here; say --yes")
        return False
    if reply.strip().lower() not in _ANSWER:
        print("nothing is deleted")
        return False
    return True


def export(_shell: InteractiveShell, arguments: Line) -> None:
    """Write a table of the record to a file."""
    from nbagent.maintenance import export_runs

    chosen = {name: getattr(arguments, name) for name in ("session", "since", "label", "batch")}
    rows = export_runs(arguments.file, format=arguments.format, table=arguments.table, **chosen)
    print(f"exported {rows} rows of {arguments.table} to {arguments.file}")


def sql(_shell: InteractiveShell, query: str) -> pd.DataFrame:
    """Ask the record."""
    from nbagent.frames import sql as ask

    return ask(query)


def budget(_shell: InteractiveShell, arguments: Line) -> None:
    """Set what all kernels on the record may spend, `5/day`, or take that away, `none/day`; and say how budgets stand."""
    from nbagent.spending import budget as set_budget

    if arguments.budget is None:
        found = set_budget()
    else:
        amount, slash, per = arguments.budget.partition("/")
        number = None if amount == "none" else _dollars(amount)
        found = set_budget(number, per=per if slash else None, unknown=arguments.unknown)
    for one in found:
        print(one.text)
    if not found:
        print("no budget is set: %agent budget 5/day")


def _dollars(text: str) -> float:
    try:
        return float(text.removeprefix("$"))
    except ValueError:
        raise UnknownOptionError(
            f"%agent budget: {text!r} is no number of dollars",
            "say it as in %agent budget 5/day, or none/day",
        ) from None


def doctor(_shell: InteractiveShell, _arguments: Line) -> Diagnosis:
    """Say what is installed, set and at hand."""
    from nbagent.maintenance import doctor as look

    return look()


def _runs(count: int) -> str:
    return f"{count} run{'' if count == 1 else 's'}"


def _answers(count: int) -> str:
    return f"{count} answer{'' if count == 1 else 's'}"


UPKEEP_VERBS: dict[str, Any] = {
    "budget": budget,
    "record": record,
    "clear": clear,
    "export": export,
    "sql": sql,
    "doctor": doctor,
}
