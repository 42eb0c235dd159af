"""A fast provider in a process of its own: 50 chunks for each request, each on its own, as from a real one.

It speaks each wire format: Chat Completions, the Responses API on paths that end in /responses, Anthropic's Messages on
those that end in /messages. A request with tools that holds no result of one yet is answered by a call of `look`, in as
many chunks; one whose prompt says `rounds=N` as long as it holds fewer than N results.

`python tests/benchmarks/server.py [GAP_S [CHUNKS [WORDS]]]` prints its base URL and serves until its standard input closes.
"""

from __future__ import annotations

import asyncio
import re
import sys

GAP_S = float(sys.argv[1]) if sys.argv[1:] else 0.005
CHUNKS = int(sys.argv[2]) if sys.argv[2:] else 50
WORDS = int(sys.argv[3]) if sys.argv[3:] else 1


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
WORD = _event('{"content":"' + " words" * WORDS + '"}')
LAST = _event("{}", finish='"stop"')
USAGE = _event(
    "{}",
    choices=False,
    usage='{"prompt_tokens":12,"completion_tokens":50,"total_tokens":62,"prompt_tokens_details":{"cached_tokens":0},'
    '"completion_tokens_details":{"reasoning_tokens":0}}',
)
CHAT_END = b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"


def _typed(kind: str, number: int, fields: str) -> bytes:
    data = f'{{"type":"{kind}","sequence_number":{number},{fields}}}'
    payload = f"event: {kind}\ndata: {data}\n\n".encode()
    return b"%x\r\n%s\r\n" % (len(payload), payload)


def _response(status: str, *, output: str = "", usage: str = "null") -> str:
    return (
        f'"response":{{"id":"resp_bench","object":"response","created_at":1700000000,"status":"{status}",'
        '"background":false,"error":null,"incomplete_details":null,"instructions":null,"max_output_tokens":null,'
        f'"model":"bench-1","output":[{output}],"parallel_tool_calls":true,"previous_response_id":null,'
        '"reasoning":{"effort":null,"summary":null},"store":true,"temperature":1.0,"text":{"format":{"type":"text"}},'
        '"tool_choice":"auto","tools":[],"top_p":1.0,"truncation":"disabled","user":null,"metadata":{},'
        f'"usage":{usage}}}'
    )


def _item(status: str, content: str = "") -> str:
    return f'{{"id":"msg_1","type":"message","status":"{status}","role":"assistant","content":[{content}]}}'


_AT = '"item_id":"msg_1","output_index":0,"content_index":0'
_TEXT = " words" * CHUNKS
_PART = f'{{"type":"output_text","text":"{_TEXT}","annotations":[],"logprobs":[]}}'
_COUNTS = (
    '{"input_tokens":12,"input_tokens_details":{"cached_tokens":0,"cache_write_tokens":0},"output_tokens":50,'
    '"output_tokens_details":{"reasoning_tokens":0},"total_tokens":62}'
)
TYPED_FIRST = (
    _typed("response.created", 0, _response("in_progress"))
    + _typed("response.in_progress", 1, _response("in_progress"))
    + _typed("response.output_item.added", 2, f'"output_index":0,"item":{_item("in_progress")}')
    + _typed("response.content_part.added", 3, f'{_AT},"part":{_PART.replace(_TEXT, "")}')
)
TYPED_WORDS = [
    _typed(
        "response.output_text.delta", n + 4, f'{_AT},"delta":" words","logprobs":[],"obfuscation":"aXbY3kQ9"'
    )
    for n in range(CHUNKS)
]
TYPED_END = (
    _typed("response.output_text.done", CHUNKS + 4, f'{_AT},"text":"{_TEXT}","logprobs":[]')
    + _typed("response.content_part.done", CHUNKS + 5, f'{_AT},"part":{_PART}')
    + _typed("response.output_item.done", CHUNKS + 6, f'"output_index":0,"item":{_item("completed", _PART)}')
    + _typed(
        "response.completed",
        CHUNKS + 7,
        _response("completed", output=_item("completed", _PART), usage=_COUNTS),
    )
    + b"0\r\n\r\n"
)
CHAT = (FIRST, [WORD] * CHUNKS, LAST + USAGE + CHAT_END)
TYPED = (TYPED_FIRST, TYPED_WORDS, TYPED_END)

# a call whose arguments come in as many chunks as a text has words: {"place": "xx..."}
_PIECES = ['{"place": "', *["x"] * (CHUNKS - 2), '"}']
_ARGUMENTS = "".join(_PIECES)


def _escaped(text: str) -> str:
    return text.replace('"', '\\"')


