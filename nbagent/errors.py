"""Every error nbagent raises on purpose, in one tree.

    NBAgentError
    ├── ConfigurationError          a user's mistake, found before anything was sent
    │   ├── UnknownModelError
    │   ├── MissingKeyError
    │   ├── UnknownOptionError
    │   ├── UnknownNameError        an agent, tool, schema or run that is not defined
    │   ├── TemplateError
    │   ├── SchemaError
    │   ├── ToolDefinitionError
    │   ├── PromptError
    │   ├── NoRecordedAnswerError   cache="replay" and the record holds no answer
    │   └── RecordingError          a file of recorded answers that cannot be read
    ├── RunIdInUseError
    ├── SessionBusyError
    ├── BlockingCallError           a blocking wait on the background thread
    ├── WaitTimeout                 a wait ran out; the run goes on   (also a TimeoutError)
    ├── RunError                    the result of a run that did not complete was asked for
    ├── BatchError                  rows of a batch failed, and result(check=True) was asked for
    ├── MemberError                 a team's member gave no answer; its leader is told
    ├── StoreError
    │   ├── QueryError              SQL that the record cannot answer
    │   ├── StoreBusyError          another process holds the file
    │   ├── StoreTooNewError
    │   ├── StoreForeignError
    │   └── StoreDamagedError
    └── ModelError                  a provider's answer, or its silence
        ├── ProviderUnreachableError
        │   ├── ProviderSilentError no byte for longer than the idle time
        │   ├── EarlyEndError       a stream that ended in order, but before the model did
        │   └── OutOfReachError     a response that may live at the provider cannot be reached
        ├── QueueTimeoutError       a response waited at the provider for longer than it may
        ├── ProviderRefusedError    4xx: the request, the key or the model is wrong
        │   └── OutOfQuotaError     the account has no quota or money left
        │   └── ContentFilterError  the provider's content filter stopped the request
        │   └── ContextExceededError  what was sent does not fit the model's context
        ├── ProviderOverloadedError 408, 409, 429, 5xx: worth another try
        └── ProviderProtocolError   the reply is not what the wire format promises
            └── MalformedReplyError a tool call that the server itself could not read

A message has two parts: what happened, with the values, and what to do about it. A notebook shows
them as two lines and no traceback. This module imports nothing of ours.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any


class NBAgentError(Exception):
    """Base of the tree: `what` happened and what `todo`, each one line.

    >>> try:
    ...     Agent(model="openai").start("Hi")
    ... except NBAgentError as error:
    ...     print(error)
    model 'openai' names a provider and no model
    write the model's name after a colon: "openai:NAME"
    """

    def __init__(self, what: str, todo: str = "") -> None:
        super().__init__(what, todo)
        self.what = what
        self.todo = todo

    def __str__(self) -> str:
        return f"{self.what}\n{self.todo}" if self.todo else self.what

    def _render_traceback_(self) -> list[str]:
        """Show two lines in IPython instead of a traceback (IPython calls this by name)."""
        first = f"{type(self).__name__}: {self.what}"
        return [first, f"  -> {self.todo}"] if self.todo else [first]


class ConfigurationError(NBAgentError):
    """A user's mistake that was found before anything was sent.

    >>> Agent(model="demo:assistant").start("")
    Traceback (most recent call last):
    nbagent.errors.PromptError: the prompt is empty
    write what the agent should do
    """


class UnknownModelError(ConfigurationError):
    """The model's name names no provider or no model."""


class MissingKeyError(ConfigurationError):
    """The provider needs an API key and none is set."""


class UnknownOptionError(ConfigurationError):
    """A flag or option that does not exist, or a value it cannot take."""


class UnknownNameError(ConfigurationError):
    """An agent, tool, schema, label or run id that is not defined."""


class TemplateError(ConfigurationError):
    """A prompt template that cannot be rendered."""


class SchemaError(ConfigurationError):
    """An output schema that cannot be used."""


