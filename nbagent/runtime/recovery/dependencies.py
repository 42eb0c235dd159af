"""Re-resolve what the store cannot serialize of a run: tool functions, schema class, model object.

Called by `resume.py` on the resuming thread. An agent that the user gives is used as it is. Without one the
sources are, in this order, the live run where this kernel worked on it, agents of that name in the notebook,
and functions and classes there; they must be what they were.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from nbagent.core import MASK, dump_json, load_json
from nbagent.errors import ConfigurationError, NBAgentError, UnknownOptionError
from nbagent.models import Model, model_name, resolve_model
from nbagent.runtime.launch.request import ResolvedAgent
from nbagent.runtime.ports import Runnable
from nbagent.schemas import OutputSchema, class_named
from nbagent.spec import AgentSpec, Limits, ModelSettings, TeamSpec
from nbagent.tools import Tool, tools_of

T = TypeVar("T", Limits, ModelSettings)


@dataclass(frozen=True, slots=True)
class RecordedModel:
    """The model of a run that goes on, for an agent that names none."""

    model: str | Model


def notebook_names() -> Mapping[str, Any]:
    """Return the notebook's variables, or those of the script that runs."""
    return vars(sys.modules["__main__"])


def agents_in(names: Mapping[str, Any], agent_name: str) -> Iterator[ResolvedAgent]:
    """Yield the agents of that name, or in a variable of it, that can be used."""
    for variable, value in list(names.items()):
        if hasattr(type(value), "resolved") and agent_name in (getattr(value, "name", None), variable):
            with contextlib.suppress(NBAgentError):
                yield value.resolved()


def find_dependencies(
    data: Mapping[str, Any],
    sources: Sequence[ResolvedAgent],
    names: Mapping[str, Any],
    *,
    as_it_was: bool,
    schema: OutputSchema | None = None,
) -> ResolvedAgent:
    """Return the spec that `data` (as in `runs.spec`) describes, its model, and a team's members likewise.

    With `as_it_was` tools and schema must be what they were: a conversation that began with others cannot go
    on. `schema` is looked at before those of the sources. Raises ConfigurationError, which names all that is
    missing or changed.
    """
    if "guest" in data:
        return _guest(data, sources, schema)
    problems: list[str] = []
    tools = [_tool(wanted, sources, names, problems, as_it_was=as_it_was) for wanted in data["tools"]]
    if MASK in str(data["settings"].get("extra_body", "")):
        problems.append("extra_body held a secret, which is not in the record")
    schema = _schema(data, _schemas(schema, sources), names, problems, as_it_was=as_it_was)
    model = _model(data, sources, problems)
    if problems or model is None:
        raise ConfigurationError(
            f"the run cannot go on here: {'; '.join(problems)}",
            "run the cells that define these as they were, or pass agent=Agent(...) with them",
        )
    members = tuple(
        find_dependencies(one, _sources_of_member(one["name"], sources, names), names, as_it_was=as_it_was)
        for one in data.get("members", ())
    )
    fields: dict[str, Any] = {
        "name": data["name"],
        "model": data["model"],
        "model_named": data.get("model_named", True),
        "instructions": data["instructions"],
        "tools": tuple(tool for tool in tools if tool is not None),
        "output_schema": schema,
        "limits": _made(Limits, data["limits"]),
        "settings": _made(ModelSettings, data["settings"]),
        "history_runs": data.get("history_runs"),
        "history_tokens": data.get("history_tokens"),
        "on_approval": data.get("on_approval", "wait"),
    }
    if "members" not in data:
        return ResolvedAgent(spec=AgentSpec(**fields), model=model)
    spec = TeamSpec(
        **fields,
        members=tuple(member.spec for member in members),
        mode=data["mode"],
        store_member_responses=data["store_member_responses"],
    )
    return ResolvedAgent(spec=spec, model=model, members=members)


def _guest(
    data: Mapping[str, Any], sources: Sequence[ResolvedAgent], schema: OutputSchema | None
) -> ResolvedAgent:
    """Return a guest's run as it was, of the object that is at hand. Raises ConfigurationError."""
    found = next((one for one in sources if "guest" in one.spec.to_data()), None)
    if found is None:
        name, told = data["name"], data["guest"]
        raise ConfigurationError(
            f"guest {name!r}, a {told['type']} of {told['framework']}, is not defined here",
            f"run the cell that makes it, and pass it: agent=nb.guest(..., name={name!r})",
        )
    limits = _made(Limits, data["limits"])
    return replace(
        found, spec=replace(found.spec, limits=limits, output_schema=schema or found.spec.output_schema)
    )


