"""`OpenAIChat`: one request in the Chat Completions wire format, streamed.

A user makes one, or `resolve_model` does; the runtime calls `check` at launch (any thread), the loop iterates
`stream` on the background thread. Whoever leaves the iterator early closes it (`contextlib.aclosing`): that
closes the connection, as does cancelling the task that waits in it.
"""

from __future__ import annotations

from nbagent.models.openai.base import OpenAICompatibleModel, WireFormat
from nbagent.models.openai.chat_body import chat_body
from nbagent.models.openai.chat_stream import ChatStreamParser
from nbagent.models.providers import Provider
from nbagent.models.transport.errors import CHAT_COMPLETIONS

CHAT = WireFormat(
    name="chat", api=CHAT_COMPLETIONS, path="/chat/completions", body=chat_body, reply=ChatStreamParser
)


class OpenAIChat(OpenAICompatibleModel):
    """A model behind a Chat Completions endpoint.

    Args:
        id: the model's name at the provider.
        base_url: where the server is, most often ending in /v1; by default as the provider's row says.
        api_key: the key itself; better left out, so that it is read from the provider's variable.
        provider: the name of a row in the table of providers, or a row.

    Raises:
        UnknownModelError: no such provider, or an empty id.

    >>> Agent(model=OpenAIChat(id="qwen3", base_url="http://localhost:8000/v1")).model
    OpenAIChat(id='qwen3', provider='openai-chat', base_url='http://localhost:8000/v1')
    """

    wire = CHAT

    def __init__(
        self,
        id: str,  # noqa: A002 - the name that the reference systems use
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        provider: str | Provider = "openai-chat",
    ) -> None:
        super().__init__(id, provider, base_url, api_key)
