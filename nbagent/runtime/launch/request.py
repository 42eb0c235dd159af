"""What a launch asks for, as plain data, and what is known of a run from then on. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from nbagent.core import by_place, how_to_set, utc_now, uuid7
from nbagent.errors import ConfigurationError
from nbagent.events import FilePart
from nbagent.models import Model, alternatives, has_price, price_table
from nbagent.run import RunLaunch
from nbagent.spec import AgentSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedAgent:
    """A spec with the model that answers for it, and a team's members likewise, in the spec's order."""

    spec: AgentSpec
    model: Model
    members: tuple[ResolvedAgent, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchRequest:
    """What a launch says beside the agent, as plain data. None is: mint one, or leave it out.

    `member_of_turn` is set for a member's own launch, to the turn of its team: it has no part in its
    session's history. `tool_call` and `keeps_texts` are as in `RunLaunch`. `detached`: a run launched inside
    a tool is not stopped with the run that the tool works for. `cache` is a mode of `cache_lookup.py`,
    `row_key` the row of a batch that the run answers. `forked` is the run whose first steps this one shares, and
    how many, `template` what its prompt was filled from, `again` the run whose prompt it asks once more as it was.
    `address` is where workers find the agent of a launch for them.
    """

    prompt: str
    run_id: str | None = None
    session_id: str | None = None
    label: str | None = None
    cell_id: str | None = None
    parent_run_id: str | None = None
    on_busy: str = "queue"
    detached: bool = False
    files: tuple[FilePart, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    member_of_turn: int | None = None
    tool_call: tuple[int, str] | None = None
    keeps_texts: bool = True
    batch_id: str | None = None
    row_key: str | None = None
    cache: str = "off"
    forked: tuple[str, int] | None = None
    template: str | None = None
    again: str | None = None
    address: str | None = None

    @property
    def in_session(self) -> bool:
        """True for a run with a part in the history of a session that it was given."""
        return self.session_id is not None and self.member_of_turn is None


def run_launch(agent: ResolvedAgent, request: LaunchRequest, session_id: str) -> RunLaunch:
    """Return what the live record and the store's row say of this launch, dated now."""
    spec, model = agent.spec, agent.model
    return RunLaunch(
        run_id=request.run_id or str(uuid7()),
        session_id=session_id,
        created_at=utc_now(),
        agent_name=spec.name,
        kind=spec.kind,
        label=request.label,
        parent_run_id=request.parent_run_id,
        provider=model.provider,
        model=model.id,
        prompt=request.prompt,
        cell_id=request.cell_id,
        tags=request.tags,
        output_schema=spec.output_schema,
        tool_call=request.tool_call,
        keeps_texts=request.keeps_texts,
        batch_id=request.batch_id,
        forked=request.forked,
    )


def check_models(agent: ResolvedAgent, *, bounded: bool = False) -> None:
    """Refuse what cannot run: a model without its key, a limit in dollars on a model without a price.

    A team's limit is `bounded` on its members' models too. Raises what `model.check()` raises,
    ConfigurationError.
    """
    agent.model.check()
    bounded = bounded or agent.spec.limits.max_cost_usd is not None
    # a guest's model may be known only once it is asked
    known = bounded and getattr(agent.model, "is_told", True)
    for model in alternatives(agent.model) if known else ():
        _check_price(model)
    for member in agent.members:
        check_models(member, bounded=bounded)


def _check_price(model: Model) -> None:
    """Refuse a model whose price nobody knows. Raises ConfigurationError."""
    if has_price(model.provider, model.id):
        return
    name = f"{model.provider}:{model.id}"
    price = f'{{"{name}": {{"input": 1.0, "output": 2.0}}}}'
    instead = by_place(python="max_total_tokens (a map with max_tokens)", magic="--max-total-tokens")
    raise ConfigurationError(
        f"max_cost is set, but the price of {name} is not in {price_table()}",
        f"give its US dollars per million tokens: {how_to_set('prices', price)}, or bound it with {instead} instead",
    )


def mode_requested(model: Model) -> str:
    """Where the model was asked to live: at the provider, in its background mode, or here."""
    return "provider" if getattr(model, "background", False) else "notebook"
