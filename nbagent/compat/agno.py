"""agno's words for nbagent: `from nbagent.compat.agno import Agent` where a script says `from agno.agent import Agent`.

Agents and teams are nbagent's own, with its background, record, panel and Cancel. As in agno the runs of an agent
share one session unless they are given another, see earlier ones only with `add_history_to_context`, and an error is
told in `content`.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import nbagent as nb
from nbagent import RunStatus, cancel_run
from nbagent import events as told
from nbagent.core import say_once, uuid7
from nbagent.errors import ConfigurationError, UnknownNameError

__all__ = [
    "Agent", "InMemoryDb", "OpenAIChat", "OpenAIResponses", "PostgresDb", "RunEvent", "RunOutput", "RunStatus", "SqliteDb", "Team",
    "cancel_run", "tool",
]  # fmt: skip

# what agno takes and nbagent has no use for: the record, the card and the panel do it
_WITHOUT_EFFECT = frozenset(
    "markdown debug_mode debug_level telemetry stream stream_events stream_member_events store_events "
    "store_member_responses_events show_members_responses user_id id cache_session session_state monitoring "
    "add_datetime_to_context add_name_to_context use_json_mode add_member_tools_to_context reasoning".split()
)
_MODEL_SETTINGS = {
    "temperature": "temperature",
    "top_p": "top_p",
    "seed": "seed",
    "max_tokens": "max_output_tokens",
    "max_completion_tokens": "max_output_tokens",
    "max_output_tokens": "max_output_tokens",
    "reasoning_effort": "reasoning_effort",
}
_EVENTS: dict[type, str] = {
    told.RunStarted: "RunStarted",
    told.TextAdded: "RunContent",
    told.ReasoningAdded: "ReasoningContentDelta",
    told.ModelCallStarted: "ModelRequestStarted",
    told.ModelCallFinished: "ModelRequestCompleted",
    told.ToolCallStarted: "ToolCallStarted",
    told.ToolCallFinished: "ToolCallCompleted",
    told.ApprovalRequested: "RunPaused",
}


_UNUSED_BY_TOOLS = frozenset("show_result cache_results cache_dir cache_ttl strict add_instructions".split())


class _Model:
    """What both wire formats share: agno gives a model its settings, nbagent an agent."""

    def __init__(self, id: str, **options: Any) -> None:  # noqa: A002 - agno's word
        given = {name: options.pop(name) for name in list(options) if name in _MODEL_SETTINGS}
        self.compat_settings = {_MODEL_SETTINGS[name]: value for name, value in given.items()}
        super().__init__(id=id, **options)  # type: ignore[call-arg] # that of the wire format beside it


class OpenAIChat(_Model, nb.OpenAIChat):
    """A model on Chat Completions: `OpenAIChat(id="gpt-5-mini", base_url=..., api_key=..., temperature=...)`."""

    def __init__(self, id: str = "gpt-5-mini", **options: Any) -> None:  # noqa: A002 - agno's word
        super().__init__(id, **options)


class OpenAIResponses(_Model, nb.OpenAIResponses):
    """A model on the Responses API."""

    def __init__(self, id: str = "gpt-5-mini", **options: Any) -> None:  # noqa: A002 - agno's word
        super().__init__(id, **options)


class _Db:
    """A database of agno's: the record is nbagent's own, and that is said."""

    def __init__(self, *args: Any, **options: Any) -> None:
        del args
        asked = options.get("db_url") or options.get("db_file") or type(self).__name__
        shown = str(asked).replace("postgresql+psycopg://", "postgresql://").rpartition("@")[2]
        say_once(
            f"runs are recorded in nbagent's own file, not in {type(self).__name__} {shown!r}\n"
            "nb.runs() reads it from any kernel; NBAGENT_STORE says where it is"
        )


class SqliteDb(_Db):
    """`SqliteDb(db_file="agent.db")`: taken, and the record stays where nbagent has it."""


class PostgresDb(_Db):
    """`PostgresDb(db_url="postgresql+psycopg://...")`: the same."""


class InMemoryDb(_Db):
    """The same."""


class _Metrics:
    """A run's metrics with agno's details: models alone, by the kind of model."""

    def __init__(self, metrics: nb.RunMetrics) -> None:
        self._metrics = metrics
        self.details = {"model": metrics.details.get("model", [])}
        self.cost = metrics.cost_usd

    def __getattr__(self, name: str) -> Any:
        return getattr(self._metrics, name)


class RunOutput:
    """A run as it stood at one moment, with agno's names; `output` is nbagent's own snapshot."""

    def __init__(self, output: nb.RunOutput) -> None:
        self.output = output
        failed = output.status is RunStatus.error and not output.content
        pending = output.status is RunStatus.pending and not output.content
        self.content = output.error if failed else None if pending else output.content
        self.metrics = _Metrics(output.metrics)
        self.tools = list(output.tool_calls)
        self.member_responses = [RunOutput(member) for member in output.member_responses]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.output, name)

    def get_content_as_string(self) -> str:
        """Return the answer as text."""
        return self.content if isinstance(self.content, str) else self.output.text


class RunEvent:
    """One event of a run, with agno's name for it in `event` and what it brings in `content`."""

    def __init__(self, event: str, content: Any = None, **more: Any) -> None:
        self.event, self.content = event, content
        self.__dict__.update(more)


