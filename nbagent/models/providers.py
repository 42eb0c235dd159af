"""What can be said of a provider, as a row of data; no code knows a provider by name.

The rows stand in `catalog/`, a user adds one with `register_provider`. They are read when a model is made, a
request is built, a reply is read and a call is priced; any thread may. A row holds the name of the key's
variable, never a key.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, get_args
from urllib.parse import urlsplit

from nbagent.errors import did_you_mean
from nbagent.models.protocol import Model

WireName = Literal["chat", "responses"]
WIRE_NAMES: tuple[str, ...] = get_args(WireName)
# the name of one of OpenAI's, a class (any callable) that makes a model of `id=` and `provider=`, or where such a
# class is: "package.module:Class", imported when the first model is made
Wire: TypeAlias = WireName | str | Callable[..., Model]
Rung = Literal["json_schema", "json_object_schema", "json_object", "prompt"]
UsageHabit = Literal["include_usage", "always", "never"]
LimitParameter = Literal["max_completion_tokens", "max_tokens"]


AuthHeaders = Callable[[str], Mapping[str, str] | Awaitable[Mapping[str, str]]]

_REGION = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")  # one label of a host's name, no more


def bearer(key: str) -> Mapping[str, str]:
    """Return the header that most providers take a key in."""
    return {"authorization": f"Bearer {key}"}


def x_api_key(key: str) -> Mapping[str, str]:
    """Return the header that some providers take a key in."""
    return {"x-api-key": key}


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """One provider of models.

    - `base_url`: None means that the user says where it is, through `base_url_variable` or `base_url=`;
      `find_base_url` is for a server that has to be started first: it may block and is called off the event
      loop; `find_key` gives that server's own key.
    - `{region}` in `base_url` is what the first of `region_variables` that is set says, else `region`. Where there
      are `regions`, it is one of their names, and what stands beside the name goes into the address.
    - `auth_headers`: makes the headers that carry the key, for each request; default: `Authorization: Bearer`.
      A coroutine function may fetch a token; it runs on the background loop. `headers` are sent with each.
    - `wires`: the wire formats that it speaks, the first being what "name:model" means: "chat", "responses", a
      class whose instances are models, called as `Class(id=..., provider=row)`, or where it is:
      "package.module:Class". `wire` puts one before the others.
    - `schema_rungs`: the ways to ask for JSON, best first; `schema_with_tools` says whether the first ones work
      while tools are offered.
    - `replays_reasoning`: whether reasoning goes back with the tool results that it led to. True where the provider
      refuses a tool turn without it, False where it refuses one with it, None sends what came in a field of
      its own, there; `reasoning_field` is the field for what came from elsewhere.
    - `native_background`: it can run a response on its own side; `keeps_responses`: it keeps the items of earlier
      responses, so that they need not be sent back whole.
    - `sends_finish_reason`: False for a server whose streams may end with their mark and no word on why.
    - `reasoning_tag`: the name of a tag, besides think and thought, in which reasoning stands at the start of its texts.
    - `usage`: "include_usage" is told with a stream that is asked for it, "always" with every stream, unasked, and
      "never" with none.
    - `setting_names`: what it calls a setting where that is another name than ours; `chat_fields`: what every Chat
      Completions request to it holds; `call_ids`: gives a tool call's id in the form that it takes back.
    - `requests_at_once`: how many requests it takes at a time, None any number.
    - `models_path`: where it lists its models, below the base URL or as a whole address; None where it lists none.
    - `price_key`: gives the price list's "provider:model" for a model's id, by default the one that it has here;
      `is_free`: nothing costs anything; `tells_cost`: it says with each reply what that cost.
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
    region_variables: tuple[str, ...] = ()
    regions: Mapping[str, str] = field(default_factory=dict)
    region: str | None = None
    find_base_url: Callable[[], str] | None = None
    find_key: Callable[[], str] | None = None
    key_variable: str | None = None
    key_required: bool = True
    auth_headers: AuthHeaders = field(default=bearer, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)
    schema_rungs: tuple[Rung, ...] = ("json_schema", "json_object", "prompt")
    schema_with_tools: bool = True
    limit_parameter: LimitParameter = "max_tokens"
    reasoning_field: Literal["reasoning_content", "reasoning"] = "reasoning_content"
    reasoning_tag: str | None = None
    replays_reasoning: bool | None = None
    usage: UsageHabit = "include_usage"
    native_background: bool = False
    keeps_responses: bool = False
    sends_finish_reason: bool = True
    setting_names: Mapping[str, str] = field(default_factory=dict)
    chat_fields: Mapping[str, Any] = field(default_factory=dict)
    call_ids: Callable[[str], str] | None = None
    requests_at_once: int | None = None
    models_path: str | None = "/models"
    price_key: Callable[[str], str] | None = None
    is_free: bool = False
    tells_cost: bool = False
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
        url = given or named or self.own_url(env)
        if not url:
            return None
        url = url.rstrip("/")
        return url if not self.base_url_path or url.endswith(self.base_url_path) else url + self.base_url_path

    def own_url(self, env: Mapping[str, str]) -> str | None:
        """Return the row's own base URL with its region; None without one, or where no region is known."""
        if self.base_url is None or not self.region_variables:
            return self.base_url
        name = self.region_name(env)
        region = self.regions.get(name or "") if self.regions else name
        if not region or not (self.regions or _REGION.fullmatch(region)):
            return None
        return self.base_url.replace("{region}", region)

    def region_name(self, env: Mapping[str, str]) -> str | None:
        """Return the region that is set, else the row's own; None without any."""
        said = (env.get(variable, "").strip() for variable in self.region_variables)
        return next(filter(None, said), None) or self.region

    def why_no_url(self, env: Mapping[str, str]) -> tuple[str, str]:
        """Return the two lines for a provider of which it is not known where it is."""
        if not self.region_variables:
            variable = self.base_url_variable
            return (
                f"no base URL for provider {self.name!r}",
                f"set {variable} or pass base_url=" if variable else "pass base_url=",
            )
        variable, name = self.region_variables[0], self.region_name(env)
        known = f"one of {', '.join(self.regions)}" if self.regions else "its name, such as us-east-1"
        if name is None:
            return f"no region for provider {self.name!r}", f"set {variable} to {known}"
        meant = did_you_mean(name, self.regions)
        return f"provider {self.name!r} has no region {name!r:.80}{meant}", f"set {variable} to {known}"

    def listed_as(self, model: str) -> tuple[str, str]:
        """Return the provider and the model by which the price list knows `model`."""
        key = self.price_key(model) if self.price_key is not None else f"{self.name}:{model}"
        provider, _, name = key.partition(":")
        return provider, name


def is_loopback(url: str) -> bool:
    """True where `url` names this machine: no proxy is asked, and no key is needed."""
    host = (urlsplit(url).hostname or "").lower()
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    return address.is_loopback or address.is_unspecified
