"""`OpenAIResponses`: one request in the Responses wire format, streamed; at the provider where it is wanted.

A user makes one, or `resolve_model` does; the runtime calls `check` at launch (any thread), the loop iterates
`stream` on the background thread. Whoever leaves the iterator early closes it (`contextlib.aclosing`), as for
`OpenAIChat`; a response that lives at the provider is then cancelled there.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator

from nbagent.models.openai.background import BackgroundResponse, not_in_background
from nbagent.models.openai.base import OpenAICompatibleModel, WireFormat
from nbagent.models.openai.responses_body import left_out, responses_body
from nbagent.models.openai.responses_stream import ResponsesStreamParser
from nbagent.models.protocol import ModelEvent, ModelRequest
from nbagent.models.providers import Provider
from nbagent.models.transport.errors import Api

_API = Api(
    "Responses", "; a server that speaks only Chat Completions is an OpenAIChat(...) or an openai-chat: model"
)
RESPONSES = WireFormat(
    name="responses",
    api=_API,
    path="/responses",
    body=responses_body,
    reply=ResponsesStreamParser,
    left_out=left_out,
)


class OpenAIResponses(OpenAICompatibleModel):
    """A model behind a Responses endpoint.

    Args:
        id: the model's name at the provider.
        base_url: where the server is, most often ending in /v1; by default as the provider's row says.
        api_key: the key itself; better left out, so that it is read from the provider's variable.
        provider: the name of a row in the table of providers, or a row.
        background: whether the provider is asked to run each response on its own side, where it outlives this
            kernel. A provider that cannot is said once, and the run is in the notebook then.
        queued_timeout_s: how long a background response may wait at the provider before it begins; None waits.

    Raises:
        UnknownModelError: no such provider, or an empty id.

    >>> Agent(model=OpenAIResponses(id="gpt-5", background=True)).model
    OpenAIResponses(id='gpt-5', provider='openai')
    """

    wire = RESPONSES

    def __init__(
        self,
        id: str,  # noqa: A002 - the name that the reference systems use
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        provider: str | Provider = "openai",
        background: bool = False,
        queued_timeout_s: float | None = 300.0,
    ) -> None:
        super().__init__(id, provider, base_url, api_key)
        self.background = background
        self.queued_timeout_s = queued_timeout_s

    def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        """Send `request` and yield what comes; the last event is a `ReplyFinished`.

        With `background`, or where `request.resume` names a response that lives at the provider, `Attached`
        events say where it stands, and a dropped connection is taken up again.

        Raises:
            ModelError: whatever goes wrong at the provider or on the way to it.
            ConfigurationError: as in `check`.
        """
        if request.resume is None and not self.background:
            return self._stream(request)
        if request.resume is None and not self.row.native_background:
            return self._stream(request, not_in_background(request, self.provider))
        return BackgroundResponse(self, self._endpoint, request, self.queued_timeout_s).stream()