def resolve_given(
    data: Mapping[str, Any],
    agent: Runnable,
    sources: Sequence[ResolvedAgent],
    names: Mapping[str, Any],
    schema: OutputSchema | None,
) -> ResolvedAgent:
    """Return the agent as it is, and of the run's own what the agent does not say.

    That is its name, and the model, limits and output schema of `data` (as in `runs.spec`) where the agent
    has none. `schema` comes before all others. Raises ConfigurationError where the model or the schema's
    class is not at hand.
    """
    if not callable(getattr(agent, "resolved", None)):
        raise UnknownOptionError(f"agent={agent!r} is no agent", "give an Agent or a Team")
    problems: list[str] = []
    leader = None
    if agent.model is None and (recorded := _model(data, sources, problems)) is not None:
        leader = RecordedModel(data["model"] if data.get("model_named", True) else recorded)
    found = agent.resolved(leader=leader)
    _check_kind(data, agent, found)
    schema = schema or found.spec.output_schema
    schema = schema or _schema(data, _schemas(None, sources), names, problems, as_it_was=False)
    if problems:
        raise ConfigurationError(
            f"the run cannot go on here: {'; '.join(problems)}",
            "give the agent a model, and the class as output_schema=",
        )
    limits = found.spec.limits if agent.limits is not None else _made(Limits, data["limits"])
    spec = replace(found.spec, name=data["name"], output_schema=schema, limits=limits)
    return replace(found, spec=spec)


def _check_kind(data: Mapping[str, Any], agent: Runnable, found: ResolvedAgent) -> None:
    """Refuse an agent for a team's run and a team for an agent's, a guest for neither: their conversations differ."""
    is_guest = "guest" in found.spec.to_data()
    if ("guest" in data) != is_guest:
        was, given = ("a guest", "none") if "guest" in data else ("no guest", "one")
        raise ConfigurationError(
            f"the run is one of {was}, {data['name']!r}, and {agent.name!r} is {given}",
            "pass what ran as agent=, or start anew with this one",
        )
    if ("members" in data) != isinstance(found.spec, TeamSpec):
        was, given = ("a team", "an agent") if "members" in data else ("an agent", "a team")
        raise ConfigurationError(
            f"the run is one of {was}, {data['name']!r}, and {agent.name!r} is {given}",
            f"pass {was} as agent=, or start anew with it",
        )


def _sources_of_member(
    name: str, sources: Sequence[ResolvedAgent], names: Mapping[str, Any]
) -> list[ResolvedAgent]:
    """What the teams among the sources know of a member of that name, then agents of the notebook."""
    known = [member for source in sources for member in source.members if member.spec.name == name]
    return [*known, *agents_in(names, name)]


def _made(cls: type[T], values: Mapping[str, Any]) -> T:
    """Build from stored values; what another release stored and this one does not know is left out."""
    return cls(**{name: value for name, value in values.items() if name in cls.__slots__})


def _tool(
    wanted: Mapping[str, Any],
    sources: Sequence[ResolvedAgent],
    names: Mapping[str, Any],
    problems: list[str],
    *,
    as_it_was: bool,
) -> Tool | None:
    name = wanted["name"]
    found = [tool for source in sources for tool in source.spec.tools if tool.name == name]
    if name in names:
        with contextlib.suppress(NBAgentError):
            found += [tool for tool in tools_of(names[name]) if tool.name == name]
    fitting = [tool for tool in found if not as_it_was or _is_same(tool, wanted)]
    if not fitting:
        problems.append(f"tool {name!r} {'has changed' if found else 'is not defined'}")
    return fitting[0] if fitting else None


def _is_same(tool: Tool, wanted: Mapping[str, Any]) -> bool:
    known = wanted.get("fingerprint")
    return bool(known == tool.fingerprint if known else _plain(tool.parameters) == wanted["parameters"])


def _schemas(first: OutputSchema | None, sources: Sequence[ResolvedAgent]) -> list[OutputSchema]:
    """Return the schemas at hand, in the order in which they are looked at."""
    schemas = [first, *(source.spec.output_schema for source in sources)]
    return [schema for schema in schemas if schema is not None]


def _schema(
    data: Mapping[str, Any],
    schemas: Sequence[OutputSchema],
    names: Mapping[str, Any],
    problems: list[str],
    *,
    as_it_was: bool,
) -> OutputSchema | None:
    wanted = data["output_schema"]
    if wanted is None:
        return None
    content_type = data.get("output_type") or "json"
    if content_type == "json":
        return replace(OutputSchema.of(wanted), wrapper=data.get("output_wrapper"), json_schema=wanted)
    found = [schema for schema in schemas if schema.content_type == content_type]
    if (named := class_named(content_type, names)) is not None:
        found.append(OutputSchema.of(named))
    fitting = [schema for schema in found if not as_it_was or _plain(schema.json_schema) == wanted]
    if not fitting:
        problems.append(f"output schema {content_type!r} {'has changed' if found else 'is not defined'}")
    return fitting[0] if fitting else None


def _model(data: Mapping[str, Any], sources: Sequence[ResolvedAgent], problems: list[str]) -> Model | None:
    name = data["model"]
    for source in sources:
        if model_name(source.model) == name:
            return source.model
    if data.get("model_named", True):
        return resolve_model(name)
    problems.append(f"model {name!r} was given as an object, whose address and key are not in the record")
    return None


def _plain(data: Any) -> Any:
    """Return data as it is when it has been stored and read again."""
    return load_json(dump_json(data))
