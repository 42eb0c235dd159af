"""`Agent`: what a user holds. At most ten fields, and verbs of a line or two over the runtime."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from nbagent import runtime, settings
from nbagent.models import default_model_name, resolve_model
from nbagent.models.protocol import Model
from nbagent.run import RunMetrics, RunOutput, RunStatus
from nbagent.runtime import Launching, Run
from nbagent.schemas import OutputSchema
from nbagent.spec import AgentSpec, Limits, ModelSettings
from nbagent.store import session_metrics
from nbagent.tools import Tool, tools_of


@dataclass(kw_only=True)
class Agent:
    """A model with instructions and tools, ready to run in the background of a notebook.

    `model` is "provider:name" or a model object (None: the configured one, else the demo model); `tools` are
    functions, toolkit objects or `Tool`s; `output_schema` a pydantic model, dataclass, TypedDict, `list[...]` of
    these or a JSON Schema dict; `limits` and `settings` bound and tune every run (None: as configured).

    >>> agent = Agent(model="demo:assistant")
    >>> agent.start("What is the capital of France?").result(timeout=30).content
    'The capital of France is Paris.'
    """

    model: str | Model | None = None
    instructions: str = ""
    tools: Any = ()
    output_schema: Any = None
    name: str = "agent"
    limits: Limits | None = None
    settings: ModelSettings = field(default_factory=ModelSettings)
    on_busy: str | None = None
    _last_session: str | None = field(default=None, init=False, repr=False, compare=False)
    _made_tools: tuple[tuple[Any, ...], tuple[Tool, ...]] | None = field(
        default=None, init=False, repr=False, compare=False
    )

    def start(
        self,
        prompt: str,
        *,
        session_id: str | None = None,
        run_id: str | None = None,
        output_schema: Any = None,
        timeout: float | None = None,
        label: str | None = None,
        cell_id: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> Run:
        """Launch a run in the background and return its live handle; the launch is durable when it returns.

        `timeout` is the run's own time limit in seconds. Raises the ConfigurationErrors (unknown model, missing
        key, empty prompt, ...), RunIdInUseError and SessionBusyError; never for what the run does later.
        """
        model = resolve_model(self.model or default_model_name(settings.get("model"), {}))
        run = runtime.current().launch(
            self._spec(model, output_schema, timeout),
            model,
            Launching(
                prompt=prompt,
                run_id=run_id,
                session_id=session_id,
                label=label,
                cell_id=cell_id,
                on_busy=settings.get("on_busy", self.on_busy),
                tags=tags or {},
            ),
        )
        self._last_session = run.session_id
        return run

    def run(self, prompt: str, *, background: bool = False, **options: Any) -> RunOutput:
        """Run and wait, whatever the outcome; Stop cancels the run. With `background`, return at once (pending)."""
        run = self.start(prompt, **options)
        if background:
            return _pending(run)
        try:
            return run.wait()
        except KeyboardInterrupt:
            run.cancel()
            raise

    async def arun(self, prompt: str, *, background: bool = False, **options: Any) -> RunOutput:
        """Run without blocking, whatever the outcome; cancelling the waiting task cancels the run.

        With `background=True` return the pending snapshot at once: poll it with `aget_run_output`.
        """
        run = self.start(prompt, **options)
        if background:
            return _pending(run)
        try:
            return await run.finished()
        except asyncio.CancelledError:
            run.cancel()
            raise

    async def aget_run_output(self, *, run_id: str, session_id: str | None = None) -> RunOutput:
        """Return the run as it stands now, from any kernel. Raises UnknownNameError for an id nobody launched."""
        del session_id  # an id is enough; the reference systems want both
        return runtime.current().get(run_id).output

    async def acancel_run(self, *, run_id: str) -> bool:
        """Cancel a run; True if it was not over yet."""
        return cancel_run(run_id)

    def get_session_metrics(self, session_id: str | None = None) -> RunMetrics:
        """Sum over a session's runs, from the store; the session of this agent's last launch by default."""
        store = runtime.current().store
        return session_metrics(store, session_id or self._last_session or "")

    def _spec(self, model: Model, output_schema: Any, timeout: float | None) -> AgentSpec:
        schema = output_schema if output_schema is not None else self.output_schema
        limits = self.limits or configured_limits()
        return AgentSpec(
            name=self.name,
            model=f"{model.provider}:{model.id}",
            instructions=self.instructions,
            tools=self._tools(),
            output_schema=OutputSchema.of(schema) if schema is not None else None,
            limits=replace(limits, timeout_s=timeout) if timeout is not None else limits,
            settings=self.settings,
        )

    def _tools(self) -> tuple[Tool, ...]:
        """The tools made of `tools`; making one reads its signature and docstring, so that it is done once."""
        sources = tuple(self.tools) if isinstance(self.tools, list | tuple) else (self.tools,)
        if self._made_tools is None or self._made_tools[0] != sources:
            self._made_tools = sources, tools_of(sources)
        return self._made_tools[1]


def configured_limits() -> Limits:
    """The limits as flags, `%config`, environment and pyproject.toml set them."""
    values = settings.values()
    return Limits(
        timeout_s=values["timeout"],
        idle_timeout_s=values["idle_timeout"],
        queue_timeout_s=values["queue_timeout"],
        max_steps=values["max_steps"],
        max_output_tokens=values["max_output_tokens"],
        max_total_tokens=values["max_total_tokens"],
        max_cost_usd=values["max_cost"],
        output_retries=values["output_retries"],
        model_retries=values["model_retries"],
    )


def get(key: str) -> Run:
    """The run with this id or label (the latest of that label), from any kernel. Raises UnknownNameError."""
    return runtime.current().get(key)


def cancel_run(run_id: str) -> bool:
    """Cancel the run with this id, here or in another kernel, or before it is launched.

    True if it had not ended (an id not launched yet counts); False if it had: then nothing changes.
    """
    return runtime.current().cancel(run_id)


def _pending(run: Run) -> RunOutput:
    """The snapshot as it was at launch, so that its status is `pending` whatever the run did meanwhile."""
    output = run.output
    return RunOutput(
        run_id=output.run_id,
        session_id=output.session_id,
        status=RunStatus.pending,
        agent_name=output.agent_name,
        label=output.label,
        provider=output.provider,
        model=output.model,
        prompt=output.prompt,
        created_at=output.created_at,
    )
