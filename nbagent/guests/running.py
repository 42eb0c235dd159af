"""Run a guest: one attempt from its prompt to its end. Called by the executor, on the background loop."""

from __future__ import annotations

import asyncio
import importlib
import sys
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from functools import partial
from typing import Any, cast

from nbagent.core import run_in_daemon_thread, uuid7
from nbagent.errors import ConfigurationError
from nbagent.guests.answers import end_of
from nbagent.guests.frameworks import functions
from nbagent.guests.guest_spec import GuestSpec
from nbagent.guests.member_runs import MemberRuns, MemberSpec, run_member
from nbagent.guests.own_connections import OwnConnections
from nbagent.guests.own_tasks import cancelled_with
from nbagent.guests.recognition import framework_name
from nbagent.guests.reporter import LimitReachedError, Reporter
from nbagent.guests.task import Framework, GuestTask
from nbagent.loop import LoopContext, LoopState, StartChild
from nbagent.models import prepare_prices
from nbagent.runtime import MemberRunner, ResolvedAgent

_KEPT = 64  # guests whose connections stay open for their next run
_OTHER_LOOP = (
    "event loop is closed",
    "attached to a different loop",
    "different event loop",
    "bound to a different",
)


class _Connected:
    """A user's object as it is ready for our loop: what its framework prepared of it, and its connections."""

    def __init__(self, framework: Framework, obj: Any) -> None:
        prepare = getattr(framework, "prepare", None)
        self.obj = obj
        self._prepared = obj if prepare is None else prepare(obj)
        self.connections = OwnConnections()
        self.at_work = 0

    def own(self) -> Any:
        """Return what the framework's file runs: a copy with connections of its own."""
        return self.connections.copy_of(self._prepared)


_connected: OrderedDict[int, _Connected] = OrderedDict()


@asynccontextmanager
async def _connections_of(framework: Framework, obj: Any) -> AsyncIterator[_Connected]:
    """Keep an object's connections for its next run, and close those of guests that have not run for long."""
    kept = _connected.pop(id(obj), None)
    if kept is None or kept.obj is not obj:
        kept = _Connected(framework, obj)
    _connected[id(obj)] = kept
    kept.at_work += 1
    try:
        yield kept
    finally:
        kept.at_work -= 1
        idle = [key for key, one in _connected.items() if not one.at_work]
        for key in idle[: max(0, len(_connected) - _KEPT)]:
            await _connected.pop(key).connections.close()


async def run_guest(
    agent: ResolvedAgent, state: LoopState, context: LoopContext, start_member: StartChild
) -> None:
    """Run one attempt of a guest to its end. `state.messages` holds the history and the new prompt.

    Raises what its framework raises, which is the run's error.
    """
    if isinstance(agent.spec, MemberSpec):
        await run_member(agent, state, context)
        return
    spec = cast("GuestSpec", agent.spec)
    file = f"nbagent.guests.frameworks.{framework_name(spec.obj)}"
    framework = sys.modules.get(file) or await run_in_daemon_thread(partial(importlib.import_module, file))
    if spec.framework != functions.FRAMEWORK:  # of a function's calls nobody hears
        await prepare_prices(agent.model.provider)
    report = Reporter(spec, agent.model, state, context)
    members = MemberRuns(spec, spec.framework, report, cast("MemberRunner", start_member))
    try:
        await report.hold()
        with nullcontext() if spec.framework == functions.FRAMEWORK else cancelled_with(members.guest_id):
            output = await _answer(cast("Framework", framework), spec, state, report, members)
        await members.stop()
        report.finish(*await end_of(output, spec.output_schema))
    except asyncio.CancelledError:
        report.cut("cancelled")
        raise
    except LimitReachedError as reached:
        report.cut("cancelled")
        context.emit(reached.end)
    except Exception as error:
        await members.stop(error)
        report.cut("error", type(error).__name__, str(error))
        raise
    finally:
        await members.stop()
        await report.release()


async def _answer(
    framework: Framework, spec: GuestSpec, state: LoopState, report: Reporter, members: MemberRuns
) -> Any:
    """Have the framework answer; where a connection of another loop was in the way, once more."""
    *history, prompt = state.messages
    if prompt.files:
        raise ConfigurationError(
            f"guest {spec.name!r} takes text, and {len(prompt.files)} files go with the prompt",
            "give it their text, or an Agent these files",
        )
    task = GuestTask(
        run_id=str(uuid7()), prompt=prompt.content, history=tuple(history), schema=spec.asked,
        report=report, members=members, input=spec.input, output=spec.output,
    )  # fmt: skip
    async with _connections_of(framework, spec.obj) as connected:
        try:
            output = await framework.run(connected.own(), task)
        except Exception as error:
            if report.begun or not _is_of_another_loop(error):
                raise
            report.notice("its first connection belonged to another event loop, and it was asked once more")
            output = await framework.run(connected.own(), task)
    if spec.output is None:
        return output
    made = spec.output(output)
    return await made if asyncio.iscoroutine(made) else made


def _is_of_another_loop(error: BaseException | None) -> bool:
    while error is not None:
        if any(sign in str(error).lower() for sign in _OTHER_LOOP):
            return True
        error = error.__cause__ or error.__context__
    return False
