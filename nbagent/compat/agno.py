"""agno's words for nbagent: `from nbagent.compat.agno import Agent` where a script says `from agno.agent import Agent`.

Agents and teams are nbagent's own, with its background, record, panel and Cancel. As in agno the runs of an agent
share one session unless they are given another, see earlier ones only with `add_history_to_context`, and an error is
told in `content`.
"""

from __future__ import annotations

import contextlib
import copy
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import nbagent as nb
from nbagent import RunStatus, cancel_run, settings
from nbagent.compat.agno_events import RunEvent, RunOutputEvent, TeamRunEvent, event_of
from nbagent.compat.agno_models import CompatModel, File, Image, Media, OpenAIChat, OpenAIResponses
from nbagent.compat.agno_outputs import Metrics, RunOutput
from nbagent.compat.agno_runs import (
    asettled,
    decided_run,
    pending_run,
    pprint_run_response,
    settled,
    text_of,
)
from nbagent.compat.agno_tools import RunContext, Toolkit, tool, with_context
from nbagent.core import say_once, uuid7
from nbagent.errors import ConfigurationError, UnknownNameError, UnknownOptionError

__all__ = [
    "Agent", "File", "Image", "InMemoryDb", "OpenAIChat", "OpenAIResponses", "PostgresDb", "RunContext", "RunEvent",
    "RunOutput", "RunOutputEvent", "RunStatus", "SqliteDb", "Team", "TeamRunEvent", "TeamRunOutput", "Toolkit",
    "cancel_run", "pprint_run_response", "tool",
]  # fmt: skip

TeamRunOutput = RunOutput

# what agno takes and nbagent has no use for: the record, the card and the panel do it
_WITHOUT_EFFECT = frozenset(
    "markdown debug_mode debug_level telemetry stream stream_events stream_member_events store_events "
    "store_member_responses_events show_members_responses show_tool_calls user_id id cache_session monitoring "
    "use_json_mode structured_outputs add_member_tools_to_context show_message show_reasoning".split()
)
_SAID = frozenset("reasoning add_datetime_to_context add_name_to_context add_location_to_context".split())
# what has nothing like it here, and what to do
_INSTEAD = {
    "knowledge": "give a function that searches it as a tool: tools=[search]",
    "search_knowledge": "give a function that searches it as a tool: tools=[search]",
    "memory_manager": "put what is known of a person in instructions=",
    "enable_user_memories": "put what is known of a person in instructions=",
    "update_memory_on_run": "put what is known of a person in instructions=",
    "enable_agentic_memory": "put what is known of a person in instructions=",
    "enable_agentic_state": "give tools that change the state: def add(run_context, item): ...",
    "enable_session_summaries": "add_history_to_context=True shows the session's runs themselves",
    "read_chat_history": "add_history_to_context=True shows the session's runs themselves",
    "pre_hooks": "call them before agent.run(...)",
    "post_hooks": "call them on what agent.run(...) gives",
    "share_member_interactions": "members see their task alone: have the leader put what they need into it",
    "determine_input_for_members": "members see the task that the leader writes",
}
_NAMES_INSTEAD = {
    "Workflow": "call the agents one after the other in Python: each run() waits for its end",
    "Step": "call the agents one after the other in Python: each run() waits for its end",
    "Parallel": "start the agents with run(..., background=True), or nb.gather their runs",
    "Knowledge": "give a function that searches it as a tool: tools=[search]",
    "MemoryManager": "put what is known of a person in instructions=",
}


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
    """`PostgresDb(db_url="postgresql+psycopg://...")`: what has it as its `db` is recorded on that server.

    In tables of nbagent's own, in the schema `nbagent` or the address's `?schema=`; agno's are left alone. As with
    `%config NBAgent.store` that holds for the whole process from then on.
    """

    def __init__(self, db_url: str | None = None, **options: Any) -> None:
        self._url = db_url
        if db_url is None:
            super().__init__(**options)

    def use(self) -> None:
        """Have the record there. Raises ConfigurationError for an address that is none."""
        if self._url is None:
            return
        if not settings.is_server_url(self._url):  # it may hold a password
            raise ConfigurationError(
                "the db_url of PostgresDb is no address of a Postgres server",
                'write "postgresql+psycopg://user@host:5432/database"',
            )
        settings.configure("store", self._url)
        say_once(
            f"runs are recorded on the server {str(settings.get('store')).rpartition('@')[2]!r}, in tables of nbagent's own\n"
            "nb.runs() reads them from any kernel; %config NBAgent.store says where they are"
        )


class InMemoryDb(_Db):
    """The same."""


