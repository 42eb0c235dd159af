"""`nb.stale`: which runs would be asked something else today. On the caller's thread; launches and asks nothing.

A run's kept template is filled again with today's variables, and what its agent was is compared with what the notebook
has now. What cannot be known is never called fresh.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Any

from nbagent import settings
from nbagent.core import load_json
from nbagent.errors import NBAgentError
from nbagent.frames import STALE, Filters, documented, frame_of_rows, run_filter
from nbagent.models import default_model_name
from nbagent.prompts import calls_anything, filled_with, render
from nbagent.runtime import ResolvedAgent, agents_in, current, notebook_names
from nbagent.schemas import OutputSchema, class_named
from nbagent.spec import AgentSpec
from nbagent.store import last_of_each
from nbagent.tools import tools_of

if TYPE_CHECKING:
    import pandas as pd

_NO_TEMPLATE = "the prompt was given as a plain text"
_CALLS = "the template calls functions"
_GUEST = "what a guest's own code does"


@dataclass(frozen=True, slots=True)
class Freshness:
    """What has changed since a run was launched, what nobody can know of it, and its prompt as it would be now."""

    changed: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    prompt: str | None = None

    @property
    def state(self) -> str:
        """Return "stale", "unknown" or "fresh"."""
        return "stale" if self.changed else "unknown" if self.unknown else "fresh"


@documented(STALE)
def stale(
    *, session: Any = None, since: Any = None, agent: Any = None, tags: Mapping[str, str] | None = None,
    label: Any = None, every: bool = False,
) -> pd.DataFrame:  # fmt: skip
    """Return the runs that would be asked something else today, and why, newest first.

    Of each label (else of each cell) the latest run counts; members of teams, rows of batches and runs at work do not.
    A run is `stale` where its template gives another prompt with today's variables, or its instructions, model,
    settings, schema, tools (by their code) or members have changed, or its session has gone on. A prompt that was a
    plain text in Python, a template that calls functions, attachments, and what of a guest its framework does not tell
    are `unknown`: they are never called fresh.
    With `every` unknown and fresh runs are rows too. The filters are as in `nb.metrics.by_model`. Nothing is asked;
    `%agent retry --stale` asks those again that are stale.

    >>> nb.stale(agent="nobody").empty
    True
    """
    filters = Filters(session=session, since=since, agent=agent, tags=tags, label=label)
    rows = []
    for row in last_of_each(current().store, run_filter(filters)):
        found = freshness(row, notebook_names())
        if every or found.state == "stale":
            told = {name: row[name] for name in ("run_id", "label", "agent_name", "session_id")}
            told["created_at"] = row["created_at"].astimezone(UTC).replace(tzinfo=None)  # as columns have it
            rows.append(told | {"state": found.state, "changed": "; ".join(found.changed) or None}
                        | {"unknown": "; ".join(found.unknown) or None})  # fmt: skip
    return frame_of_rows(STALE, rows)


def stale_prompts() -> dict[str, str | None]:
    """Return what to ask the stale runs now, by their ids; None: what they were asked."""
    names = notebook_names()
    found = {
        row["run_id"]: freshness(row, names) for row in last_of_each(current().store, run_filter(Filters()))
    }
    return {run_id: one.prompt for run_id, one in found.items() if one.state == "stale"}


def freshness(row: Mapping[str, Any], names: Mapping[str, Any]) -> Freshness:
    """Compare a recorded run with what is at hand now; `row` is one of `last_of_each`."""
    changed, unknown, prompt = _prompt(row, names)
    spec = load_json(row["spec"] or "{}")
    if spec:
        found = _at_hand(spec, names)
        changed += _agent(spec, found, row, names) if found is not None else _rebuilt(spec, row, names)
        unknown += [_GUEST for one in (spec, *spec.get("members", ())) if "guest" in one][:1]
    if row["later_turns"]:
        changed.append(f"session: {row['later_turns']} later turn{'' if row['later_turns'] == 1 else 's'}")
    return Freshness(tuple(changed), tuple(unknown), prompt)


def _at_hand(data: Mapping[str, Any], names: Mapping[str, Any]) -> ResolvedAgent | None:
    """Return what stands under the run's agent's name, or under a variable of it; a guest's own object, too."""
    found = next(agents_in(names, data["name"]), None)
    if found is not None or "guest" not in data:
        return found
    from nbagent.guests import as_runnable  # other frameworks' objects: not at import

    for variable, value in list(names.items()):
        if f"{type(value).__module__}.{type(value).__qualname__}" != data["guest"]["type"]:
            continue
        with contextlib.suppress(NBAgentError):  # one that cannot be a guest by itself
            made = as_runnable(value)
            if made is not None and data["name"] in (variable, made.name):
                return made.resolved()
    return None


