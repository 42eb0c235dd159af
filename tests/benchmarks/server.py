"""A fast provider in a process of its own: 50 chunks for each request, each on its own, as from a real one.

`python tests/benchmarks/server.py` prints its base URL and serves until its standard input closes.
"""

from __future__ import annotations

import asyncio
import sys

CHUNKS = 50
GAP_S = 0.005


def _event(delta: str, *, finish: str = "null", usage: str = "null", choices: bool = True) -> bytes:
    choice = f'{{"index":0,"delta":{delta},"logprobs":null,"finish_reason":{finish}}}' if choices else ""
    data = (
        '{"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1700000000,"model":"bench-1",'
        f'"service_tier":"default","system_fingerprint":"fp_1","choices":[{choice}],"usage":{usage}}}'
    )
    payload = f"data: {data}\n\n".encode()
    return b"%x\r\n%s\r\n" % (len(payload), payload)


HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)
FIRST = _event('{"role":"assistant","content":"","refusal":null}')
WORD = _event('{"content":" words"}')
LAST = _event("{}", finish='"stop"')
USAGE = _event(
    "{}",
    choices=False,
    usage='{"prompt_tokens":12,"completion_tokens":50,"total_tokens":62,"prompt_tokens_details":{"cached_tokens":0},'
    '"completion_tokens_details":{"reasoning_tokens":0}}',
)
END = b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                int(line.split(b":")[1])
                for line in head.split(b"\r\n")
                if line.lower().startswith(b"content-length:")
            )
            await reader.readexactly(length)
            writer.write(HEAD + FIRST)
            for _ in range(CHUNKS):
                await asyncio.sleep(GAP_S)
                if writer.is_closing():
                    return
                writer.write(WORD)
            writer.write(LAST + USAGE + END)
            await writer.drain()
    except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
        pass  # the client has gone, or the server ends
    finally:
        writer.close()


async def _main() -> None:
    server = await asyncio.start_server(_serve, "127.0.0.1", 0, backlog=2048)
    host, port = server.sockets[0].getsockname()[:2]
    print(f"http://{host}:{port}/v1", flush=True)
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_main())
