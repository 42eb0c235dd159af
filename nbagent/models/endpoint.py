"""Where a model is and which key opens it: from what the user gave, the environment and the provider's row.

One `Endpoint` for each model object. The variables are read at each call, so that a key set in a later cell
is found. `check` may run on any thread, `target` on the background thread.
"""

from __future__ import annotations

import asyncio
import inspect
import os
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit, urlunsplit

from nbagent.core import masked_url, remember, remember_named, remember_url
from nbagent.errors import ConfigurationError, MissingKeyError, UnknownModelError
from nbagent.models.catalog.table import row_at
from nbagent.models.plugins import find_provider, no_provider
from nbagent.models.providers import LimitParameter, Provider, is_loopback
from nbagent.models.transport.errors import CHAT_COMPLETIONS, Api, RequestTarget

NO_KEY = "not-needed"  # what is sent where no key is


class Endpoint:
    """The way to one model; its repr shows no key.

    Raises:
        UnknownModelError: no such provider, or an empty model id.
    """

    def __init__(
        self,
        model_id: str,
        provider: str | Provider,
        base_url: str | None,
        api_key: str | None,
        *,
        api: Api = CHAT_COMPLETIONS,
        headers: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        row = provider if isinstance(provider, Provider) else find_provider(provider)
        if row is None:
            raise no_provider(str(provider), model_id=model_id or "NAME")
        if not model_id:
            raise UnknownModelError(
                "the model's id is empty", "give its name at the provider, such as id='gpt-5-mini'"
            )
        self.row = row
        self.model_id = model_id
        self.given_url = base_url
        remember(api_key)
        remember_url(base_url or "")
        self._given_key = api_key
        self._api = api
        self._headers = headers  # of the wire format, as the environment has them; they win

    def __repr__(self) -> str:
        where = f", base_url={masked_url(self.given_url)!r}" if self.given_url else ""
        return f"id={self.model_id!r}, provider={self.row.name!r}{where}"

    @property
    def address(self) -> str | None:
        """The base URL without user and password, as far as it is known before anything is started."""
        if self.row.find_base_url is not None and not self.given_url:
            return None
        url = self.row.url_of(self.given_url, os.environ)
        if url is None:
            return None
        parts = urlsplit(url)
        return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))

    @property
    def has_given_key(self) -> bool:
        """Whether its key was given to it, instead of being read from the environment."""
        return bool(self._given_key)

    def check(self) -> None:
        """Raise MissingKeyError or ConfigurationError if no request can be tried; start and ask nothing."""
        if self.given_url or self.row.find_base_url is None:
            self._key_for(self._url())

    async def target(self) -> RequestTarget:
        """Return who is asked, with the key; starts the provider's own server where it has to be started."""
        if self.row.find_base_url is not None and not self.given_url:
            url = (await asyncio.to_thread(self.row.find_base_url)).rstrip("/")
        else:
            url = self._url()
        key = self._key_for(url)
        return RequestTarget(
            provider=self.row.name,
            model=self.model_id,
            base_url=url,
            key_variable=None if self._given_key else self.row.key_variable,
            url_variable=None if self.given_url else self.row.base_url_variable,
            key=key,
            headers={**self.row.headers, **await self._auth_headers(key), **self._headers()},
            api=self._api,
            reasoning_tag=self.row.reasoning_tag,
            sends_finish_reason=self.row.sends_finish_reason
            and (row_at(url) or self.row).sends_finish_reason,
        )

    def url_if_known(self) -> str | None:
        """Return the base URL as it is set now; None where none is, or its server has yet to be started."""
        return self.row.url_of(self.given_url, os.environ)

    def limit_parameter(self, url: str) -> LimitParameter:
        """Return the name of the output limit at `url`: imitations of OpenAI know the older name best."""
        row = self.row
        elsewhere = row.base_url is not None and url != row.own_url(os.environ)
        return "max_tokens" if elsewhere else row.limit_parameter

    async def _auth_headers(self, key: str) -> dict[str, str]:
        """Return the row's headers for a key, names in lower case; their values are kept out of messages."""
        made = self.row.auth_headers(key)
        if inspect.isawaitable(made):
            made = await made
        if not isinstance(made, Mapping):
            raise ConfigurationError(
                f"auth_headers of provider {self.row.name!r} gave no headers: {type(made).__name__}",
                'return them by name: {"x-api-key": key}',
            )
        headers = {name.lower(): str(value) for name, value in made.items()}
        for value in headers.values():
            remember(value, value.rpartition(" ")[2])
        return headers

    def _url(self) -> str:
        url = self.row.url_of(self.given_url, os.environ)
        if url is None:
            raise ConfigurationError(*self.row.why_no_url(os.environ))
        remember_url(url)
        return url

    def _key_for(self, url: str) -> str:
        variable = self.row.key_variable
        key = (self._given_key or (os.environ.get(variable, "") if variable else "")).strip()
        if not key and self.row.find_key is not None and not self.given_url:
            key = self.row.find_key()
        if key or not self.row.key_required or is_loopback(url) or urlsplit(url).username:
            remember(key)
            return key or NO_KEY
        raise MissingKeyError(
            f"no API key for provider {self.row.name!r}",
            f'set {variable} or use model="demo:assistant"' if variable else "pass api_key=",
        )


def custom_headers(variable: str) -> dict[str, str]:
    """Return the headers that a variable of a provider's SDK holds, one `Name: value` a line."""
    headers: dict[str, str] = {}
    for line in os.environ.get(variable, "").split("\n"):
        name, colon, value = line.partition(":")
        if colon and name.strip():
            headers[name.strip().lower()] = value.strip()
    remember_named(headers)
    return {name: value for name, value in headers.items() if value}
