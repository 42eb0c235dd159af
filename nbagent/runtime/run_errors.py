"""What a person who waits is told of a run: its answer, its failure in two lines, what it waits for. Pure."""

from __future__ import annotations

from nbagent.errors import RunError
from nbagent.run import RunOutput, RunRecord, RunStatus, where_raised

OTHERS_WAIT = " (and runs of its session for it)"


def what_to_do(output: RunOutput, else_: str) -> str:
    """What a person can do about a run that is not over."""
    return 'run.approve() or run.deny("why") lets it go on' if output.pending_approvals else else_


def raise_unless_completed(output: RunOutput) -> RunOutput:
    """Return the output of a run that completed. Raises RunError for any other, in two lines."""
    if output.status is RunStatus.completed:
        return output
    if not output.is_final:
        raise RunError(
            f"run {output.run_id!r} is still {output.status.value}",
            what_to_do(output, "wait for it with run.result()"),
            output=output,
        )
    what, _, todo = (output.error or f"run {output.run_id!r} was {output.status.value}").partition("\n")
    place = where_raised(output.traceback or "")
    if place and not todo:
        todo = f"raised in {place}; run.output.traceback has the whole"
    raise RunError(what, todo or "see run.output for what it did until then", output=output)


def approval_hint(waiting: RunRecord | RunOutput, name: str) -> str:
    """Return one line if the run, or one before it in its session, waits for a person; else nothing."""
    calls = ", ".join(f"{call!s:.200}" for call in waiting.pending_approvals)
    if calls:
        others = OTHERS_WAIT if _others_wait(waiting) else ""
        return f'run {name!r} waits for approval of {calls}{others}: run.approve() or run.deny("why")'
    earlier = waiting.waits_for if isinstance(waiting, RunRecord) else None
    if earlier is not None and earlier.paused:
        return f"run {name!r} waits for its turn: {earlier.told}"
    return ""


def _others_wait(waiting: RunRecord | RunOutput) -> bool:
    return isinstance(waiting, RunRecord) and waiting.others_wait