class ToolDefinitionError(ConfigurationError):
    """A function that cannot be offered to a model as a tool."""


class PromptError(ConfigurationError):
    """A prompt that is empty or cannot be sent."""


class NoRecordedAnswerError(ConfigurationError):
    """A run was to be answered from the record alone, and the record holds no answer to it."""


class RecordingError(ConfigurationError):
    """A file of recorded answers that cannot be read; nothing of it was imported."""


class RunIdInUseError(NBAgentError):
    """A run id names one run for ever; this one is taken.

    >>> agent = Agent(model="demo:assistant")
    >>> agent.run("Hello", run_id="greeting-1").status
    <RunStatus.completed: 'completed'>
    >>> agent.start("Hello", run_id="greeting-1")
    Traceback (most recent call last):
    nbagent.errors.RunIdInUseError: run id 'greeting-1' is taken: agent on 'Hello', launched at ... UTC, is completed
    leave the run id out, choose another, or attach to that run
    """


class SessionBusyError(NBAgentError):
    """The session has an unfinished run, in some kernel, and `on_busy="reject"` was asked for."""


class BlockingCallError(NBAgentError):
    """A blocking wait was called on the background thread, where it would wait for itself."""


class WaitTimeout(NBAgentError, TimeoutError):  # noqa: N818 - a time-out is what it is, and TimeoutError is its base
    """A wait ran out. The run itself goes on; its own time limit is `status == timeout`.

    >>> run = Agent(model="demo:assistant").start("Write 5000 words about tea.")
    >>> run.result(timeout=0.01)
    Traceback (most recent call last):
    nbagent.errors.WaitTimeout: run ... is still ... after 0.01 s
    wait again, or stop it with run.cancel()
    >>> run.cancel()
    True
    """


class RunError(NBAgentError):
    """The result of a run that did not complete was asked for; its `RunOutput` is `output`.

    >>> run = Agent(model="demo:assistant").start("Write 5000 words about tea.")
    >>> run.cancel()
    True
    >>> try:
    ...     run.result()
    ... except RunError as error:
    ...     print(error.output.status)
    RunStatus.cancelled
    """

    def __init__(self, what: str, todo: str = "", *, output: Any = None) -> None:
        super().__init__(what, todo)
        self.output = output


class BatchError(NBAgentError):
    """Rows of a batch failed, and its result was asked for with `check=True`; all rows are in `frame`.

    >>> batch = Agent(model="demo:nonsense").map(["Peru"], "Capital of {{ row }}?")
    >>> try:
    ...     batch.result(check=True)
    ... except BatchError as error:
    ...     print(error.todo, len(error.frame))
    batch.failed() shows them, batch.retry_failed() asks them again 1
    """

    def __init__(self, what: str, todo: str = "", *, frame: Any = None) -> None:
        super().__init__(what, todo)
        self.frame = frame


class MemberError(NBAgentError):
    """A member of a team gave no answer. It is told to the team's leader and fails no run by itself."""


class StoreError(NBAgentError):
    """The record cannot be read or written.

    >>> nb.sql("select nonsense from runs")
    Traceback (most recent call last):
    nbagent.errors.QueryError: the record cannot answer this: ... Referenced column "nonsense" not found ...
    ask runs, attempts, model_calls, tool_calls or messages; nb.sql("describe runs") shows the columns
    """


class StoreBusyError(StoreError):
    """Another process holds the store's file for longer than a wait is worth."""


class QueryError(StoreError):
    """SQL that the record cannot answer."""


class StoreForeignError(StoreError):
    """The file at the store's place is not a record of ours; it is left untouched."""


class StoreTooNewError(StoreError):
    """The file was written by a newer nbagent; it is left untouched."""


class StoreDamagedError(StoreError):
    """The file is no DuckDB database, or a broken one."""