def _event(event: Any, run: Any, *, whole: bool) -> RunEvent | None:
    if isinstance(event, told.RunFinished) and whole:
        ended = {"error": "RunError", "timeout": "RunError", "cancelled": "RunCancelled"}
        name = ended.get(run.status.value, "RunCompleted")
        content = event.error if name == "RunError" else run.content
        return RunEvent(name, content, run_id=run.run_id, session_id=run.session_id)
    kind = _EVENTS.get(type(event))
    if kind is None or not (whole or kind == "RunContent"):
        return None
    call = getattr(event, "call", None) or getattr(event, "request", None)
    more = {"tool": call} if kind.startswith("ToolCall") else {}
    return RunEvent(kind, getattr(event, "text", None), run_id=run.run_id, session_id=run.session_id, **more)


class _Verbs:
    """agno's verbs over those of an nbagent agent."""

    session_id: str

    def _options(self, options: dict[str, Any]) -> dict[str, Any]:
        for name in _WITHOUT_EFFECT & set(options):
            options.pop(name)
        metadata = options.pop("metadata", None) or {}
        tags = (
            {str(name): str(value) for name, value in metadata.items()}
            if isinstance(metadata, Mapping)
            else {}
        )
        return {**options, "session_id": options.get("session_id") or self.session_id, "tags": tags}

    def run(self, input: Any, *, stream: bool = False, background: bool = False, **options: Any) -> Any:  # noqa: A002
        """Run and wait; with `background` return the pending snapshot, with `stream` an iterator of events."""
        whole = bool(options.pop("stream_events", False))
        run = self.start(str(input), **self._options(options))  # type: ignore[attr-defined]
        if stream:
            return self._streamed(run, whole=whole)
        return RunOutput(run.wait()) if not background else _pending(run)

    def arun(self, input: Any, *, stream: bool = False, background: bool = False, **options: Any) -> Any:  # noqa: A002
        """The same without blocking: to be awaited, or iterated with `stream`."""
        whole = bool(options.pop("stream_events", False))
        if stream:
            return self._astreamed(str(input), self._options(options), whole=whole)
        return self._arun(str(input), background, self._options(options))

    async def _arun(self, prompt: str, background: bool, options: dict[str, Any]) -> RunOutput:  # noqa: FBT001
        run = self.start(prompt, **options)  # type: ignore[attr-defined]
        if background:
            return _pending(run)
        try:
            return RunOutput(await run.finished())
        except asyncio.CancelledError:
            run.cancel()
            raise

    def _streamed(self, run: Any, *, whole: bool) -> Iterator[RunEvent]:
        for event in run.events():
            if (made := _event(event, run, whole=whole)) is not None:
                yield made

    async def _astreamed(
        self, prompt: str, options: dict[str, Any], *, whole: bool
    ) -> AsyncIterator[RunEvent]:
        run = self.start(prompt, **options)  # type: ignore[attr-defined]
        async for event in run.owned_events():
            if (made := _event(event, run, whole=whole)) is not None:
                yield made

    def print_response(self, input: Any, *, stream: bool = False, **options: Any) -> None:  # noqa: A002
        """Print the answer, piece by piece with `stream`."""
        if not stream:
            print(self.run(input, **options).get_content_as_string())  # noqa: T201 - that is what it is for
            return
        for event in self.run(input, stream=True, **options):
            print(event.content, end="", flush=True)  # noqa: T201 - the same
        print()  # noqa: T201 - the same

    def get_run_output(self, run_id: str, session_id: str | None = None) -> RunOutput | None:
        """Return a run as it stands now, None for an id that nobody launched."""
        del session_id  # an id is enough
        with contextlib.suppress(UnknownNameError):
            return RunOutput(nb.get(run_id).output)
        return None

    async def aget_run_output(self, run_id: str, session_id: str | None = None) -> RunOutput | None:
        """The same without blocking; an end is in the record when it is returned."""
        found = self.get_run_output(run_id, session_id)
        if found is None or not found.output.is_final:
            return found
        return RunOutput(await nb.get(run_id).finished())

    def cancel_run(self, run_id: str) -> bool:
        """Cancel a run; True if it was not over yet."""
        return cancel_run(run_id)

    async def acancel_run(self, run_id: str) -> bool:
        """The same, for code that awaits it."""
        return cancel_run(run_id)

    def get_session_metrics(self, session_id: str | None = None) -> Any:
        """Return the sum over the session's runs."""
        return _Metrics(super().get_session_metrics(session_id or self.session_id))  # type: ignore[misc]


