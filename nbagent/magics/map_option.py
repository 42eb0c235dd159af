# ruff: noqa: T201 - a magic talks to the person by printing under its cell
"""`--map TABLE`: the cell's text as a template over the rows of a table, as a batch. On the kernel's main thread.

Called by `commands.py`; `parsers.py` has parsed the flags. `--max-cost` and `--max-total-tokens` bound the
whole batch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbagent import kernel, settings
from nbagent.errors import UnknownNameError, UnknownOptionError, WaitTimeout, did_you_mean, replace_traceback
from nbagent.magics.namespace import evaluate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nbagent.agent import Agent
    from nbagent.batch import Batch
    from nbagent.magics.parsers import Line

REFRESH_S = 0.5
# flags of a batch, and those of one run: neither goes with the other
_OF_BATCH = {
    "jobs": "-j",
    "group": "--group",
    "dedupe": "--dedupe",
    "fresh": "--fresh",
    "on_error": "--on-error",
}
_OF_RUN = {"session": "--session", "run_id": "--run-id"}
_LIMITS = ("max_cost", "max_total_tokens")


def check(options: Line) -> None:
    """Refuse flags that do not go together. Raises UnknownOptionError."""
    if options.map is None:
        given = [flag for name, flag in _OF_BATCH.items() if getattr(options, name)]
        if given:
            raise UnknownOptionError(f"{given[0]} is a batch's", "name the table: --map df")
        return
    given = [flag for name, flag in _OF_RUN.items() if getattr(options, name)]
    if given:
        raise UnknownOptionError(f"{given[0]} is one run's, and --map makes a batch", "leave one of them out")


def of_run(options: Line) -> Line:
    """Return the line without the limits that a batch has as a whole: they are no limits of each run."""
    if options.map is None:
        return options
    given = {**vars(options), **dict.fromkeys(_LIMITS)}
    return type(options)(**given)


def launch(agent: Agent, options: Line, cell: str, names: Mapping[str, Any]) -> Batch:
    """Start the batch; one that this cell has started before and that is at work is cancelled."""
    cell_id = kernel.current_cell_id()
    supersede(cell_id)
    rows = _table(options.map, names)
    limits = {name: settings.get(name, getattr(options, name)) for name in _LIMITS if getattr(options, name)}
    return agent.map(
        rows,
        cell.strip("\n"),
        output_schema=evaluate(options.schema, names, "schema") if options.schema else None,
        max_concurrency=options.jobs or 16,
        max_cost=limits.get("max_cost"),
        max_tokens=limits.get("max_total_tokens"),
        on_error=options.on_error or "continue",
        dedupe=options.dedupe,
        group=options.group or 1,
        fresh=options.fresh,
        timeout=settings.get("timeout", options.timeout) if options.timeout is not None else None,
        label=options.output,
        cell_id=cell_id,
        names=names,
        files=options.context or None,
        on=options.on,
    )


def forecast(agent: Agent, options: Line, cell: str, names: Mapping[str, Any]) -> str:
    """Return what the first row would send and cost; nothing is sent."""
    from nbagent.batch import Prompts, files_with, source_of

    source = source_of(_table(options.map, names))
    first = source.peek()
    if first is None:
        return f"dry run: {options.map} has no rows"
    prompt = Prompts.of(cell.strip("\n"), names, options.context or None).of_row(*first)
    schema = evaluate(options.schema, names, "schema") if options.schema else None
    rows = "rows of a generator" if source.total is None else f"{source.total} rows"
    return f"the first of {rows}:\n{agent.forecast(prompt, output_schema=schema, files=files_with(prompt))}"


def _table(expression: str, names: Mapping[str, Any]) -> Any:
    """Return the rows that the line names. Raises UnknownNameError."""
    if expression.isidentifier() and expression not in names:
        known = [name for name, value in names.items() if hasattr(value, "__iter__") and name[:1] != "_"]
        raise UnknownNameError(
            f"table {expression!r} is not defined{did_you_mean(expression, known)}",
            f"run the cell that defines {expression!r} first",
        )
    return evaluate(expression, names, "table")


def supersede(cell_id: str | None) -> None:
    """Cancel the batches that a cell has started earlier and that are still at work."""
    from nbagent.batch import batches

    for batch in batches() if cell_id else ():
        if batch.cell_id == cell_id and batch.cancel():
            print(f"cancelled this cell's earlier batch, {batch.progress}")


def say(batch: Batch, options: Line) -> None:
    """Say in one line what goes on in the background and where it is to be found, and show the batch's card."""
    from nbagent.panel import show_batch

    name = options.output or "the batch"
    total = batch.progress.total
    rows = "rows" if total is None else f"{total} row{'' if total == 1 else 's'}"
    found = f"{name}.progress, {name}.to_frame()" if options.output else "give it a name with -o NAME"
    print(f"{rows} in the background, {options.jobs or 16} at a time: {found}")
    show_batch(batch.batch_id)