class ModelError(NBAgentError):
    """What a model call failed with. `status_code` is None where no HTTP answer came.

    `retry_after_s` is the provider's own wish in seconds; `retryable` says whether the same request may
    succeed later, `most_retries` how often at most it is sent again, `gives_way` whether another model may be asked
    instead, where several were given. `stop_reason` is the run's, should this end it;
    `so_far` is the reply as far as it had come, where it ended in a way that is no good end.

    It ends a run as `error` and is raised nowhere else; the run holds its name and its text:

    >>> output = Agent(model="demo:nonsense").run("Hello")
    >>> output.error_type
    'ProviderRefusedError'
    >>> print(output.error)
    provider 'demo' has no model 'nonsense' at ...
    check the model's name, and that the base URL is right (most end in /v1)
    """

    retryable = False
    most_retries: int | None = None
    gives_way = False
    stop_reason = "error"

    def __init__(
        self,
        what: str,
        todo: str = "",
        *,
        status_code: int | None = None,
        retry_after_s: float | None = None,
        param: str | None = None,
        so_far: Any = None,
    ) -> None:
        super().__init__(what, todo)
        self.status_code = status_code
        self.retry_after_s = retry_after_s
        self.param = param
        self.so_far = so_far


class BudgetError(ModelError):
    """A budget of the record (`nb.budget`) is used up, or cannot hold: a launch is refused, a run ends as `max_cost`."""

    stop_reason = "max_cost"


class ProviderUnreachableError(ModelError):
    """No connection, or a dropped one."""

    retryable = True
    gives_way = True


class ProviderSilentError(ProviderUnreachableError):
    """No byte came for longer than the idle time. Not tried again: the time is already spent."""

    retryable = False
    stop_reason = "idle_timeout"


class EarlyEndError(ProviderUnreachableError):
    """A stream that ended in order, but before the model did."""


class OutOfReachError(ProviderUnreachableError):
    """A response that may live at the provider cannot be reached. Not tried again: that would pay twice."""

    retryable = False
    gives_way = False


class QueueTimeoutError(ModelError):
    """The response waited at the provider for longer than it may; it was cancelled there."""

    stop_reason = "queue_timeout"


class ProviderRefusedError(ModelError):
    """The provider will not serve this request: 400, 401, 403, 404, 422 and their like."""


class OutOfQuotaError(ProviderRefusedError):
    """The account has no quota or no money left there: 402, or a 429 that says so."""

    gives_way = True


class ContentFilterError(ProviderRefusedError):
    """The provider's content filter stopped the request: the prompt, or the answer before it was whole."""

    stop_reason = "content_filter"


class ContextExceededError(ProviderRefusedError):
    """What was sent is larger than the model's context: a long conversation, prompt or file."""

    stop_reason = "context_exceeded"


class ProviderOverloadedError(ModelError):
    """The provider cannot serve the request now: 408, 409, 429 or 5xx."""

    retryable = True
    gives_way = True


class ProviderProtocolError(ModelError):
    """The reply is not what the wire format promises: HTML, cut JSON, a stream without a chunk."""


class MalformedReplyError(ProviderProtocolError):
    """The model wrote a tool call that its own server could not read. Asked again once: it seldom happens twice."""

    retryable = True
    most_retries = 1


def replace_traceback(error: BaseException, what: str, todo: str = "") -> None:
    """Let a notebook show these two lines for `error` instead of a traceback; the error stays what it is."""
    shown = [f"{type(error).__name__}: {what}", *([f"  -> {todo}"] if todo else [])]
    vars(error)["_render_traceback_"] = lambda: shown


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """Return ` (did you mean 'x'?)` for the closest of `known`, or an empty string."""
    found = closest(name, known)
    return f" (did you mean {found!r}?)" if found else ""


def closest(name: object, known: Iterable[str]) -> str | None:
    """Return the one of `known` that was meant by a misspelt name; None where none is near."""
    found = difflib.get_close_matches(str(name), list(known), n=1, cutoff=0.6)
    return found[0] if found else None