def _prompt(row: Mapping[str, Any], names: Mapping[str, Any]) -> tuple[list[str], list[str], str | None]:
    """Fill the template again: what has changed, what cannot be known, the new prompt where it is another."""
    template, prompt = row["template"], row["prompt"] or ""
    if template is None:
        return [], [_NO_TEMPLATE], None
    if calls_anything(template):
        return [], [_CALLS], None
    try:
        filled = render(template, names)
    except NBAgentError as error:
        return [], [str(error).splitlines()[0]], None
    same = filled_with(prompt, filled)
    if same is None:
        return [], ["attachments are not looked at"], None
    return ([], [], None) if same else (["prompt"], [], filled)


def _agent(
    data: Mapping[str, Any], found: ResolvedAgent, row: Mapping[str, Any], names: Mapping[str, Any]
) -> list[str]:
    """Name what of an agent is another than in the record."""
    spec = found.spec
    changed = [*_kind(data, spec.to_data()), *_parts(data, spec)]
    if (found.model.provider, found.model.id) != (row["provider"], row["model"]):
        changed.append(f"model: {found.model.provider}:{found.model.id}")
    changed += _tools({tool.name: tool.fingerprint for tool in spec.tools}, data)
    changed += _schema(data, names, spec.output_schema)
    members = {member.spec.name: member for member in found.members}
    recorded = {one["name"]: one for one in data.get("members", ())}
    for name in sorted(members.keys() ^ recorded.keys()):
        changed.append(f"member {name}: {'new' if name in members else 'gone'}")
    for name in recorded.keys() & members.keys():
        own = [
            *_kind(recorded[name], members[name].spec.to_data()),
            *_parts(recorded[name], members[name].spec),
        ]
        tools = _tools({tool.name: tool.fingerprint for tool in members[name].spec.tools}, recorded[name])
        changed += [f"member {name}: {what}" for what in (*own, *tools)]
    return changed


def _kind(data: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Name what of a guest is another: its framework's class, the names of its tools; or that it is one."""
    was, is_now = data.get("guest"), now.get("guest")
    if was is None or is_now is None:
        return [] if was is is_now else ["guest: " + ("new" if was is None else "gone")]
    if was["type"] != is_now["type"]:
        return [f"guest: {is_now['type']}"]
    return _tools(dict.fromkeys(is_now["tools"]), {"tools": [{"name": one} for one in was["tools"]]})


def _parts(data: Mapping[str, Any], spec: AgentSpec) -> Iterator[str]:
    now = spec.to_data()
    for part in ("instructions", "settings", "mode", "history_runs"):
        if _as_stored(now.get(part)) != _as_stored(data.get(part)):
            yield part


def _as_stored(value: Any) -> Any:
    """Return data as it is when it has been stored; unset fields are left out."""
    if isinstance(value, Mapping):
        return {str(name): _as_stored(one) for name, one in value.items() if one is not None}
    return [_as_stored(one) for one in value] if isinstance(value, list | tuple) else value


def _tools(now: Mapping[str, str | None], data: Mapping[str, Any]) -> list[str]:
    recorded = {one["name"]: one.get("fingerprint") for one in data.get("tools", ())}
    changed = [f"tool {name}" for name in recorded.keys() & now.keys() if recorded[name] != now[name]]
    changed += [f"tool {name}: {'new' if name in now else 'gone'}" for name in recorded.keys() ^ now.keys()]
    return sorted(changed)


def _rebuilt(data: Mapping[str, Any], row: Mapping[str, Any], names: Mapping[str, Any]) -> list[str]:
    """Name what has changed of a run whose agent stands under no name: tools, schema, the default model."""
    at_hand: dict[str, str | None] = {}
    for one in data.get("tools", ()):
        at_hand[one["name"]] = one.get("fingerprint")
        value = names.get(one["name"])
        if callable(value):
            try:
                at_hand |= {tool.name: tool.fingerprint for tool in tools_of(value)}
            except NBAgentError:
                at_hand.pop(one["name"], None)
    changed = _tools(at_hand, data) + _schema(data, names, None)
    if "guest" in data:
        return changed  # its model is its own
    default = default_model_name(settings.get("model"), os.environ)
    named = f"{row['provider']}:{row['model']}"
    if not data.get("model_named", True) and default != named:
        changed.append(f"model: {default}")
    return changed


def _schema(data: Mapping[str, Any], names: Mapping[str, Any], own: OutputSchema | None) -> list[str]:
    """Compare the output schema with the class of its name today, or with that of the agent."""
    wanted, content_type = data.get("output_schema"), data.get("output_type") or "json"
    if wanted is None:
        return ["schema: new"] if own is not None else []
    named = class_named(content_type, names) if content_type != "json" else None
    if named is not None:
        try:
            own = OutputSchema.of(named)
        except NBAgentError:
            return ["schema"]
    return ["schema"] if own is not None and _as_stored(own.json_schema) != _as_stored(wanted) else []
