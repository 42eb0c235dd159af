"""What each provider can do, as rows of data; no code elsewhere knows a provider by name.

Read by the adapters when they build a request and read a reply, and by `resolve_model`. A user adds a row
with `register_provider`. A row holds the name of the key's variable, never a key. Any thread may read; rows
are added from the main thread.
"""

from __future__ import annotations

import inspect
import ipaddress
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, get_args
from urllib.parse import urlsplit

from nbagent.errors import ConfigurationError, did_you_mean
from nbagent.models.protocol import Model

WireName = Literal["chat", "responses"]
WIRE_NAMES: tuple[str, ...] = get_args(WireName)
# the name of one of ours, or a class (any callable) that makes a model of `id=` and `provider=`
Wire: TypeAlias = WireName | Callable[..., Model]
Rung = Literal["json_schema", "json_object_schema", "json_object", "prompt"]
UsageHabit = Literal["include_usage", "always", "never"]
LimitParameter = Literal["max_completion_tokens", "max_tokens"]


AuthHeaders = Callable[[str], Mapping[str, str] | Awaitable[Mapping[str, str]]]


def bearer(key: str) -> Mapping[str, str]:
    """Return the header that most providers take a key in."""
    return {"authorization": f"Bearer {key}"}


def _demo_key() -> str:
    """Return the key that the demo server of this process takes."""
    from nbagent.demo import demo_key

    return demo_key()


def _demo_base_url() -> str:
    """Start the demo server's process where it does not run yet; blocks for up to a few seconds."""
    from nbagent.demo import demo_base_url

    return demo_base_url()


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """One provider of models.

    - `base_url`: None means that the user says where it is, through `base_url_variable` or `base_url=`;
      `find_base_url` is for a server that has to be started first: it may block and is called off the event
      loop; `find_key` gives that server's own key.
    - `auth_headers`: makes the headers that carry the key, for each request; default: `Authorization: Bearer`.
      A coroutine function may fetch a token; it runs on the background loop.
    - `wires`: the wire formats that it speaks, the first being what "name:model" means: "chat", "responses", or a
      class whose instances are models, called as `Class(id=..., provider=row)`. `wire` puts one before the
      others.
    - `schema_rungs`: the ways to ask for JSON, best first; `schema_with_tools` says whether the first ones work
      while tools are offered.
    - `replays_reasoning`: whether reasoning goes back with the tool results that it led to. True where the provider
      refuses a tool turn without it, False where it refuses one with it, None sends what came in a field of
      its own, there; `reasoning_field` is the field for what came from elsewhere.
    - `native_background`: it can run a response on its own side; `keeps_responses`: it keeps the items of earlier
      responses, so that they need not be sent back whole.
    - `sends_finish_reason`: False for a server whose streams may end with their mark and no word on why.
    - `requests_at_once`: how many requests it takes at a time, None any number.
    - `label` and `notes`: shown beside the name.

    >>> Provider(name="house", base_url="http://localhost:8000/v1", key_required=False).wires
    ('chat',)
    """

    name: str
    label: str = ""
    wire: Wire | None = None
    wires: tuple[Wire, ...] = ()
    base_url: str | None = field(default=None, repr=False)  # it may hold a password
    base_url_variable: str | None = None
    base_url_path: str = ""
    find_base_url: Callable[[], str] | None = None
    find_key: Callable[[], str] | None = None
    key_variable: str | None = None
    key_required: bool = True
    auth_headers: AuthHeaders = field(default=bearer, repr=False)
    schema_rungs: tuple[Rung, ...] = ("json_schema", "json_object", "prompt")
    schema_with_tools: bool = True
    limit_parameter: LimitParameter = "max_tokens"
    reasoning_field: Literal["reasoning_content", "reasoning"] = "reasoning_content"
    replays_reasoning: bool | None = None
    usage: UsageHabit = "include_usage"
    native_background: bool = False
    keeps_responses: bool = False
    sends_finish_reason: bool = True
    requests_at_once: int | None = None
    notes: str = ""

    def __post_init__(self) -> None:
        given: object = self.wires
        wires = given if isinstance(given, tuple | list) else (given,)
        if self.wire is not None:
            wires = (self.wire, *(one for one in wires if one != self.wire))
        object.__setattr__(self, "wires", tuple(wires) or ("chat",))

    def url_of(self, given: str | None, env: Mapping[str, str]) -> str | None:
        """Return the base URL: the given one, else the variable's, else the row's own; None without any."""
        named = env.get(self.base_url_variable, "").strip() if self.base_url_variable else ""
        url = given or named or self.base_url
        if not url:
            return None
        url = url.rstrip("/")
        return url if not self.base_url_path or url.endswith(self.base_url_path) else url + self.base_url_path