def foreground(batch: Batch) -> None:
    """Show the progress until the batch ends, then its frame; Stop cancels it."""
    from IPython.display import display

    show: Any = display
    try:
        frame = (
            _watched(batch, show) if kernel.in_kernel() else batch.wait()
        )  # a terminal has the wait's own bar
    except KeyboardInterrupt as stop:
        batch.cancel()
        replace_traceback(stop, f"the batch was cancelled: {batch.progress}", "rows that are done are kept")
        raise
    show(frame)


def _watched(batch: Batch, show: Any) -> Any:
    """Wait for the batch while an output of the cell says where it stands; return its frame."""
    handle = show({"text/plain": str(batch.progress)}, raw=True, display_id=True)
    while True:
        try:
            frame = batch.wait(REFRESH_S)
        except WaitTimeout:
            handle.update({"text/plain": str(batch.progress)}, raw=True)
        else:
            handle.update({"text/plain": str(batch.progress)}, raw=True)
            return frame


def batch_named(key: str) -> Batch | None:
    """Return the batch that a word of the line means, of whatever kernel; None where it is no batch."""
    from nbagent.batch import batch_named as found

    return found(key)


def cancel(keys: Sequence[str], *, everything: bool) -> set[str]:
    """Cancel the batches with these labels or ids, or all that are at work here; return the keys that named one."""
    from nbagent.batch import batches

    found = {key: batch for key in keys if (batch := batch_named(key)) is not None}
    if everything:
        found |= {batch.batch_id: batch for batch in batches() if not batch.done()}
    for batch in found.values():
        if batch.cancel():
            print(f"cancelled batch {batch.label or batch.batch_id}: {batch.progress}")
        else:
            print(f"batch {batch.label or batch.batch_id} had ended: {batch.progress}")
    return set(found)


def wait_for(keys: Sequence[str], timeout: float | None) -> list[str]:
    """Wait for the batches that are named, all that are at work here where nothing is; return the other keys.

    Raises WaitTimeout.
    """
    from nbagent.batch import batches

    named = {key: batch_named(key) for key in keys}
    for batch in named.values() if keys else batches():
        if batch is not None and (keys or not batch.done()):
            batch.wait(timeout)
            print(f"batch {batch.label or batch.batch_id}: {batch.progress}")
    return [key for key, batch in named.items() if batch is None]


def show(batch: Batch) -> Any:
    """Show a batch: its card where this kernel holds it, and its frame."""
    from nbagent.batch import batches
    from nbagent.panel import show_batch

    if batch in batches():
        show_batch(batch.batch_id)
    print(f"batch {batch.label or batch.batch_id}: {batch.progress}")
    return batch.to_frame()


def batches_again(shell: Any, keys: Sequence[str], verb: str) -> list[str]:
    """Ask rows of the batches that are named again, by this verb of a batch; return the other keys."""
    others = []
    for key in keys:
        batch = batch_named(key)
        if batch is None:
            others.append(key)
            continue
        getattr(batch, verb)()
        label = batch.label
        if label and (label not in shell.user_ns or type(shell.user_ns[label]) in (type(batch), type(None))):
            shell.user_ns[label] = batch
        print(f"batch {label or batch.batch_id}: {batch.progress}")
    return others
