"""What one run needs to start anywhere and to be resumed: frozen, free of any live object but its tools.

Built by `agent.py` from what a user holds, read by the loop and the runtime, written to `runs.spec` (as JSON,
without the tools' code and without any key).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from nbagent import settings
from nbagent.core import explains_keywords, is_number, masked_fields, remember_named, unwrap_fields
from nbagent.errors import UnknownOptionError

if TYPE_CHECKING:
    from nbagent.schemas import OutputSchema
    from nbagent.tools import Tool


Mode = Literal["coordinate", "route", "broadcast"]
OnApproval = Literal["wait", "deny", "fail"]
On = Literal["kernel", "workers"]


@explains_keywords
@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What ends a run early. None is no limit; each has its own `stop_reason`.

    `timeout_s` counts from the start of the work, `queue_timeout_s` from the launch, `idle_timeout_s` between
    two bytes from a provider, `tool_timeout_s` for one tool call, `approval_timeout_s` for a call that
    waits for a person's approval (what then happens says `on_approval`; "wait" ends the run as `timeout`).

    >>> brief = Agent(model="demo:assistant", limits=Limits(max_output_tokens=3))
    >>> output = brief.run("What is the capital of France?")
    >>> output.content, output.stop_reason
    ('The capital', 'max_output_tokens')
    """

    timeout_s: float | None = 600.0
    idle_timeout_s: float | None = 120.0
    queue_timeout_s: float | None = None
    tool_timeout_s: float | None = None
    max_steps: int = 20
    max_output_tokens: int | None = None
    max_total_tokens: int | None = None
    max_cost_usd: float | None = None
    output_retries: int = 1
    model_retries: int = 3
    approval_timeout_s: float | None = None

    def __post_init__(self) -> None:
        for name in self.__slots__:
            unwrap_fields(self, name)
            value: Any = getattr(self, name)
            if value is not None and not is_number(value, at_least=0):
                raise UnknownOptionError(
                    f"{name} is {value!r}", "give a number of at least 0, or None for no limit"
                )