_JSON_OBJECT_ONLY: tuple[Rung, ...] = ("json_object", "prompt")

_BUILT_IN = (
    Provider(
        name="openai",
        label="OpenAI",
        wires=("responses", "chat"),
        base_url="https://api.openai.com/v1",
        base_url_variable="OPENAI_BASE_URL",
        key_variable="OPENAI_API_KEY",
        limit_parameter="max_completion_tokens",
        native_background=True,
        keeps_responses=True,
    ),
    Provider(
        name="openai-chat",
        label="OpenAI-compatible server",
        base_url="https://api.openai.com/v1",
        base_url_variable="OPENAI_BASE_URL",
        key_variable="OPENAI_API_KEY",
        limit_parameter="max_completion_tokens",
    ),
    Provider(
        name="azure",
        label="Azure OpenAI",
        wires=("responses", "chat"),
        base_url_variable="AZURE_OPENAI_ENDPOINT",
        base_url_path="/openai/v1",
        key_variable="AZURE_OPENAI_API_KEY",
        limit_parameter="max_completion_tokens",
        native_background=True,
        keeps_responses=True,
    ),
    Provider(
        name="gemini",
        label="Google Gemini",
        base_url="https://generativelanguage.googleapis.com/v1beta/openai",
        key_variable="GEMINI_API_KEY",
        sends_finish_reason=False,
        notes="its streams may end without saying why",
    ),
    Provider(
        name="deepseek",
        label="DeepSeek",
        wires=("chat", "responses"),
        base_url="https://api.deepseek.com",
        key_variable="DEEPSEEK_API_KEY",
        schema_rungs=_JSON_OBJECT_ONLY,
        replays_reasoning=True,
        notes="wants its reasoning back on tool turns",
    ),
    Provider(
        name="siliconflow",
        label="SiliconFlow",
        base_url="https://api.siliconflow.cn/v1",
        base_url_variable="SILICONFLOW_BASE_URL",
        key_variable="SILICONFLOW_API_KEY",
        schema_rungs=_JSON_OBJECT_ONLY,
        usage="always",
    ),
    Provider(
        name="ollama",
        label="Ollama",
        wires=("chat", "responses"),
        base_url="http://localhost:11434/v1",
        base_url_variable="OLLAMA_BASE_URL",
        key_variable="OLLAMA_API_KEY",
        key_required=False,
        reasoning_field="reasoning",
    ),
    Provider(
        name="vllm",
        label="vLLM",
        wires=("chat", "responses"),
        base_url="http://localhost:8000/v1",
        base_url_variable="VLLM_BASE_URL",
        key_variable="VLLM_API_KEY",
        key_required=False,
        reasoning_field="reasoning",
        native_background=True,
        notes="native background only where the server was started with its response store",
    ),
    Provider(
        name="llama-cpp",
        label="llama.cpp server",
        base_url="http://localhost:8000/v1",
        base_url_variable="LLAMA_CPP_BASE_URL",
        key_variable="LLAMA_CPP_API_KEY",
        key_required=False,
        schema_rungs=("json_object_schema", "json_object", "prompt"),
        usage="never",
        requests_at_once=1,
        notes="asked one thing at a time: by its default a new request ends the one before it",
    ),
    Provider(
        name="groq",
        label="Groq",
        wires=("chat", "responses"),
        base_url="https://api.groq.com/openai/v1",
        key_variable="GROQ_API_KEY",
        schema_with_tools=False,
        notes="no schema together with tools: it goes into the prompt then",
        reasoning_field="reasoning",
        replays_reasoning=False,
        limit_parameter="max_completion_tokens",
    ),
    Provider(
        name="openrouter",
        label="OpenRouter",
        wires=("chat", "responses"),
        base_url="https://openrouter.ai/api/v1",
        key_variable="OPENROUTER_API_KEY",
        reasoning_field="reasoning",
        usage="always",
    ),
    Provider(
        name="demo",
        label="demo model on this machine, its answers are canned",
        wires=("chat", "responses"),
        find_base_url=_demo_base_url,
        find_key=_demo_key,
        key_required=False,
        native_background=True,
        keeps_responses=True,
    ),
)