class _Verbs:
    """agno's verbs over those of an nbagent agent."""

    session_id: str
    _EVENT_PREFIX = ""

    def _set_up(self, session_id: str | None, state: Any, *, shown: bool) -> None:
        self.session_id = session_id or str(uuid7())
        self._first_state, self._shows_state = dict(state or {}), shown
        self._states: dict[str, dict[str, Any]] = {}

    def _start(self, input: Any, options: dict[str, Any]) -> Any:  # noqa: A002 - agno's word
        for name in _WITHOUT_EFFECT & set(options):
            options.pop(name)
        metadata = options.pop("metadata", None) or {}
        tags = (
            {str(name): str(value) for name, value in metadata.items()}
            if isinstance(metadata, Mapping)
            else {}
        )
        session_id = options.pop("session_id", None) or self.session_id
        state = self._state_of(session_id)
        state |= options.pop("session_state", None) or {}
        media = [*(options.pop("images", None) or ()), *(options.pop("files", None) or ())]
        given = [one.source if isinstance(one, Media) else one for one in media]
        agent = self._in_session(RunContext(session_id, state))
        start = nb.Team.start if isinstance(agent, nb.Team) else nb.Agent.start
        return start(agent, text_of(input), session_id=session_id, tags=tags, files=given, **options)

    def _state_of(self, session_id: str) -> dict[str, Any]:
        return self._states.setdefault(session_id, copy.deepcopy(self._first_state))

    def _in_session(self, context: RunContext) -> Any:
        """Return the agent with a session's state in its instructions, and in the tools that want it."""
        own: Any = copy.copy(self)
        own.tools = with_context(own.tools, context)
        if context.session_state:
            texts = [own.instructions] if isinstance(own.instructions, str) else list(own.instructions)
            own.instructions = [_filled(text, context.session_state) for text in texts]
            if self._shows_state:
                own.instructions += [f"<session_state>\n{context.session_state}\n</session_state>"]
        own.members = [
            one._in_session(context) if isinstance(one, _Verbs) else one  # noqa: SLF001 - of this class
            for one in getattr(own, "members", ())
        ]
        return own

    def run(self, input: Any, *, stream: bool = False, background: bool = False, **options: Any) -> Any:  # noqa: A002
        """Run and wait for the end, or until a person must decide.

        With `background` the pending snapshot is returned, with `stream` an iterator of events.
        """
        whole = _is_whole(options)
        run = self._start(input, options)
        if stream:
            return self._streamed(run, whole=whole)
        return self._told(pending_run(run) if background else settled(run))

    def arun(self, input: Any, *, stream: bool = False, background: bool = False, **options: Any) -> Any:  # noqa: A002
        """The same without blocking: to be awaited, or iterated with `stream`."""
        whole = _is_whole(options)
        if stream:
            return self._astreamed(input, options, whole=whole)
        return self._arun(input, background, options)

    async def _arun(self, input: Any, background: bool, options: dict[str, Any]) -> RunOutput:  # noqa: FBT001, A002
        run = self._start(input, options)
        return self._told(pending_run(run) if background else await asettled(run))

    def _told(self, output: RunOutput) -> RunOutput:
        output.session_state = self._states.get(output.session_id)
        return output

    def continue_run(
        self, run_response: Any = None, *, run_id: str | None = None, **options: Any
    ) -> RunOutput:
        """Go on with a run that waits, as its calls or requirements say that a person has decided."""
        return self._told(settled(*decided_run(run_response, run_id, options)))

    async def acontinue_run(
        self, run_response: Any = None, *, run_id: str | None = None, **options: Any
    ) -> RunOutput:
        """The same, for code that awaits it."""
        return self._told(await asettled(*decided_run(run_response, run_id, options)))

    def _streamed(self, run: Any, *, whole: bool) -> Iterator[RunOutputEvent]:
        for event in run.events():
            if (made := event_of(event, run, self._EVENT_PREFIX, whole=whole)) is not None:
                yield made

    async def _astreamed(
        self, asked: Any, options: dict[str, Any], *, whole: bool
    ) -> AsyncIterator[RunOutputEvent]:
        run = self._start(asked, options)
        async for event in run.owned_events():
            if (made := event_of(event, run, self._EVENT_PREFIX, whole=whole)) is not None:
                yield made

    def print_response(self, input: Any, *, stream: bool = False, **options: Any) -> None:  # noqa: A002
        """Print the answer, piece by piece with `stream`."""
        pprint_run_response(self.run(input, stream=stream, **options))

    async def aprint_response(self, input: Any, *, stream: bool = False, **options: Any) -> None:  # noqa: A002
        """The same without blocking."""
        if not stream:
            pprint_run_response(await self.arun(input, **options))
            return
        async for event in self.arun(input, stream=True, **options):
            print(event.content, end="", flush=True)  # noqa: T201 - that is what it is for
        print()  # noqa: T201 - the same

    def get_session_state(self, session_id: str | None = None) -> dict[str, Any]:
        """Return the state of a session, as its tools have left it in this kernel."""
        return self._state_of(session_id or self.session_id)

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
        return Metrics.of(super().get_session_metrics(session_id or self.session_id))  # type: ignore[misc]

    def __getattr__(self, name: str) -> Any:
        words = f"agno's {name!r} has nothing like it in nbagent.compat.agno"
        raise AttributeError(
            f"{words}\nrun agno's own agent as a guest: nb.guest(agent)" if name[:1] != "_" else name
        )


