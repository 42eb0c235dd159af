"""What a provider turned out not to take, remembered for each server and model as long as the process lives.

The adapters ask for a `RequestOptions` before each request and report a refusal; a refusal that names
something which can be put otherwise changes the memory, and the request is sent once more. Used on the
background thread only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

from nbagent.core import dump_json
from nbagent.errors import ModelError
from nbagent.models.protocol import ModelRequest
from nbagent.models.providers import LimitParameter, Provider, Rung

# 400 is what a provider should say; 422 comes from FastAPI, 500 from llama.cpp's Python server, the others from gateways
_CONCEDABLE = {400, 415, 422, 500, 501}
_FILES_REFUSED = {404, 413}  # OpenRouter finds no endpoint that takes images; too much of them
_OTHER_LIMIT: dict[LimitParameter, LimitParameter] = {
    "max_tokens": "max_completion_tokens",
    "max_completion_tokens": "max_tokens",
}
_FORMAT = re.compile(r"response_format|text\.format|json_schema|json_object")
# a refusal of the format itself, whatever the schema; one that speaks of a schema's insides is not
_OF_THE_FORMAT = re.compile(
    r"not support|unsupported|unavailable|unknown|unrecognized|not (?:implemented|permitted|allowed|available)"
    r"|should be|must be|extra_forbidden|no (?:response_format|json_schema|json_object)\b",
    re.IGNORECASE,
)
_OF_ITS_INSIDES = re.compile(
    r"invalid schema|\bpattern\b|regex|lookaround|look-?ahead|\bpropert(?:y|ies)\b|keyword|additionalProperties"
    r"|\$ref|\$defs|anyOf|oneOf|allOf|\bnest|recursi|grammar|json_schema\.schema|format\.schema|in context=",
    re.IGNORECASE,
)
_REASONING = re.compile(r"reasoning_content|reasoning_details|\breasoning\b|\bthinking\b")
_EXTRA = re.compile(r"extra_content|thought_signature|provider_specific_fields")
_REFUSES = re.compile(
    r"unsupported|not support|not permitted|not allowed|unrecognized|unknown|unexpected|extra_forbidden|additional propert",
    re.IGNORECASE,
)
_WANTS = re.compile(
    r"missing|must be (?:passed|provided|included|sent|set|present|non)|required|pass(?:ed)? back",
    re.IGNORECASE,
)
_FILES = re.compile(
    r"image|vision|multi-?modal|input_file|file_data|\bfiles?\b|content.{0,40}(?:string|str|text)\b|\boutput\b.{0,40}string",
    re.IGNORECASE,
)
_LONG_DESCRIPTION = re.compile(
    r"description\b.{0,80}too long(?:.{0,80}?maximum length (\d+))?", re.IGNORECASE
)
_SHORT_DESCRIPTION = 1024  # characters: what OpenAI takes
_ASKS_FOR = {
    "json_schema": "a JSON schema",
    "json_object_schema": "a JSON object with its schema",
    "json_object": "a JSON object",
    "prompt": "JSON in the prompt alone",
}


SCHEMA = "schema"  # the option of a refusal that is one step down the ladder


@dataclass(frozen=True, slots=True, kw_only=True)
class Concession:
    """A refusal of a wire format's own that is answered by putting the request otherwise.

    `refusal` is searched in what the server says; `option` is then in the request's `conceded` options, with
    the text of the first group, where there is one. `notice` is said once, `{provider!r}` and `{0}` (that
    text) filled in. The option `SCHEMA` is a step down the ladder of ways to ask for JSON.
    """

    refusal: re.Pattern[str]
    option: str
    notice: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestOptions:
    """How one request is put: the way to ask for JSON, the usage option, the name of the token limit.

    `include_encrypted` asks for reasoning items that can be replayed to a provider that keeps none;
    `background` is whether the provider is asked to run the response on its own side. `replays_reasoning` is
    as in the provider's row, None where the row holds; `extra_content` says whether a provider's own fields
    go back. `longest_description` is how many characters of a tool's description it takes, None for any,
    `tool_files` whether it is shown the files that tools return. `conceded` are the options of the wire
    format's own concessions.
    """

    rung: Rung = "json_schema"
    include_usage: bool = True
    limit_parameter: LimitParameter = "max_tokens"
    include_encrypted: bool = False
    background: bool = False
    replays_reasoning: bool | None = None
    extra_content: bool = True
    longest_description: int | None = None
    tool_files: bool = True
    conceded: Mapping[str, str] = field(default_factory=dict)


class CapabilityMemory:
    """The memory for one server and model: how far down the ladder it is, and what it refused."""

    def __init__(self, row: Provider, limit_parameter: LimitParameter | None = None) -> None:
        self.row = row
        self._step = 0  # of the row's ladder, for every schema
        self._steps: dict[bytes, int] = {}  # further down, for single ones
        self._refuses_usage = row.usage != "include_usage"
        self._limit_parameter = limit_parameter or row.limit_parameter
        self._limit_changed = False
        self._include_encrypted = not row.keeps_responses
        self._refuses_background = False
        self._replays_reasoning: bool | None = None
        self._extra_content = True
        self._longest_description: int | None = None
        self._tool_files = True
        self._conceded: Mapping[str, str] = {}

    def plan(self, request: ModelRequest, *, background: bool = False) -> RequestOptions:
        """Return how to put `request`."""
        rung = self.row.schema_rungs[self._step_of(request)]
        if request.tools and not self.row.schema_with_tools:
            rung = "prompt"
        return RequestOptions(
            rung=rung,
            include_usage=not self._refuses_usage,
            limit_parameter=self._limit_parameter,
            include_encrypted=self._include_encrypted,
            background=background and not self._refuses_background,
            replays_reasoning=self._replays_reasoning,
            extra_content=self._extra_content,
            longest_description=self._longest_description,
            tool_files=self._tool_files,
            conceded=self._conceded,
        )

    def concede(
        self,
        refused: RequestOptions,
        request: ModelRequest,
        error: ModelError,
        own: Sequence[Concession] = (),
    ) -> tuple[RequestOptions, str | None] | None:
        """Learn from `error`: return the next plan and, the first time, what to tell the person.

        `own` are the concessions of the wire format. None means that the error names nothing that could be
        put otherwise: it is the request's.
        """
        said = f"{error.what} {error.param or ''}"
        notice: str | None = None
        if (
            error.status_code in _CONCEDABLE | _FILES_REFUSED
            and refused.tool_files
            and _has_tool_files(request)
            and _FILES.search(said)
        ):
            self._tool_files = False
            notice = f"this model of provider {self.row.name!r} takes no files that tools return: they are named to it, not shown"
            return self.plan(request, background=refused.background), notice
        if error.status_code not in _CONCEDABLE:
            return None
        found = next(((one, match) for one in own if (match := one.refusal.search(said))), None)
        if found is not None and (request.schema is not None or found[0].option != SCHEMA):
            notice = self._concede_own(*found, refused, request)
        elif re.search(r"stream_options|include_usage", said) and not self._refuses_usage:
            self._refuses_usage = True
            notice = f"provider {self.row.name!r} takes no stream_options: token counts may be missing"
        elif refused.background and re.search(r"\bbackground\b", said):
            self._refuses_background = True  # said by whoever asked for it, once for each run
        elif refused.include_encrypted and re.search(r"encrypted|\binclude\b", said, re.IGNORECASE):
            self._include_encrypted = False
        elif request.schema is not None and _FORMAT.search(said):
            notice = self._step_down(refused.rung, request, said)
        elif refused.limit_parameter in said and request.settings.max_output_tokens is not None:
            self._change_limit()
        elif request.tools and (long := _LONG_DESCRIPTION.search(said)) and not self._longest_description:
            self._longest_description = int(long.group(1) or _SHORT_DESCRIPTION)
            notice = (
                f"provider {self.row.name!r} takes {self._longest_description:,} characters of a tool's description: "
                "longer ones lose their middle"
            )
        elif any(message.role == "assistant" for message in request.messages):
            self._learn_of_history(refused, said)
        plan = self.plan(request, background=refused.background)
        return (plan, notice) if plan != refused else None

    def _concede_own(
        self, own: Concession, match: re.Match[str], refused: RequestOptions, request: ModelRequest
    ) -> str | None:
        """Do what a concession of the wire format says; the same refusal again changes nothing more."""
        if own.option == SCHEMA:
            return self._step_down(refused.rung, request, match.string)
        value = match.group(1) if match.re.groups else ""
        if self._conceded.get(own.option) == value:
            return None
        self._conceded = {**self._conceded, own.option: value}
        return own.notice.format(value, provider=self.row.name) if own.notice else None

    def _learn_of_history(self, refused: RequestOptions, said: str) -> None:
        """Learn from a refusal of what goes back with the messages of earlier turns."""
        if _REFUSES.search(said):
            if refused.extra_content and _EXTRA.search(said):
                self._extra_content = False
            elif _REASONING.search(said):
                self._replays_reasoning = False
        elif _REASONING.search(said) and _WANTS.search(said):
            self._replays_reasoning = True

    def _step_of(self, request: ModelRequest) -> int:
        if request.schema is None or not self._steps:
            return self._step
        return max(self._step, self._steps.get(_key_of(request), 0))

    def _step_down(self, refused: Rung, request: ModelRequest, said: str) -> str | None:
        """Take one step: of this schema alone, or of all where it is not the schema that was refused."""
        rungs, at = self.row.schema_rungs, self._step_of(request)
        if refused != rungs[at] or at + 1 >= len(rungs):
            return None  # another run of this model has stepped down meanwhile, or nothing is left
        holds_schema = refused in ("json_schema", "json_object_schema")
        of_schema = _OF_ITS_INSIDES.search(said) is not None or _OF_THE_FORMAT.search(said) is None
        alone = at > self._step or (holds_schema and of_schema)
        if alone:
            self._steps[_key_of(request)] = at + 1
        else:
            self._step = at + 1
        return (
            f"provider {self.row.name!r} cannot be asked for {_ASKS_FOR[refused]} with this "
            f"{'schema' if alone else 'model'}: asking for {_ASKS_FOR[rungs[at + 1]]}"
        )

    def _change_limit(self) -> None:
        if not self._limit_changed:
            self._limit_changed = True
            self._limit_parameter = _OTHER_LIMIT[self._limit_parameter]


def _has_tool_files(request: ModelRequest) -> bool:
    return any(message.role == "tool" and message.files for message in request.messages)


def _key_of(request: ModelRequest) -> bytes:
    assert request.schema is not None
    return blake2b(dump_json(dict(request.schema.json_schema)), digest_size=16).digest()


_memories: dict[tuple[str, ...], CapabilityMemory] = {}


def capabilities_of(
    row: Provider, where: tuple[str, ...], limit_parameter: LimitParameter | None = None
) -> CapabilityMemory:
    """Return the memory for `where`: the wire format, the server's base URL and the model's name."""
    key = (row.name, *where)
    memory = _memories.get(key)
    if memory is None or memory.row is not row:
        memory = _memories[key] = CapabilityMemory(row, limit_parameter)
    return memory
