"""Compute where a fork of a run begins, from the run's stored rows. Pure, but for `copy_history`.

A fork shares the first steps of a run: they are not asked again, and not paid again. Its record begins with their
messages; their model calls and tool calls stay rows of the first run alone.
"""

from __future__ import annotations

from numbers import Integral
from typing import SupportsInt

from nbagent.errors import ConfigurationError, UnknownOptionError
from nbagent.events import Message, MessageAdded
from nbagent.loop import LoopState
from nbagent.runtime.execution.history import whole
from nbagent.runtime.recovery.resume_state import ResumeState
from nbagent.store import RunStore, StoredRun, carry_over, load_turns


def fork_state(stopped: StoredRun, step: SupportsInt, prompt: str | None) -> ResumeState | None:
    """Return the state after a finished step, with `prompt` as a further message of the user; None for step 0.

    Raises UnknownOptionError for a step that the run has not finished, and ConfigurationError where nothing would be
    left to do.
    """
    output = stopped.output
    asked = [n for n, message in enumerate(output.messages) if message.role == "assistant"]
    if isinstance(step, bool) or not isinstance(step, Integral) or not 0 <= int(step) <= len(asked):
        steps = f"steps 1 to {len(asked)}" if asked else "no finished step"
        raise UnknownOptionError(
            f"run {output.run_id!r} has {steps}, not {step!r}",
            "give a step it has finished, or 0 for its beginning",
        )
    step = int(step)
    if step == 0:
        return None
    end = asked[step] if step < len(asked) else len(output.messages)
    shared = list(output.messages[:end])
    last = shared[asked[step - 1]]
    answered = {message.tool_call_id for message in shared[asked[step - 1] :] if message.role == "tool"}
    open_calls = [request.name for request in last.tool_requests if request.tool_call_id not in answered]
    if open_calls:
        raise ConfigurationError(
            f"step {step} of run {output.run_id!r} has no result of {', '.join(open_calls)}",
            "fork at the step before it, or resume the run",
        )
    if not last.tool_requests and shared[-1] is last and prompt is None:
        raise ConfigurationError(
            f"step {step} of run {output.run_id!r} is its answer: nothing is left to do",
            "fork at an earlier step, or give a prompt that goes on from there",
        )
    if prompt is not None:
        shared.append(Message(role="user", content=prompt))
    state = LoopState(messages=list(shared), step=step, steps_before=step)
    return ResumeState(state=state, events=tuple(MessageAdded(message=message) for message in shared))


def copy_history(store: RunStore, stopped: StoredRun, session_id: str) -> bool:
    """Put what came before a run in its session into another one; False where nothing did. Raises StoreError."""
    if stopped.own_session:
        return False
    turns = load_turns(store, stopped.output.session_id, before_turn=stopped.row["turn"])
    return carry_over(store, session_id, [(turn.run_id, whole(turn)) for turn in turns]) > 0