def _fields(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of an nbagent agent for those of agno's."""
    for name in (_WITHOUT_EFFECT - {"session_id"}) & set(fields):
        fields.pop(name)
    texts = [fields.pop(name, None) for name in ("description", "role")]
    own = fields.pop("instructions", None) or []
    texts += own if isinstance(own, list | tuple) else [own]
    model, settings = fields.get("model"), {}
    if isinstance(model, _Model):
        settings = {"settings": nb.ModelSettings(**model.compat_settings)}
    history = fields.pop("num_history_runs", None) if fields.pop("add_history_to_context", False) else 0
    wait = {"history_runs": history, "on_busy": "queue" if history != 0 else "parallel"}
    fields.pop("db", None)
    limit = fields.pop("tool_call_limit", None)
    if limit is not None:
        fields["limits"] = nb.Limits(max_steps=limit + 1)
    tools = fields.pop("tools", None) or ()
    return {**wait, **settings, **fields, "tools": tools, "instructions": [text for text in texts if text]}


class Agent(_Verbs, nb.Agent):  # type: ignore[misc] # its verbs have agno's arguments
    """`Agent(name=, model=, description=, instructions=, tools=, output_schema=, db=, markdown=, ...)`."""

    def __init__(self, *, session_id: str | None = None, **fields: Any) -> None:
        self.session_id = session_id or str(uuid7())
        super().__init__(**_fields(fields))


class Team(_Verbs, nb.Team):  # type: ignore[misc] # the same
    """`Team(name=, model=, members=[...], instructions=, role=, mode=, ...)`."""

    def __init__(self, *, session_id: str | None = None, **fields: Any) -> None:
        self.session_id = session_id or str(uuid7())
        if fields.pop("respond_directly", False):
            fields["mode"] = "route"
        if fields.pop("delegate_to_all_members", False):
            fields["mode"] = "broadcast"
        super().__init__(**_fields(fields))


def tool(function: Any = None, **options: Any) -> Any:
    """Mark a function as a tool; `requires_confirmation` pauses the run until a person agrees.

    `description` and `instructions` take the place of the docstring's text; what it says of arguments stays. Raises
    ConfigurationError for what has nothing like it here.
    """
    given = {name: value for name, value in options.items() if value and name not in _UNUSED_BY_TOOLS}
    told = "\n\n".join(given.pop(name) for name in ("description", "instructions") if name in given)
    if "requires_confirmation" in given:
        given["requires_approval"] = given.pop("requires_confirmation")
    for name in given:
        if name not in inspect.signature(nb.tool).parameters:
            raise ConfigurationError(f"@tool({name}=...) has nothing like it in nbagent", "leave it out")

    def mark(marked: Any) -> Any:
        if told:
            _, args, of_arguments = (inspect.getdoc(marked) or "").partition("Args:")
            marked.__doc__ = f"{told}\n\n{args}{of_arguments}"
        return nb.tool(**given)(marked)

    return mark if function is None else mark(function)


def _pending(run: Any) -> RunOutput:
    output = run.output
    return RunOutput(output.model_copy(update={"status": RunStatus.pending, "content": None}))
