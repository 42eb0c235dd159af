"""`OpenAIChat`: one request in the Chat Completions wire format, streamed.

A user makes one, or `resolve_model` does; the runtime calls `check` at launch (any thread), the loop iterates
`stream` on the background thread. Whoever leaves the iterator early closes it (`contextlib.aclosing`): that
closes the connection, as does cancelling the task that waits in it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator

from nbagent.errors import ModelError
from nbagent.models.chat_body import chat_body, encode
from nbagent.models.chat_reply import ChatReply
from nbagent.models.concessions import concessions_of
from nbagent.models.endpoint import Endpoint
from nbagent.models.exchange import Exchange, open_exchange
from nbagent.models.faults import Target
from nbagent.models.protocol import ModelEvent, ModelRequest, Notice
from nbagent.models.providers import Provider
from nbagent.models.sse import SSEDecoder

_TAIL_S = 2.0  # how long the usage may come after the model's last word, where the connection is left open


class OpenAIChat:
    """A model behind a Chat Completions endpoint.

    Args:
        id: the model's name at the provider.
        base_url: where the server is, most often ending in /v1; by default as the provider's row says.
        api_key: the key itself; better left out, so that it is read from the provider's variable.
        provider: the name of a row in the table of providers, or a row.

    Raises:
        UnknownModelError: no such provider, or an empty id.
    """

    def __init__(
        self,
        id: str,  # noqa: A002 - the name that the reference systems use
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        provider: str | Provider = "openai-chat",
    ) -> None:
        self._endpoint = Endpoint(id, provider, base_url, api_key)
        self.row = self._endpoint.row
        self.provider = self.row.name
        self.id = id

    def __repr__(self) -> str:
        return f"OpenAIChat({self._endpoint!r})"

    def check(self) -> None:
        """Raise if no call can even be tried; make no request and start nothing.

        Raises:
            MissingKeyError: the provider needs a key and none is set.
            ConfigurationError: nothing says where the provider is.
        """
        self._endpoint.check()

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        """Send `request` and yield what comes; the last event is a `ReplyFinished`.

        A refusal that names what can be put otherwise (stream_options, response_format) is answered by one more
        request, said in a `Notice` the first time.

        Raises:
            ModelError: whatever goes wrong at the provider or on the way to it.
            ConfigurationError: as in `check`.
        """
        target = await self._endpoint.target()
        exchange, notices = await self._open(request, target)
        try:
            for notice in notices:
                yield notice
            decoder = SSEDecoder()
            reply = ChatReply(target)
            block = await exchange.read()
            if not exchange.is_stream(block):
                payload = await exchange.whole(block)
                for event in reply.take([payload]):
                    yield event
                block = b""
            while block:
                for event in reply.take(decoder.feed(block)):
                    yield event
                if reply.done:
                    break
                ended = reply.finish_reason is not None
                block = await (exchange.read_within(_TAIL_S) if ended else exchange.read())
            for event in reply.take(decoder.close()):
                yield event
            finished = reply.finished()
            await exchange.drain()
            yield finished
        finally:
            await exchange.close()

    async def _open(self, request: ModelRequest, target: Target) -> tuple[Exchange, list[Notice]]:
        """Send the request, put otherwise for as long as the provider names something that can be."""
        limit = self._endpoint.limit_parameter(target.base_url)
        memory = concessions_of(self.row, target.base_url, self.id, limit)
        plan = memory.plan(request)
        notices: list[Notice] = []
        while True:
            body = encode(chat_body(request, model=self.id, row=self.row, plan=plan))
            try:
                return await open_exchange(target, "/chat/completions", body, request.idle_timeout_s), notices
            except ModelError as error:
                conceded = memory.concede(plan, request, error)
                if conceded is None:
                    raise
                plan, notice = conceded
                if notice:
                    notices.append(Notice(notice))
