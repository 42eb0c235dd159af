"""How much memory a run takes by its texts, about: what bounds how many finished ones are remembered. Any thread."""

from __future__ import annotations

from sys import getsizeof

from nbagent.events import Message
from nbagent.run.output import RunOutput
from nbagent.run.record import RunRecord

_BESIDES_TEXTS = 12_000  # a small run's objects
_BESIDES_PART = 500  # a message's or a call's
_AS_OBJECTS = 5  # data of JSON's takes this many times its text


def size_bytes(run: RunRecord | RunOutput) -> int:
    """Return about how many bytes a finished run takes, those under it included."""
    size = _BESIDES_TEXTS + sum(map(_of_message, run.messages))
    for call in run.tool_calls:
        size += _BESIDES_PART + getsizeof(call.arguments) + getsizeof(call.result)
    if isinstance(run, RunRecord):
        typed = run.end.typed if run.end is not None else None
        answer, text, prompt = typed.json if typed is not None else "", run.text, run.launch.prompt
        text = "" if run.messages and run.messages[-1].content is text else text
    else:
        answer, text, prompt = run.answer_json or "", run.content, run.prompt
    size += getsizeof(prompt) + getsizeof(text) + getsizeof(answer) * _AS_OBJECTS
    return size + sum(map(size_bytes, tuple(run.member_responses)))


def _of_message(message: Message) -> int:
    size = _BESIDES_PART + getsizeof(message.content) + getsizeof(message.reasoning)
    for request in message.tool_requests:
        size += _BESIDES_PART + getsizeof(request.arguments)
    for item in message.provider_items:
        size += _BESIDES_PART + sum(map(getsizeof, item.values()))
    return size + sum(getsizeof(file.data) for file in message.files)