def _call_delta(piece: str, name: str = "") -> str:
    text = _escaped(piece)
    head = f'"id":"call_1","type":"function","function":{{"name":"{name}",' if name else '"function":{'
    return f'{{"tool_calls":[{{"index":0,{head}"arguments":"{text}"}}}}]}}'


CHAT_CALL = (
    FIRST + _event(_call_delta("", "look")),
    [_event(_call_delta(piece)) for piece in _PIECES],
    _event("{}", finish='"tool_calls"') + USAGE + CHAT_END,
)


def _call_item(status: str, arguments: str = "") -> str:
    text = _escaped(arguments)
    return f'{{"id":"fc_1","type":"function_call","status":"{status}","call_id":"call_1","name":"look","arguments":"{text}"}}'


_CALL_AT = '"item_id":"fc_1","output_index":0'
_CALL_TEXT = _escaped(_ARGUMENTS)
TYPED_CALL = (
    _typed("response.created", 0, _response("in_progress"))
    + _typed("response.in_progress", 1, _response("in_progress"))
    + _typed("response.output_item.added", 2, f'"output_index":0,"item":{_call_item("in_progress")}'),
    [
        _typed(
            "response.function_call_arguments.delta",
            number + 3,
            f'{_CALL_AT},"delta":"{_escaped(piece)}","obfuscation":"aXbY"',
        )
        for number, piece in enumerate(_PIECES)
    ],
    _typed("response.function_call_arguments.done", CHUNKS + 3, f'{_CALL_AT},"arguments":"{_CALL_TEXT}"')
    + _typed(
        "response.output_item.done",
        CHUNKS + 4,
        f'"output_index":0,"item":{_call_item("completed", _ARGUMENTS)}',
    )
    + _typed(
        "response.completed",
        CHUNKS + 5,
        _response("completed", output=_call_item("completed", _ARGUMENTS), usage=_COUNTS),
    )
    + b"0\r\n\r\n",
)
_MESSAGE = (
    '{"id":"msg_bench","type":"message","role":"assistant","model":"bench-1","content":[],"stop_reason":null,'
    '"stop_sequence":null,"usage":{"input_tokens":12,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,'
    '"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},"output_tokens":1,'
    '"service_tier":"standard"}}'
)


def _named(kind: str, fields: str = "") -> bytes:
    payload = f'event: {kind}\ndata: {{"type":"{kind}"{fields}}}\n\n'.encode()
    return b"%x\r\n%s\r\n" % (len(payload), payload)


def _block(start: str, deltas: list[str], stop: str) -> tuple[bytes, list[bytes], bytes]:
    return (
        _named("message_start", f',"message":{_MESSAGE}')
        + _named("content_block_start", f',"index":0,"content_block":{start}')
        + _named("ping"),
        [_named("content_block_delta", f',"index":0,"delta":{delta}') for delta in deltas],
        _named("content_block_stop", ',"index":0')
        + _named(
            "message_delta",
            f',"delta":{{"stop_reason":"{stop}","stop_sequence":null}},"usage":{{"input_tokens":12,'
            '"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":50}',
        )
        + _named("message_stop")
        + b"0\r\n\r\n",
    )


MESSAGES = _block('{"type":"text","text":""}', ['{"type":"text_delta","text":" words"}'] * CHUNKS, "end_turn")
MESSAGES_CALL = _block(
    '{"type":"tool_use","id":"toolu_1","name":"look","input":{}}',
    [f'{{"type":"input_json_delta","partial_json":"{_escaped(piece)}"}}' for piece in _PIECES],
    "tool_use",
)
_ROUNDS = re.compile(rb"rounds=(\d+)")
_RESULTS = (b'"role":"tool"', b'"role": "tool"', b'"function_call_output"', b'"tool_use_id"')


def _reply(head: bytes, body: bytes) -> tuple[bytes, list[bytes], bytes]:
    line = head.partition(b"\r\n")[0]
    rounds = _ROUNDS.search(body)
    calls = b'"tools"' in body and max(map(body.count, _RESULTS)) < (int(rounds[1]) if rounds else 1)
    if b"/messages" in line:
        return MESSAGES_CALL if calls else MESSAGES
    if b"/responses " in line:
        return TYPED_CALL if calls else TYPED
    return CHAT_CALL if calls else CHAT


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                int(line.split(b":")[1])
                for line in head.split(b"\r\n")
                if line.lower().startswith(b"content-length:")
            )
            first, words, last = _reply(head, await reader.readexactly(length))
            writer.write(HEAD + first)
            for word in words:
                await asyncio.sleep(GAP_S)
                if writer.is_closing():
                    return
                writer.write(word)
            writer.write(last)
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