def _fields(cls: str, fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of an nbagent agent for those of agno's. Raises UnknownOptionError."""
    for name, value in list(fields.items()):
        if name in _INSTEAD and value:
            raise UnknownOptionError(f"{cls}({name}=...) is no option", _INSTEAD[name])
        if name in _SAID and value:
            say_once(f"{cls}({name}={value!r}) has no effect in nbagent")
        if name in _WITHOUT_EFFECT | _SAID | set(_INSTEAD) or name == "db":
            given = fields.pop(name)
            if isinstance(given, PostgresDb):
                given.use()
    texts = [fields.pop(name, None) for name in ("description", "role")]
    own = fields.pop("instructions", None) or []
    texts += own if isinstance(own, list | tuple) else [own]
    if (expected := fields.pop("expected_output", None)) is not None:
        texts.append(f"<expected_output>\n{expected}\n</expected_output>")
    texts.append(fields.pop("additional_context", None))
    model, settings = fields.get("model"), {}
    if isinstance(model, CompatModel):
        settings = {"settings": nb.ModelSettings(**model.compat_settings)}
    for name, old in (
        ("output_schema", "response_model"),
        ("add_history_to_context", "add_history_to_messages"),
    ):
        if old in fields:
            fields.setdefault(name, fields.pop(old))
    history = fields.pop("num_history_runs", None) if fields.pop("add_history_to_context", False) else 0
    wait = {"history_runs": history, "on_busy": "queue" if history != 0 else "parallel"}
    limit = fields.pop("tool_call_limit", None)
    if limit is not None:
        fields["limits"] = nb.Limits(max_steps=limit + 1)
    tools = fields.pop("tools", None) or ()
    return {**wait, **settings, **fields, "tools": tools, "instructions": [text for text in texts if text]}


class Agent(_Verbs, nb.Agent):  # type: ignore[misc] # its verbs have agno's arguments
    """`Agent(name=, model=, description=, instructions=, tools=, output_schema=, session_state=, db=, ...)`."""

    def __init__(
        self, *, session_id: str | None = None, session_state: Any = None,
        add_session_state_to_context: bool = False, **fields: Any,
    ) -> None:  # fmt: skip
        self._set_up(session_id, session_state, shown=add_session_state_to_context)
        super().__init__(**_fields("Agent", fields))


class Team(_Verbs, nb.Team):  # type: ignore[misc] # the same
    """`Team(name=, model=, members=[...], instructions=, role=, mode=, ...)`; a member's state is the team's."""

    _EVENT_PREFIX = "Team"

    def __init__(
        self, *, session_id: str | None = None, session_state: Any = None,
        add_session_state_to_context: bool = False, **fields: Any,
    ) -> None:  # fmt: skip
        self._set_up(session_id, session_state, shown=add_session_state_to_context)
        mode = getattr(fields.get("mode"), "value", fields.get("mode"))
        if mode is not None:
            fields["mode"] = {"collaborate": "broadcast"}.get(mode, mode)
        if fields.pop("respond_directly", False):
            fields["mode"] = "route"
        if fields.pop("delegate_to_all_members", False):
            fields["mode"] = "broadcast"
        super().__init__(**_fields("Team", fields))


def _filled(text: str, state: Mapping[str, Any]) -> str:
    """Return instructions with the state's values where it names them; other braces stay."""
    return re.sub(r"\{(\w+)\}", lambda found: str(state.get(found[1], found[0])), text)


def _is_whole(options: dict[str, Any]) -> bool:
    """Say whether all events are asked for, by any of agno's words."""
    asked = [options.pop(name, False) for name in ("stream_events", "stream_intermediate_steps")]
    return any(asked)


def __getattr__(name: str) -> Any:
    if name.startswith("_"):
        raise AttributeError(name)
    todo = _NAMES_INSTEAD.get(
        name, "import it from agno itself, and run its agent as a guest: nb.guest(agent)"
    )
    raise ImportError(f"agno's {name!r} has nothing like it in nbagent.compat.agno\n{todo}")