@explains_keywords
@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSettings:
    """What is passed through to the model. None leaves the provider's default.

    `thinking` is "adaptive", "disabled", a budget in tokens, or what the provider's API takes, as data;
    `prompt_cache` has a provider that keeps prompts only where it is told to (Anthropic) keep this one: True
    for five minutes, "1h" for an hour. It is not the `cache=` of an agent, which gives recorded answers again.

    >>> exact = Agent(model="demo:assistant", settings=ModelSettings(temperature=0, seed=7))
    >>> exact.settings.given()
    {'temperature': 0, 'seed': 7}
    """

    temperature: float | None = None
    top_p: float | None = None
    max_output_tokens: int | None = None
    reasoning_effort: str | None = None
    seed: int | None = None
    parallel_tool_calls: bool | None = None
    thinking: str | int | Mapping[str, Any] | None = None
    prompt_cache: bool | Literal["1h"] | None = None
    extra_body: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        unwrap_fields(self, *self.__slots__)
        remember_named(self.extra_body)
        if self.prompt_cache not in (None, True, False, "1h"):
            raise UnknownOptionError(
                f"prompt_cache is {self.prompt_cache!r}", 'give True (five minutes), "1h" or False'
            )
        if isinstance(self.thinking, bool) or not isinstance(self.thinking, str | int | Mapping | None):
            raise UnknownOptionError(
                f"thinking is {self.thinking!r}",
                'give "adaptive", "disabled", a budget in tokens, or what the provider takes as a dict',
            )

    def __repr__(self) -> str:
        given = ", ".join(f"{name}={value!r}" for name, value in self.shown().items())
        return f"ModelSettings({given})"

    def shown(self) -> dict[str, Any]:
        """The settings that were set, for a person and for the record: without what in them is a secret."""
        return {name: masked_fields(value) for name, value in self.given().items()}

    def given(self) -> dict[str, Any]:
        """The settings that were set, by name."""
        return {
            name: value
            for name in self.__slots__
            if (value := getattr(self, name)) is not None and value != {}
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSpec:
    """One agent as one run uses it. `model` is the string "provider:name", also for a model object.

    `model_named` is False for a model object: its base URL and key are no part of the string, so that the string
    alone does not make it again. `history_runs` is how many earlier runs of its session the model is shown and
    `history_tokens` how many tokens of them, by an estimate; None all.
    """

    kind: ClassVar[str] = "agent"  # as in `runs.kind`: how it is run
    resumable: ClassVar[bool] = True  # a stopped run can go on from the middle
    name: str
    model: str
    instructions: str = ""
    tools: tuple[Tool, ...] = ()
    output_schema: OutputSchema | None = None
    limits: Limits = field(default_factory=Limits)
    settings: ModelSettings = field(default_factory=ModelSettings)
    model_named: bool = True
    history_runs: int | None = None
    history_tokens: int | None = None
    on_approval: OnApproval = "wait"

    def to_data(self) -> dict[str, Any]:
        """JSON data for the store: enough to say what ran, and to check what is missing on resume."""
        return {
            "name": self.name,
            "model": self.model,
            "model_named": self.model_named,
            "instructions": self.instructions,
            "tools": [
                {
                    "name": tool.name,
                    "parameters": tool.parameters,
                    "fingerprint": tool.fingerprint,
                    **({"kernel_bound": True} if tool.options.kernel_bound else {}),
                    **({"editable_by_others": True} if tool.options.editable_by_others else {}),
                }
                for tool in self.tools
            ],
            "output_schema": self.output_schema.json_schema if self.output_schema else None,
            "output_type": self.output_schema.content_type if self.output_schema else None,
            "output_wrapper": self.output_schema.wrapper if self.output_schema else None,
            "limits": {name: getattr(self.limits, name) for name in self.limits.__slots__},
            "settings": self.settings.shown(),
            "history_runs": self.history_runs,
            # left out where it is none, so that the keys of earlier answers stay what they were
            **({} if self.history_tokens is None else {"history_tokens": self.history_tokens}),
            **({} if self.on_approval == "wait" else {"on_approval": self.on_approval}),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamSpec(AgentSpec):
    """One team as one run uses it: its leader's spec, its members' and how work is handed out.

    `limits` bound the team as a whole: tokens, cost and time of leader and members together. `tools` are the
    leader's own; those that hand out work are added when it runs.
    """

    kind: ClassVar[str] = "team"
    members: tuple[AgentSpec, ...] = ()
    mode: Mode = "coordinate"
    store_member_responses: bool = True

    def to_data(self) -> dict[str, Any]:
        """JSON data for the store, members included."""
        return {
            **AgentSpec.to_data(self),
            "members": [member.to_data() for member in self.members],
            "mode": self.mode,
            "store_member_responses": self.store_member_responses,
        }


def check_fields(name: object, limits: object, tuned: object) -> None:
    """Refuse an agent's name, limits or settings of another type. Raises UnknownOptionError."""
    if not isinstance(name, str):
        raise UnknownOptionError(f"name is {name!r:.80}", 'give it as text: Agent(name="analyst", ...)')
    if limits is not None and not isinstance(limits, Limits):
        raise UnknownOptionError(f"limits is {limits!r:.80}", "give Limits(max_steps=5, ...), or None")
    if not isinstance(tuned, ModelSettings):
        raise UnknownOptionError(
            f"settings is {tuned!r:.80}", "give ModelSettings(temperature=0, ...), or leave it out"
        )


LIMIT_FIELDS: Mapping[str, str] = {
    "timeout": "timeout_s",
    "idle_timeout": "idle_timeout_s",
    "queue_timeout": "queue_timeout_s",
    "tool_timeout": "tool_timeout_s",
    "max_steps": "max_steps",
    "max_output_tokens": "max_output_tokens",
    "max_total_tokens": "max_total_tokens",
    "max_cost": "max_cost_usd",
    "output_retries": "output_retries",
    "model_retries": "model_retries",
    "approval_timeout": "approval_timeout_s",
}  # option -> field of Limits


def configured_limits() -> Limits:
    """The limits as `%config`, environment and pyproject.toml set them."""
    return Limits(
        **{LIMIT_FIELDS[name]: value for name, value in settings.values(names=LIMIT_FIELDS).items()}
    )