_rows: dict[str, Provider] = {row.name: row for row in _BUILT_IN}


def register_provider(row: Provider) -> None:
    """Add a provider, or replace the one of that name, for `"name:model"` strings from now on.

    Raises:
        ConfigurationError: the name is empty or holds a colon, nothing says where the provider is, or a wire
        format
            is none.

    >>> register_provider(Provider(name="house", base_url="http://localhost:8000/v1", key_required=False))
    >>> agent = Agent(model="house:qwen3")
    """
    if not row.name or ":" in row.name or row.name != row.name.strip():
        raise ConfigurationError(
            f"a provider cannot be named {row.name!r}",
            "take a name without colons and spaces: it stands before the colon in 'provider:model'",
        )
    for wire in row.wires:
        _check_wire(wire, row)
    if isinstance(row.wires[0], str) and not (row.base_url or row.base_url_variable or row.find_base_url):
        raise ConfigurationError(
            f"the row of provider {row.name!r} does not say where it is",
            "set base_url, or base_url_variable to the name of an environment variable",
        )
    _rows[row.name] = row


def _check_wire(wire: object, row: Provider) -> None:
    """Raise a ConfigurationError for what is neither a wire format of ours nor a class that makes models."""
    if isinstance(wire, str) and wire in WIRE_NAMES:
        return
    if not callable(wire):
        meant = did_you_mean(wire, WIRE_NAMES) if isinstance(wire, str) else ""
        raise ConfigurationError(
            f"provider {row.name!r} has an unknown wire format: {wire!r:.80}{meant}",
            f"name one of {', '.join(map(repr, WIRE_NAMES))}, or give a class of models: Class(id=..., provider=row)",
        )
    try:
        inspect.signature(wire).bind(id="", provider=row)
    except TypeError as error:
        name = wire_label(wire)
        raise ConfigurationError(
            f"the wire format {name} of provider {row.name!r} cannot be called with id= and provider=: {error}",
            f"let it take both by name: {name}(id=..., provider=row)",
        ) from None
    except ValueError:  # a callable without a signature, as some that are written in C
        pass


def wire_label(wire: Wire) -> str:
    """Return a wire format's name as it is shown: of ours its name, else that of the class."""
    return wire if isinstance(wire, str) else getattr(wire, "__qualname__", repr(wire))


def provider_row(name: str) -> Provider | None:
    """Return the row of that name."""
    return _rows.get(name)


def row_at(url: str) -> Provider | None:
    """Return the row of the provider whose own host `url` names."""
    host = urlsplit(url).hostname
    if not host or is_loopback(url):
        return None
    return next(
        (row for row in _rows.values() if row.base_url and urlsplit(row.base_url).hostname == host), None
    )


def provider_names() -> tuple[str, ...]:
    """Return all names, in the table's order."""
    return tuple(_rows)


def is_loopback(url: str) -> bool:
    """True where `url` names this machine: no proxy is asked, and no key is needed."""
    host = (urlsplit(url).hostname or "").lower()
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    return address.is_loopback or address.is_unspecified
