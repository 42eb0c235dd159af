"""`nb.guest`: another framework's agent with the verbs of an `Agent`."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from nbagent import settings
from nbagent.agent import Agent
from nbagent.batch import Batch
from nbagent.core import explains_keywords, say_once
from nbagent.errors import SchemaError, UnknownOptionError
from nbagent.guests.guest_spec import Description, GuestModel, GuestSpec
from nbagent.guests.recognition import framework_name, framework_of
from nbagent.runtime import HasModel, ResolvedAgent, Run, Runnable
from nbagent.schemas import OutputSchema
from nbagent.spec import Limits, ModelSettings, configured_limits

_UNHEEDED = ("max_output_tokens", "tool_timeout_s", "idle_timeout_s", "output_retries", "model_retries")


@explains_keywords
@dataclass(kw_only=True, repr=False)
class Guest(Agent):
    """An agent of another framework, ready to run in the background of a notebook; made by `nb.guest`.

    Its verbs are those of `Agent`. Model, instructions and tools are its own; `limits` are looked at after each
    model call that its framework tells of.
    """

    obj: Any = None
    input: Callable[..., Any] | None = None
    output: Callable[..., Any] | None = None
    name: str = ""
    _told: Description = field(default_factory=Description, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        framework = framework_of(self.obj)
        check = getattr(framework, "check", None)
        if check is not None:
            check(self.obj, has_input=self.input is not None, has_output=self.output is not None)
        self._told = framework.describe(self.obj)
        self.name = self.name or self._told.name or framework.FRAMEWORK
        super().__post_init__()

    def start(self, prompt: str, **options: Any) -> Run:
        """Launch a run in the background and return its live handle; as `Agent.start`, without an answer cache."""
        asked = options.pop("cache", None) or self.cache or settings.get("cache")
        if asked != "off":
            self._say_limit(f"cache={asked!r}", "its answers are no answers of a model that nbagent asked")
        return super().start(prompt, cache="off", **options)

    def map(self, rows: Any, template: str, **options: Any) -> Batch:
        """Ask the template's prompt for each row, as `Agent.map`: each row is asked, also one that was before."""
        if options.get("mode", "notebook") != "notebook":
            raise UnknownOptionError(
                f"mode={options['mode']!r}: guest {self.name!r} asks its model by itself",
                'leave it out, or use an Agent with mode="provider-batch"',
            )
        return super().map(rows, template, **{**options, "fresh": True})

    def resolved(
        self, *, output_schema: Any = None, timeout: float | None = None, leader: HasModel | None = None
    ) -> ResolvedAgent:
        """Return the spec of one run. Raises ConfigurationError."""
        del leader  # its model is its own
        self._refuse_what_is_its_own()
        framework = framework_of(self.obj)
        told = self._told = framework.describe(self.obj)
        limits = self.limits or configured_limits()
        self._say_limits(limits)
        asked = output_schema if output_schema is not None else self.output_schema
        own = _schema_of(told.output_type)
        model = GuestModel(
            told.provider or framework.FRAMEWORK,
            told.model or type(self.obj).__name__,
            told.model is not None,
        )
        spec = GuestSpec(
            name=self.name,
            model=f"{model.provider}:{model.id}",
            instructions=told.instructions,
            output_schema=own if asked is None else OutputSchema.of(asked),
            limits=limits if timeout is None else replace(limits, timeout_s=timeout),
            model_named=False,
            history_runs=settings.get("history_runs", self.history_runs),
            history_tokens=settings.get("history_tokens", self.history_tokens),
            on_approval=settings.get("on_approval", self.on_approval),
            framework=framework.FRAMEWORK,
            obj=self.obj,
            input=self.input,
            output=self.output,
            own_schema=own,
            tool_names=told.tools,
        )
        return ResolvedAgent(spec=spec, model=model)

    def _say_demo(self) -> None:
        """Say nothing: its model is its own."""

    def _refuse_what_is_its_own(self) -> None:
        """Refuse what only the framework's own object can be told. Raises UnknownOptionError."""
        self._check_fields()
        own: dict[str, tuple[Any, Any]] = {
            "model": (self.model, None),
            "instructions": (self.instructions, ""),
            "tools": (self.tools, ()),
            "settings": (self.settings, ModelSettings()),
        }
        for name, (value, none) in own.items():
            if value != none:
                raise UnknownOptionError(
                    f"{name} is {value!r:.80}, and guest {self.name!r} has its own",
                    f"set it on the {framework_of(self.obj).FRAMEWORK} object itself",
                )

    def _say_limits(self, limits: Limits) -> None:
        """Say once which of the limits that were set do not hold for a guest, or hold later."""
        usual = Limits()
        given = [name for name in _UNHEEDED if getattr(limits, name) != getattr(usual, name)]
        if given:
            self._say_limit(", ".join(given), "calls of model and tools are its framework's own")
        late = [name for name in ("max_total_tokens", "max_cost_usd") if getattr(limits, name) is not None]
        if late and framework_name(self.obj) == "functions":
            self._say_limit(", ".join(late), "nobody tells what a function asks a model")
        elif late:
            words = ", ".join([*late, "max_steps"])
            say_once(f"guest {self.name!r}: {words} are looked at after each call that it tells of")

    def _say_limit(self, what: str, why: str) -> None:
        say_once(f"guest {self.name!r}: {what} has no effect, {why}")


def guest(
    obj: Any,
    *,
    name: str | None = None,
    input: Callable[..., Any] | None = None,  # noqa: A002 - the issue's word: what goes in, beside output
    output: Callable[..., Any] | None = None,
    limits: Limits | None = None,
) -> Guest:
    """Make an agent of another framework one that runs here: in the background, in a team, over a table.

    `obj` is an agent of pydantic-ai, openai-agents, agno or agent-framework, a compiled graph of langgraph, or an
    async function or generator that takes a prompt (and, as a second argument, the session's history). `input`
    makes of the prompt, or of prompt and history, what it is called with, and `output` an answer of what it gives:
    for a graph its state. `limits` bound its runs. Raises ConfigurationError.

    >>> async def shout(prompt):
    ...     for word in prompt.split():
    ...         yield word.upper() + " "
    >>> nb.guest(shout).run("hello world").content
    'HELLO WORLD '
    """
    if isinstance(obj, Guest):
        obj, name = obj.obj, name or obj.name
    return Guest(obj=obj, name=name or "", input=input, output=output, limits=limits)


def as_runnable(obj: Any, name: str | None = None) -> Runnable | None:
    """Return what can be run of an object: itself, or a guest; None for one that is neither."""
    if isinstance(obj, Runnable) and framework_name(obj) is None:
        return obj
    return guest(obj, name=name) if framework_name(obj) is not None else None


def _schema_of(target: Any) -> OutputSchema | None:
    """Return the schema of a framework's own type of answer; one that we have none for is no schema of ours."""
    if target is None:
        return None
    with contextlib.suppress(SchemaError):
        return OutputSchema.of(target)
    return None
