"""`Agent`: what a user holds. A dozen fields at most, and verbs of a line or two over the runtime."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Never, overload

from nbagent import runtime, settings
from nbagent.batch import (
    NAMES_TODO,
    Batch,
    BatchLimits,
    BatchPlan,
    Mode,
    OnError,
    Prompts,
    index_of,
    key_columns,
    source_of,
    start_batch,
)
from nbagent.core import (
    check_callable,
    check_keywords,
    check_launch,
    check_mapping,
    check_prompt,
    explains_keywords,
    how_to_set,
    is_awaited,
    say_once,
)
from nbagent.errors import ConfigurationError, replace_traceback
from nbagent.events import Event
from nbagent.models import Model, ModelGiven, default_model_name, is_named, model_name, resolve_model
from nbagent.prompts import (
    Instructions,
    attachments_of,
    check_instructions,
    files_of,
    instructions_text,
    prompt_with,
)
from nbagent.run import RunMetrics, RunOutput, html_repr, short_repr, told_fields
from nbagent.runtime import (
    Callbacks,
    Forecast,
    HasModel,
    LaunchRequest,
    ResolvedAgent,
    Run,
    RunEvents,
    as_sent,
)
from nbagent.schemas import OutputSchema
from nbagent.session import Session, id_of
from nbagent.settings import one_look
from nbagent.spec import AgentSpec, Limits, ModelSettings, On, OnApproval, check_fields, configured_limits
from nbagent.store import load_turns, session_metrics
from nbagent.tools import Tool, tools_of


@explains_keywords
@dataclass(kw_only=True, repr=False)
class Agent:
    """A model with instructions and tools, ready to run in the background of a notebook.

    `model` is "provider:name", a model object, or a list of these, of which the next answers where one is
    overloaded, unreachable or out of quota (None: the configured one, else the demo model);
    `instructions` a text, a list of texts (lines of one) or a function that is called without arguments at
    each launch; `tools` are functions, toolkit objects or `Tool`s; `output_schema` a pydantic model,
    dataclass, TypedDict, `list[...]` of these or a JSON Schema dict; `limits` and `settings` bound and tune
    every run (None: as configured). `on_busy` says what a launch does while its session is busy,
    `history_runs` how many earlier runs of the session the model is shown and `history_tokens` how many
    tokens of these (by an estimate, whole runs), `cache` whether earlier answers are given again,
    `on_approval` what becomes of calls that need a person's approval (None: as configured).

    >>> agent = Agent(model="demo:assistant")
    >>> agent.start("What is the capital of France?").result(timeout=30).content
    'The capital of France is Paris.'
    """

    model: ModelGiven | None = None
    instructions: Instructions = ""
    tools: Any = ()
    output_schema: Any = None
    name: str = "agent"
    limits: Limits | None = None
    settings: ModelSettings = field(default_factory=ModelSettings)
    on_busy: str | None = None
    history_runs: int | None = None
    history_tokens: int | None = None
    on_approval: OnApproval | None = None
    cache: str | None = None
    changed_from: Agent | None = field(
        default=None, init=False, repr=False, compare=False
    )  # whose address it has
    _last_session: str | None = field(default=None, init=False, repr=False, compare=False)
    _made_tools: tuple[tuple[Any, ...], tuple[Tool, ...]] | None = field(
        default=None, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        check_instructions(self.instructions)
        self._check_fields()

    def __repr__(self) -> str:
        return short_repr(type(self).__name__, told_fields(self))

    def _repr_html_(self) -> str:
        return html_repr(type(self).__name__, told_fields(self))

    @one_look()
    def start(
        self,
        prompt: str,
        *,
        session: Session | str | None = None,
        session_id: Session | str | None = None,
        run_id: str | None = None,
        output_schema: Any = None,
        timeout: float | None = None,
        cache: str | None = None,
        label: str | None = None,
        cell_id: str | None = None,
        tags: Mapping[str, str] | None = None,
        files: Any = (),
        detached: bool = False,
        on_approval: OnApproval | None = None,
        on: On | None = None,
        on_event: Callable[[Event], Any] | None = None,
        on_text: Callable[[str], Any] | None = None,
        **unknown: Never,
    ) -> Run:
        """Launch a run in the background and return its live handle; the launch is durable when it returns.

        `session` (or `session_id`, the same: a `Session` or its id) gives the run that session's history;
        without one it has a session of its own. `timeout` is the run's own time limit in seconds. `cache`
        says whether an earlier answer to the same is given instead of asking: "off", "use", "refresh" or
        "replay". `files` go with the prompt: paths, figures, images and PDFs as files, tables and other
        values as text after it; a list, or a mapping of names. A run launched inside a tool is cancelled with
        the run that the tool works for, unless it is `detached`. `on_approval` says what becomes of a tool
        call that needs a person: "wait", "deny" or "fail" (once `Limits(approval_timeout_s=)` is over, or at
        once). `on_event` gets each event and `on_text` the whole text so far, in order, on a thread of their
        own. `on="workers"` has workers of the team's record do it (docs/workers.md), which outlive this kernel.
        Raises ConfigurationErrors (unknown model, missing key or file, ...), RunIdInUseError, SessionBusyError.

        >>> agent = Agent(model="demo:assistant")
        >>> runs = [agent.start(f"What is the capital of {country}?") for country in ("Spain", "Egypt")]
        >>> [run.result(timeout=30).content for run in runs]
        ['The capital of Spain is Madrid.', 'The capital of Egypt is Cairo.']
        """
        check_keywords(self.start, unknown)
        check_prompt(prompt)
        check_callable("on_event", on_event)
        check_callable("on_text", on_text)
        check_launch(label=label, cell_id=cell_id, tags=tags, run_id=run_id)
        contexts = attachments_of(files, max_bytes=settings.get("max_context_bytes"))
        callbacks = Callbacks(on_event=on_event, on_text=on_text)
        address = runtime.address_for(runtime.current().store, self, on)
        run = runtime.current().launch(
            self._approving(on_approval).resolved(output_schema=output_schema, timeout=timeout),
            LaunchRequest(
                prompt=str(prompt_with(prompt, contexts) if prompt.strip() else prompt),
                template=getattr(prompt, "template", None),
                files=files_of(contexts),
                run_id=run_id,
                session_id=id_of(session, session_id),
                label=label,
                cell_id=cell_id,
                on_busy=settings.get("on_busy", self.on_busy),
                cache=settings.get("cache", cache if cache is not None else self.cache),
                detached=detached,
                tags=tags or {},
                address=address,
            ),
            callbacks=callbacks if callbacks != Callbacks() else None,
        )
        self._last_session = run.session_id
        self._say_demo()
        return run

    def forecast(
        self,
        prompt: str,
        *,
        session_id: str | None = None,
        output_schema: Any = None,
        files: Any = (),
    ) -> Forecast:
        """Return what a launch would send, its estimated tokens and the most it can cost; nothing is asked.

        Raises the ConfigurationErrors that `start` raises for the prompt, the files and the model's name.

        >>> forecast = Agent(model="demo:assistant").forecast("What is the capital of France?")
        >>> print(forecast)
        dry run: nothing is sent to demo:assistant
        input of the first call: about 7 tokens
        ...
        """
        check_prompt(prompt)
        contexts = attachments_of(files, max_bytes=settings.get("max_context_bytes"))
        agent = self.resolved(output_schema=output_schema)
        turns = load_turns(runtime.current().store, session_id) if session_id else ()
        return runtime.forecast(
            agent.spec,
            agent.model,
            prompt_with(prompt, contexts),
            history=as_sent(turns, last=agent.spec.history_runs, tokens=agent.spec.history_tokens),
            files=files_of(contexts),
        )

    def map(
        self,
        rows: Any,
        template: str,
        *,
        output_schema: Any = None,
        max_concurrency: int = 16,
        max_cost: float | None = None,
        max_tokens: int | None = None,
        requests_per_minute: int | None = None,
        tokens_per_minute: int | None = None,
        on_error: OnError = "continue",
        dedupe: bool = False,
        group: int = 1,
        repeat: int = 1,
        key: str | Sequence[str] | None = None,
        fresh: bool = False,
        mode: Mode = "notebook",
        timeout: float | None = None,
        label: str | None = None,
        cell_id: str | None = None,
        tags: Mapping[str, str] | None = None,
        names: Mapping[str, Any] | None = None,
        files: Any = None,
        on_approval: OnApproval | None = None,
        on: On | None = None,
        **unknown: Never,
    ) -> Batch:
        """Ask the template's prompt for each row, in the background, and return a `Batch` at once.

        `rows` are a table (pandas, polars, pyarrow or any with Arrow's PyCapsule interface, a DuckDB
        relation), a Series, a list, a dict of lists, or a generator, which is pulled as rows can be asked;
        all but a generator are copied, so that what becomes of them later changes nothing. The template knows
        `row` (`{{ row.text }}`; the value itself where the rows are no records), `index` (its label) and
        `names`; what stands in a row is data, never template; a missing value (None, NaN, NaT, NA) is
        nothing, and null in JSON and lists. Each row is a run of its own; at most `max_concurrency` are in
        flight. `max_cost` (US dollars) and `max_tokens` bound the whole batch: rows it cannot afford are not
        asked, and say so. With `on_error="stop"` no row is asked after one that failed. `dedupe` asks equal
        prompts once; `group` puts that many rows into one prompt, and asks a row alone whose answer is
        missing. `repeat` asks each row so many times, as rows of their own with a column `repeat`. Rows are
        known by their index label, or by the columns that `key` names, in the record too (`row_key` in
        `nb.runs(batch=...)`). `timeout` (seconds) is each run's own; `on_approval` as in `start`. `files`
        names a column, or a list of them, whose values go with the row's prompt: paths, pictures, PDFs,
        tables, as in `start`; "row" where the rows are no records. They are read when the row is asked; a row
        whose file cannot be sent fails.

        While the provider answers 429, all rows slow down together and speed up again. Rows that an earlier
        batch of the same agent, template and schema has answered come from the store, as after a killed
        kernel, unless `fresh`. `mode="provider-batch"` sends them as a batch file to the provider, at half
        the price, within 24 h. With `on="workers"` the rows are read to their end, and in the record when this
        returns; a worker asks them. Raises the ConfigurationErrors of `start`, and TemplateError where the first
        row's prompt cannot be made; never for what a row does later.
        """
        check_keywords(self.map, unknown)
        check_launch(label=label, cell_id=cell_id, tags=tags)
        check_mapping("names", names, NAMES_TODO)
        address = runtime.address_for(runtime.current().store, self, on)
        plan = BatchPlan(
            crew=self._approving(on_approval).resolved(output_schema=output_schema, timeout=timeout),
            prompts=Prompts.of(template, names or {}, files),
            limits=BatchLimits(
                max_concurrency=max_concurrency,
                max_cost_usd=max_cost,
                max_tokens=max_tokens,
                requests_per_minute=requests_per_minute,
                tokens_per_minute=tokens_per_minute,
            ),
            on_error=on_error,
            dedupe=dedupe,
            group=group,
            repeat=repeat,
            key_columns=key_columns(key),
            fresh=fresh,
            mode=mode,
            label=label,
            cell_id=cell_id,
            tags=tags or {},
        )
        batch = start_batch(plan, source_of(rows), index_of(rows), address)
        self._say_demo()
        return batch

    @overload
    def run(self, prompt: str, *, stream: Literal[False] = ..., **options: Any) -> RunOutput: ...

    @overload
    def run(self, prompt: str, *, stream: Literal[True], **options: Any) -> RunEvents: ...

    def run(
        self, prompt: str, *, background: bool = False, stream: bool = False, **options: Any
    ) -> RunOutput | RunEvents:
        """Run and wait, whatever the outcome; Stop cancels the run. `background` and `stream` are as in `arun`.

        >>> Agent(model="demo:assistant").run("What is 17 times 3?").content
        '17 * 3 = 51.'
        """
        if is_awaited(sys._getframe(1)):  # noqa: SLF001 - what waits for the call is nowhere else
            raise ConfigurationError(
                "agent.run(...) is awaited, and it blocks until the run ends; nothing was started",
                "write await agent.arun(...), or agent.run(...) without await",
            )
        run = self.start(prompt, **options)
        if stream:
            return run.events() if background else run.owned_events()
        if background:
            return runtime.pending_output(run)
        try:
            return run.wait()
        except KeyboardInterrupt as stop:
            run.cancel()
            replace_traceback(stop, "the run was cancelled; what it had written is kept")
            raise

    @overload
    def arun(
        self, prompt: str, *, background: bool = ..., stream: Literal[False] = ..., **options: Any
    ) -> Coroutine[Any, Any, RunOutput]: ...

    @overload
    def arun(self, prompt: str, *, stream: Literal[True], **options: Any) -> RunEvents: ...

    def arun(
        self, prompt: str, *, background: bool = False, stream: bool = False, **options: Any
    ) -> Coroutine[Any, Any, RunOutput] | RunEvents:
        """Run without blocking, whatever the outcome; cancelling the waiting task cancels the run.

        With `background=True` return the pending snapshot at once: poll it with `aget_run_output`. With
        `stream=True` launch at once and return the run's events: `async for event in agent.arun(...,
        stream=True)`.

        >>> import asyncio
        >>> output = asyncio.run(Agent(model="demo:assistant").arun("What is the capital of Peru?"))
        >>> output.content
        'The capital of Peru is Lima.'
        """
        if not stream:
            return self._arun(prompt, background=background, **options)
        run = self.start(prompt, **options)
        return run.events() if background else run.owned_events()

    async def _arun(self, prompt: str, *, background: bool, **options: Any) -> RunOutput:
        run = self.start(prompt, **options)
        if background:
            return runtime.pending_output(run)
        try:
            return await run.finished()
        except asyncio.CancelledError:
            run.cancel()
            raise

    async def aget_run_output(self, *, run_id: str, session_id: Session | str | None = None) -> RunOutput:
        """Return the run as it stands now, from any kernel; an end is in the store when it is returned.

        Raises UnknownNameError for an id nobody launched.
        """
        del session_id  # an id is enough; the reference systems want both
        run = runtime.current().get(run_id)
        output = run.output
        return await run.finished() if output.is_final else output

    async def acancel_run(self, *, run_id: str) -> bool:
        """Cancel a run; True if it was not over yet."""
        return runtime.cancel_run(run_id)

    def get_session_metrics(self, session_id: Session | str | None = None) -> RunMetrics:
        """Sum over a session's runs, from the store; the session of this agent's last launch by default.

        >>> agent = Agent(model="demo:assistant")
        >>> for question in ("What is the capital of Japan?", "What is the capital of Italy?"):
        ...     _ = agent.run(question, session="capitals")
        >>> agent.get_session_metrics("capitals").model_calls
        2
        """
        store = runtime.current().store
        runtime.catch_up_prices(runtime.current())
        return session_metrics(store, id_of(session_id) or self._last_session or "")

    def resume(self, run_id: str, **options: Any) -> Run:
        """Go on with a stopped run of this agent, with its tools as they are now; see `Run.resume`."""
        return runtime.current().resume(run_id, agent=self, **options)

    def _say_demo(self) -> None:
        """Say once in a process that nobody named a model, where that is so."""
        if self.model is None and settings.get("model") is None:
            how = how_to_set("model", '"openai:..."')
            say_once(f"no model is set: the demo model answers ({how} sets a real one)")

    def _approving(self, on_approval: OnApproval | None) -> Agent:
        return self if on_approval is None else replace(self, on_approval=on_approval)

    def resolved(
        self, *, output_schema: Any = None, timeout: float | None = None, leader: HasModel | None = None
    ) -> ResolvedAgent:
        """Return the spec and model of one run; a member without a model of its own has its leader's.

        Called by the verbs and by teams. Raises ConfigurationError.
        """
        chosen: HasModel = self if self.model is not None or leader is None else leader
        given = default_model_name(settings.get("model"), {}) if chosen.model in (None, "") else chosen.model
        model = resolve_model(given or ())
        spec = self._spec(model, output_schema, timeout)
        return ResolvedAgent(spec=replace(spec, model_named=is_named(chosen.model)), model=model)

    def _spec(self, model: Model, output_schema: Any, timeout: float | None) -> AgentSpec:
        self._check_fields()
        schema = output_schema if output_schema is not None else self.output_schema
        limits = self.limits or configured_limits()
        tuned = self.settings
        if tuned.max_output_tokens is None and limits.max_output_tokens is not None:
            tuned = replace(tuned, max_output_tokens=limits.max_output_tokens)
        return AgentSpec(
            name=self.name,
            model=model_name(model),
            instructions=instructions_text(self.instructions),
            tools=self._tools(),
            output_schema=OutputSchema.of(schema) if schema is not None else None,
            limits=replace(limits, timeout_s=timeout) if timeout is not None else limits,
            settings=tuned,
            history_runs=settings.get("history_runs", self.history_runs),
            history_tokens=settings.get("history_tokens", self.history_tokens),
            on_approval=settings.get("on_approval", self.on_approval),
        )

    def _check_fields(self) -> None:
        """Refuse a name, limits or settings of another type, also those that were assigned later."""
        check_fields(self.name, self.limits, self.settings)

    def _tools(self) -> tuple[Tool, ...]:
        """Return the tools made of `tools`; made once, because that reads signatures and docstrings."""
        sources = tuple(self.tools) if isinstance(self.tools, list | tuple) else (self.tools,)
        if self._made_tools is None or self._made_tools[0] != sources:
            self._made_tools = sources, tools_of(sources)
        return self._made_tools[1]
