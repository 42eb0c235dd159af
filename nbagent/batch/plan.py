"""What a batch was asked to do, frozen; its key, by which a later batch finds the answers of this one. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from numbers import Integral
from typing import Any, Literal

from nbagent.batch.inputs.prompts import Prompts
from nbagent.batch.inputs.row_source import known_columns
from nbagent.core import check_count, dump_json, is_number, unwrap_fields
from nbagent.errors import UnknownOptionError, did_you_mean
from nbagent.models import model_identity
from nbagent.runtime import ResolvedAgent
from nbagent.schemas import OutputSchema
from nbagent.spec import AgentSpec, TeamSpec

OnError = Literal["continue", "stop"]
Mode = Literal["notebook", "provider-batch"]
_GIVEN_AS = {"max_cost_usd": "max_cost"}  # what `map` calls it


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchLimits:
    """What bounds a batch as a whole. None is no limit; dollars and tokens count what this batch has asked itself."""

    max_concurrency: int = 16
    max_cost_usd: float | None = None
    max_tokens: int | None = None
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None

    def __post_init__(self) -> None:
        unwrap_fields(self, *self.__slots__)

    def check(self) -> None:
        """Refuse what bounds nothing. Raises UnknownOptionError."""
        for name in self.__slots__:
            value = getattr(self, name)
            if value is None:
                continue
            if not is_number(value, at_least=0) or value == 0:
                raise UnknownOptionError(
                    f"{_GIVEN_AS.get(name, name)} is {value!r}", "give a number above 0, or leave it out"
                )
            if name == "max_concurrency" and not isinstance(value, Integral):
                raise UnknownOptionError(f"{name} is {value!r}", "give a whole number of rows in flight")


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchIdentity:
    """What a batch is called, in this kernel and in the record."""

    batch_id: str
    batch_key: str
    created_at: datetime
    label: str | None = None
    cell_id: str | None = None
    agent_name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchPlan:
    """One batch: `crew` answers a row's prompt, `group` rows share one, each is asked `repeat` times.

    `key_columns` are the columns that tell rows apart, the index where there are none. `fresh`: no earlier
    answer is used.
    """

    crew: ResolvedAgent
    prompts: Prompts
    limits: BatchLimits = field(default_factory=BatchLimits)
    on_error: OnError = "continue"
    dedupe: bool = False
    group: int = 1
    repeat: int = 1
    key_columns: tuple[str, ...] = ()
    fresh: bool = False
    is_variant: bool = False  # rows of a batch that are asked in another way than its others
    mode: Mode = "notebook"
    label: str | None = None
    cell_id: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        unwrap_fields(self, "group", "repeat")

    def check(self) -> None:
        """Refuse options that do not exist or do not go together. Raises UnknownOptionError."""
        self.limits.check()
        _one_of("on_error", self.on_error, ("continue", "stop"))
        _one_of("mode", self.mode, ("notebook", "provider-batch"))
        check_count("group", self.group, "give the number of rows that share a prompt")
        check_count("repeat", self.repeat, "give how often each row is asked, 1 or more")
        self._check_repeat()
        if self.prompts.files and (self.group > 1 or self.mode == "provider-batch"):
            raise UnknownOptionError(
                "files go with each row's own prompt, not with a group's or a provider's batch",
                "leave files out, or ask each row by itself",
            )
        if self.mode == "provider-batch" and (self.crew.spec.tools or self.crew.members):
            raise UnknownOptionError(
                "a provider's batch asks each row once, and this agent calls tools or members",
                'use mode="notebook", or an agent without them',
            )
        if self.mode == "provider-batch" and (self.group > 1 or self._is_bounded):
            raise UnknownOptionError(
                "group, max_cost and max_tokens do not go with a provider's batch: it is sent as a whole",
                'use mode="notebook", or leave them out',
            )

    def _check_repeat(self) -> None:
        if self.repeat > 1 and (self.dedupe or self.group > 1):
            raise UnknownOptionError(
                f"repeat={self.repeat} asks each row by itself; dedupe and group ask several at once",
                "leave one of them out",
            )

    def key_of(self, label: Any, row: Any) -> Any:
        """Return the key of a row: its columns that tell rows apart, else its index label."""
        if not self.key_columns:
            return label
        found = tuple(row[name] for name in self.key_columns)
        return found[0] if len(found) == 1 else found

    def check_key(self, row: Any) -> None:
        """Refuse key columns that the rows do not have. Raises UnknownOptionError."""
        columns = known_columns(row)
        for name in self.key_columns:
            if name not in columns:
                raise UnknownOptionError(
                    f"the rows have no column {name!r}{did_you_mean(str(name), columns)}, given as their key",
                    f"columns: {', '.join(columns[:20])}"
                    if columns
                    else "leave key= out: the index tells rows apart",
                )

    @property
    def _is_bounded(self) -> bool:
        return self.limits.max_cost_usd is not None or self.limits.max_tokens is not None

    @property
    def output_schema(self) -> OutputSchema | None:
        """The schema of one row's answer."""
        return self.crew.spec.output_schema

    @property
    def key(self) -> str:
        """The same for batches whose answers to one prompt may stand for each other."""
        known = {
            "spec": _answer_spec(self.crew.spec),
            "models": _models(self.crew),
            "template": self.prompts.template,
        }
        return hashlib.sha256(dump_json(known, sort_keys=True)).hexdigest()


def _answer_spec(spec: AgentSpec) -> dict[str, Any]:
    """Return what of a spec makes an answer; limits end a run, and change no answer that was given."""
    data = {name: value for name, value in spec.to_data().items() if name != "limits"}
    if isinstance(spec, TeamSpec):
        data["members"] = [_answer_spec(member) for member in spec.members]
    return data


def _models(crew: ResolvedAgent) -> list[Any]:
    """Which models answer, and where they are."""
    return [model_identity(crew.model), *(_models(member) for member in crew.members)]


def _one_of(name: str, value: Any, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise UnknownOptionError(f"{name} is {value!r}", f"give one of {', '.join(map(repr, allowed))}")
