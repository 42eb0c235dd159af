"""Run a guest: one attempt from its prompt to its end. Called by the executor, on the background loop."""

from __future__ import annotations

import asyncio
import importlib
import sys
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import is_dataclass
from functools import partial
from types import UnionType
from typing import Any, Union, cast, get_args, get_origin

from pydantic import BaseModel
from typing_extensions import is_typeddict

from nbagent.core import dump_json, run_in_daemon_thread, utc_now, uuid7
from nbagent.errors import ConfigurationError
from nbagent.events import RunFinished, TypedAnswer
from nbagent.guests.frameworks import functions
from nbagent.guests.guest_spec import GuestSpec
from nbagent.guests.own_connections import OwnConnections
from nbagent.guests.recognition import framework_name
from nbagent.guests.reporter import LimitReachedError, Reporter
from nbagent.guests.task import Framework, GuestTask
from nbagent.loop import LoopContext, LoopState, StartChild
from nbagent.models import prepare_prices
from nbagent.prompts import render_result
from nbagent.runtime import ResolvedAgent
from nbagent.schemas import InvalidOutputError, OutputSchema, check_text, to_plain

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
    agent: ResolvedAgent, state: LoopState, context: LoopContext, _start_member: StartChild
) -> None:
    """Run one attempt of a guest to its end. `state.messages` holds the history and the new prompt.

    Raises what its framework raises, which is the run's error.
    """
    spec = cast("GuestSpec", agent.spec)
    file = f"nbagent.guests.frameworks.{framework_name(spec.obj)}"
    framework = sys.modules.get(file) or await run_in_daemon_thread(partial(importlib.import_module, file))
    if spec.framework != functions.FRAMEWORK:  # of a function's calls nobody hears
        await prepare_prices(agent.model.provider)
    report = Reporter(spec, agent.model, state, context)
    try:
        await report.hold()
        output = await _answer(cast("Framework", framework), spec, state, report)
        report.finish(*await _end(spec, output))
    except asyncio.CancelledError:
        report.cut("cancelled")
        raise
    except LimitReachedError as reached:
        report.cut("cancelled")
        context.emit(reached.end)
    except Exception as error:
        report.cut("error", error)
        raise
    finally:
        await report.release()


async def _answer(framework: Framework, spec: GuestSpec, state: LoopState, report: Reporter) -> Any:
    """Have the framework answer; where a connection of another loop was in the way, once more."""
    *history, prompt = state.messages
    if prompt.files:
        raise ConfigurationError(
            f"guest {spec.name!r} takes text, and {len(prompt.files)} files go with the prompt",
            "give it their text, or an Agent these files",
        )
    task = GuestTask(
        run_id=str(uuid7()), prompt=prompt.content, history=tuple(history), schema=spec.asked,
        report=report, input=spec.input, output=spec.output,
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


async def _end(spec: GuestSpec, output: Any) -> tuple[RunFinished, str]:
    """Return the run's end, and its answer as text."""
    schema = spec.output_schema
    if schema is None or schema.is_text:
        content = output if isinstance(output, str) or _is_plain(output) else to_plain(output)
        text = output if isinstance(output, str) else "" if output is None else render_result(output)
        return RunFinished(
            stop_reason="end", content=text if output is None else content, finished_at=utc_now()
        ), text
    try:
        typed = await _typed(schema, output)
    except InvalidOutputError as error:
        text = output if isinstance(output, str) else render_result(output)
        problems = "; ".join(error.problems)
        end = RunFinished(
            stop_reason="invalid_output",
            content=text,
            output_valid=False,
            error_type="InvalidOutputError",
            error=f"the answer does not fit {schema.name}: {problems}\na guest's answer is not sent back: ask it again",
            error_fields=error.fields,
            finished_at=utc_now(),
        )
        return end, text
    end = RunFinished(
        stop_reason="end", content=typed.data, output_valid=True, typed=typed, finished_at=utc_now()
    )
    return end, typed.json


async def _typed(schema: OutputSchema, output: Any) -> TypedAnswer:
    """Return the answer: a value of the schema's class as it is, anything else once it is checked."""
    if isinstance(output, BaseModel | list | dict) or is_dataclass(output):
        text = dump_json(to_plain(output)).decode()
        if _is_one(output, schema.type):
            return TypedAnswer(text, output)
        return await check_text(schema, text)
    return await check_text(schema, output if isinstance(output, str) else render_result(output))


def _is_one(output: Any, kind: Any) -> bool:
    """Say whether the framework has made an object of the class, or of one of a union's, which is not validated again."""
    kinds = get_args(kind) if isinstance(kind, UnionType) or get_origin(kind) is Union else (kind,)
    classes = (one for one in kinds if isinstance(one, type) and not is_typeddict(one))
    return any(get_origin(one) is None and isinstance(output, one) for one in classes)


def _is_plain(output: Any) -> bool:
    return output is None or isinstance(output, bool | int | float)
