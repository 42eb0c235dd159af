"""What a launch would send and could cost at most, without sending it: `--dry-run` and `Agent.forecast`.

Called on the launching thread. Nothing is asked and nothing is written; a session's history is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nbagent.core import how_to_set
from nbagent.events import FilePart, Message, Usage
from nbagent.models import (
    Model,
    ModelRequest,
    SchemaDefinition,
    ToolDefinition,
    alternatives,
    estimated_tokens,
    names_in,
    price_usd,
)
from nbagent.spec import AgentSpec, TeamSpec

_MILLION = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What would be sent: `input_tokens` of the first model call are an estimate, a token for four bytes.

    `ceiling_usd` is what the run can cost by its limits and the price table, None where nothing bounds it or
    the price is not known; `why` says which.
    """

    model: str
    prompt: str
    files: int
    input_tokens: int
    ceiling_usd: float | None
    why: str

    def __str__(self) -> str:
        """The forecast in a few lines, the prompt last."""
        files = f", {self.files} file{'' if self.files == 1 else 's'} not counted" if self.files else ""
        cost = "unknown" if self.ceiling_usd is None else f"at most about ${self.ceiling_usd:.4g}"
        return "\n".join(
            [
                f"dry run: nothing is sent to {self.model}",
                f"input of the first call: about {self.input_tokens:,} tokens{files}",
                f"cost: {cost} ({self.why})",
                "",
                self.prompt,
            ]
        )


def forecast(
    spec: AgentSpec,
    model: Model,
    prompt: str,
    *,
    history: Sequence[Message] = (),
    files: Sequence[FilePart] = (),
) -> Forecast:
    """Return what a launch of `spec` on `prompt` would send and could cost."""
    tokens = _input_tokens(spec, prompt, history)
    ceiling, why = _ceiling(spec, model, tokens)
    return Forecast(
        model=spec.model,
        prompt=prompt,
        files=len(files),
        input_tokens=tokens,
        ceiling_usd=ceiling,
        why=why,
    )


def _input_tokens(spec: AgentSpec, prompt: str, history: Sequence[Message]) -> int:
    """Estimate what the first request holds: instructions, history, prompt, tools and schema."""
    messages = (
        Message(role="system", content=spec.instructions),
        *history,
        Message(role="user", content=prompt),
    )
    schema = spec.output_schema
    return estimated_tokens(
        ModelRequest(
            messages=messages,
            tools=tuple(
                ToolDefinition(name=one.name, description=one.description, parameters=one.parameters)
                for one in spec.tools
            ),
            schema=None
            if schema is None
            else SchemaDefinition(name=schema.name, json_schema=schema.json_schema),
        )
    )


def _ceiling(spec: AgentSpec, model: Model, tokens: int) -> tuple[float | None, str]:
    """Return the lowest bound and which limit it is. A team's tokens may all be of its dearest model."""
    limits, has_tools = spec.limits, bool(spec.tools) or isinstance(spec, TeamSpec)
    names = [*((one.provider, one.id) for one in alternatives(model)), *_models_under(spec)]
    price_in = _highest(names, Usage(input_tokens=_MILLION, output_tokens=0))
    price_out = _highest(names, Usage(input_tokens=0, output_tokens=_MILLION))
    bounds: list[tuple[float, str]] = []
    if limits.max_cost_usd is not None:
        bounds.append((limits.max_cost_usd, "max_cost, checked after each model call"))
    if price_in is not None and price_out is not None:
        if limits.max_total_tokens is not None:
            dollars = limits.max_total_tokens * max(price_in, price_out) / _MILLION
            bounds.append((dollars, "max_total_tokens, checked after each model call"))
        most_out = spec.settings.max_output_tokens
        if most_out is not None and not has_tools:
            calls = 1 + (limits.output_retries if spec.output_schema is not None else 0)
            grown = tokens * calls + most_out * calls * (calls - 1) / 2  # what was said is sent again
            dollars = (grown * price_in + most_out * calls * price_out) / _MILLION
            bounds.append((dollars, f"max_output_tokens, {calls} model call{'' if calls == 1 else 's'}"))
    if bounds:
        return min(bounds)
    if price_in is None or price_out is None:
        of_whom = "of one of its models" if len(names) > 1 else f"of {spec.model}"
        return None, f"the price {of_whom} is not known; {how_to_set('prices')} can hold it"
    limit = "max_cost or max_total_tokens" if has_tools else "max_output_tokens or max_cost"
    return None, f"no limit bounds it; set {limit}"


def _models_under(spec: AgentSpec) -> Iterator[tuple[str, str]]:
    """Yield provider and name of each model under a team; nothing for an agent."""
    for member in spec.members if isinstance(spec, TeamSpec) else ():
        for named in names_in(member.model):
            provider, _, name = named.partition(":")
            yield provider, name
        yield from _models_under(member)


def _highest(names: Sequence[tuple[str, str]], usage: Usage) -> float | None:
    """Return the highest price of this usage, None where one is not known."""
    prices = [price_usd(provider, name, usage) for provider, name in names]
    known = [price for price in prices if price is not None]
    return max(known) if len(known) == len(prices) else None
