"""`RunRecord`: a live run's state as the one fold of its events.

The runtime applies each event of a run to it on the background thread, the fold's only writer; anybody may
read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Protocol, assert_never

from nbagent.core import seconds_between, utc_now
from nbagent.events import (
    SENT,
    AnswerReused,
    ApprovalDenied,
    ApprovalGiven,
    ApprovalRequested,
    CallAttached,
    Event,
    Message,
    MessageAdded,
    MessageSent,
    ModelCall,
    ModelCallFinished,
    ModelCallStarted,
    NoticeGiven,
    PendingApproval,
    ReasoningAdded,
    RunFinished,
    RunStarted,
    TextAdded,
    TextReclassified,
    ToolCall,
    ToolCallFinished,
    ToolCallStarted,
    ToolRequest,
)
from nbagent.run.metrics import AttemptTimes, RunMetrics, metrics_of, paid_calls
from nbagent.run.order import in_asked_order
from nbagent.run.output import RunOutput
from nbagent.run.status import RunStatus, status_of
from nbagent.run.waited_run import EarlierRun

_MANY_PIECES = 512  # of text, that are kept as they came


class TypedOutput(Protocol):
    """What the record needs of an output schema."""

    @property
    def content_type(self) -> str:
        """The type's name as `module.QualName`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLaunch:
    """What is known of a run at its launch and never changes while this attempt lasts.

    `created_at` is the run's own; a resumed one's attempt was `resumed_at`, after the `earlier` attempts.
    `tool_call` is the step and id of the call that started a child run, `forked` the run whose first steps it
    shares and how many. Where `keeps_texts` is False neither
    snapshot nor store holds what the run was asked and what it said.
    """

    run_id: str
    session_id: str
    created_at: datetime
    agent_name: str | None = None
    kind: str = "agent"
    label: str | None = None
    parent_run_id: str | None = None
    provider: str | None = None
    model: str | None = None
    prompt: str | None = None
    cell_id: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    output_schema: TypedOutput | None = None
    attempt: int = 1
    resumed_at: datetime | None = None
    earlier: tuple[AttemptTimes, ...] = ()
    tool_call: tuple[int, str] | None = None
    keeps_texts: bool = True
    batch_id: str | None = None
    forked: tuple[str, int] | None = None


class RunRecord:
    """A live run's state: the fold of its events. Applied on one thread, read on any.

    Invariants: `end` is set once and nothing is applied after it; `version` grows with every event; the text
    is that of the latest model call that gave any, without the text of a try that was repeated.
    `member_responses` are the runs that it started, each once, snapshots where another attempt started them.
    """

    __slots__ = (
        "_joined", "_paused_at", "_paused_s", "_pauses", "_pieces", "_text_of", "cached_from", "calling", "end", "launch", "member_responses", "messages", "model_calls", "notices",
        "others_wait", "queue_position", "response_id", "retry_in_s", "reused_schema", "running_tools", "sent", "sequence_number", "started_at", "tool_calls", "turn", "version",
        "waiting", "waits_for",
    )  # fmt: skip

    def __init__(self, launch: RunLaunch) -> None:
        self.launch = launch
        self.turn: int | None = None  # its number in its session, once the store has given it
        self.started_at: datetime | None = None
        self.end: RunFinished | None = None
        self.cached_from: str | None = None  # the run whose answer it was given
        self.reused_schema: TypedOutput | None = None  # of such an answer, where the run itself has none
        self.model_calls: list[ModelCall] = []
        self.calling: ModelCallStarted | None = None  # the model call under way
        self.tool_calls: list[ToolCall] = []
        self.running_tools: dict[str, ToolRequest] = {}
        self.messages: list[Message] = []
        self.member_responses: list[RunRecord | RunOutput] = []
        self.notices: list[str] = []
        self.retry_in_s: float | None = None
        self.version = 0
        self.waiting: dict[str, PendingApproval] = {}  # calls that a person has not decided yet, by their ids
        self.sent: dict[
            str, str
        ] = {}  # what a person sent and its model has not had yet, by the messages' ids
        self.waits_for: EarlierRun | None = (
            None  # the run before it in its session, where that is worth telling
        )
        self.others_wait = False  # runs of its session wait for this one
        self.queue_position: int | None = None  # its place among the model calls that wait, from 1
        self.response_id: str | None = None
        self.sequence_number: int | None = None
        self._pieces: list[str] = []
        self._joined = (
            0  # how many of the pieces are each many that came: small ones take ten times their text
        )
        self._text_of = 0
        self._pauses = 0  # calls that a person has not decided, of this run and of those under it
        self._paused_at: datetime | None = None
        self._paused_s = 0.0

    def pause(self, at: datetime) -> None:
        """A person is waited for from now on, by this run or by one under it; pauses nest."""
        if self._pauses == 0 and self.end is None:
            self._paused_at = at
        self._pauses += 1

    def unpause(self, at: datetime) -> None:
        """Take one pause back; after the last the work goes on."""
        self._pauses = max(0, self._pauses - 1)
        if self._pauses == 0:
            self._paused_s, self._paused_at = self.paused_s(at), None

    def paused_s(self, now: datetime) -> float:
        """Seconds of this attempt, until `now` or its end, in which a person was waited for."""
        began, until = self._paused_at, self.end.finished_at if self.end is not None else now
        return self._paused_s + (seconds_between(began, until) or 0.0)

    def apply(self, event: Event) -> None:  # noqa: C901, PLR0912 - one case for each kind of event
        """Fold one event in; ignored after the end."""
        if self.end is not None:
            return
        self.version += 1
        if type(event) is TextAdded:  # the hot path: once for each piece of text
            if event.step != self._text_of:
                self._pieces, self._joined, self._text_of = [], 0, event.step
            self._pieces.append(event.text)
            if len(self._pieces) - self._joined > _MANY_PIECES:
                self._join_pieces()
            return
        match event:
            case ModelCallFinished():
                self.model_calls.append(event.call)
                self.calling = None
                self.retry_in_s = event.retry_in_s
                if event.retry_in_s is not None:
                    self._pieces, self._joined = [], 0
            case ModelCallStarted():
                self.calling = event
                self.retry_in_s = None
            case ToolCallStarted():
                self.running_tools[event.request.tool_call_id] = event.request
            case ToolCallFinished():
                self.running_tools.pop(event.call.tool_call_id, None)
                self.tool_calls.append(event.call)
            case ApprovalRequested():
                self.waiting[event.call.tool_call_id] = event.call
            case ApprovalGiven() | ApprovalDenied():
                self.waiting.pop(event.call.tool_call_id, None)
            case MessageSent():
                self.sent[event.message_id] = event.text
            case MessageAdded():
                self._add_message(event.message)
            case RunStarted():
                self.started_at = event.started_at
            case CallAttached():
                self.response_id, self.sequence_number = event.response_id, event.sequence_number
            case AnswerReused():
                self.cached_from = event.run_id
            case NoticeGiven():
                if event.text not in self.notices:
                    self.notices.append(event.text)
            case RunFinished():
                self._keep_text_once()
                self.calling = None
                self.end = event
            case TextReclassified():
                self._pieces, self._joined = [], 0
            case ReasoningAdded() | TextAdded():
                pass
            case unknown:
                assert_never(unknown)

    def _add_message(self, message: Message) -> None:
        self.messages.append(message)
        if message.name == SENT and message.role == "user":
            taken = next((one for one, text in self.sent.items() if text == message.content), None)
            self.sent.pop(taken or "", None)

    @property
    def was_steered(self) -> bool:
        """True once its model was given what a person sent on the way."""
        return any(one.name == SENT and one.role == "user" for one in tuple(self.messages))

    def _join_pieces(self) -> None:
        """Make one piece of those that came lately; whoever reads meanwhile has the one list or the other."""
        joined = self._joined
        self._pieces = [*self._pieces[:joined], "".join(self._pieces[joined:])]
        self._joined = joined + 1

    def _keep_text_once(self) -> None:
        """Let the text be the last message's own string, where that says the same."""
        text = self.text
        said = self.messages[-1].content if self.messages else None
        self._pieces = [] if not text else [said if type(said) is str and said == text else text]
        self._joined = len(self._pieces)

    def move(self, queue_position: int | None) -> None:
        """Set its place among the model calls that wait, None once it goes. It is shown, and no event."""
        self.queue_position = queue_position
        self.version += 1

    def wait_for(self, earlier: EarlierRun | None, *, others_wait: bool = False) -> None:
        """Know the run that it has to wait for, and whether others wait for it. It is shown, and no event."""
        self.waits_for, self.others_wait = earlier, others_wait
        self.version += 1

    def note(self, text: str) -> None:
        """Keep a notice of something that came after the end, which no event can say."""
        self.notices.append(text)
        self.version += 1

    def join(self, member: RunRecord | RunOutput) -> None:
        """Take in a run that this one has started, or another attempt of it."""
        run_id = _id_of(member)
        known = [_id_of(one) for one in self.member_responses]
        if run_id in known:
            self.member_responses[known.index(run_id)] = member
        else:
            self.member_responses.append(member)
        self.version += 1

    def leave(self, member: RunRecord) -> None:
        """Take out a run that never was: its id was taken."""
        self.member_responses = [one for one in self.member_responses if one is not member]
        self.version += 1

    @property
    def whole_version(self) -> int:
        """A number that grows with every event of the run and of those under it."""
        live = [one for one in tuple(self.member_responses) if isinstance(one, RunRecord)]
        return self.version + sum(one.whole_version for one in live)

    @property
    def text_step(self) -> int:
        """The step that the text so far belongs to; 0 before any."""
        return self._text_of

    @property
    def status(self) -> RunStatus:
        """Where the run stands now."""
        if self.end is not None:
            return status_of(self.end.stop_reason, self.end.error)
        if self.waiting:
            return RunStatus.paused
        return RunStatus.pending if self.started_at is None else RunStatus.running

    @property
    def pending_approvals(self) -> tuple[PendingApproval, ...]:
        """The calls that wait for a person; none once the run has ended."""
        return tuple(self.waiting.values()) if self.end is None else ()

    @property
    def text(self) -> str:
        """The answer's text so far, raw: before any validation."""
        return "".join(tuple(self._pieces))

    @property
    def content(self) -> Any:
        """The typed value of a validated answer, else the text (so far)."""
        end = self.end
        if end is None or (end.content is None and not end.output_valid):
            return self.text
        return end.content if end.typed is None else end.typed.value

    @property
    def output_schema(self) -> TypedOutput | None:
        """The schema that the answer has: the run's own, else that of the member whose answer it is."""
        if self.reused_schema is not None:
            return self.reused_schema
        by = self.end.answered_by if self.end is not None else None
        if self.launch.output_schema is None and by is not None:
            for member in self.member_responses:
                if isinstance(member, RunRecord) and member.launch.run_id == by:
                    return member.output_schema
        return self.launch.output_schema

    @property
    def content_type(self) -> str:
        """The type's name of a validated answer, else "text"."""
        if self.end is None or not self.end.output_valid:
            return "text"
        return self.output_schema.content_type if self.output_schema is not None else "json"

    @property
    def metrics(self) -> RunMetrics:
        """The run's metrics so far; a team's are those of everything under it."""
        model_calls, tool_calls = paid_calls(
            self, self.tool_calls_as_asked(), team=self.launch.kind == "team"
        )
        return metrics_of(
            model_calls,
            tool_calls,
            created_at=self.launch.resumed_at or self.launch.created_at,
            started_at=self.started_at,
            finished_at=self.end.finished_at if self.end else None,
            paused_s=self.paused_s(utc_now()),
            earlier=self.launch.earlier,
            free=self.cached_from is not None,
        )

    def snapshot(self) -> RunOutput:
        """The run as it stands, frozen; any thread."""
        end = self.end
        taken = self._as_it_stands(end)
        # the end may have come in the meantime: half of the picture would be of before it
        return taken if self.end is end else self._as_it_stands(self.end)

    def _as_it_stands(self, end: RunFinished | None) -> RunOutput:
        launch = self.launch
        texts, asked = launch.keeps_texts, self.tool_calls_as_asked()
        typed = end.typed if end is not None and texts else None
        output = RunOutput(
            run_id=launch.run_id,
            session_id=launch.session_id,
            status=self.status,
            agent_name=launch.agent_name,
            kind=launch.kind,
            label=launch.label,
            parent_run_id=launch.parent_run_id,
            provider=launch.provider,
            model=launch.model,
            prompt=launch.prompt if texts else None,
            content=self.content if texts else None,
            content_type=self.content_type if texts else "text",
            output_valid=end.output_valid if end else None,
            stop_reason=end.stop_reason if end else None,
            error_type=end.error_type if end else None,
            error=end.error if end else None,
            traceback=end.traceback if end else None,
            attempt=launch.attempt,
            cached_from=self.cached_from,
            forked_from=launch.forked[0] if launch.forked is not None else None,
            forked_step=launch.forked[1] if launch.forked is not None else None,
            created_at=launch.created_at,
            started_at=self.started_at,
            finished_at=end.finished_at if end else None,
            metrics=self.metrics,
            messages=tuple(self.messages) if texts else (),
            model_calls=tuple(self.model_calls),
            tool_calls=tuple(asked if texts else map(without_texts, asked)),
            pending_approvals=self.pending_approvals,
            member_responses=tuple(
                one.snapshot() if isinstance(one, RunRecord) else one for one in tuple(self.member_responses)
            ),
        )
        return output.with_answer_json(typed.json) if typed is not None else output

    def tool_calls_as_asked(self) -> tuple[ToolCall, ...]:
        """Return the finished tool calls in the order of their requests; `tool_calls` is in order of ends."""
        return in_asked_order(tuple(self.tool_calls), tuple(self.messages))


def without_texts(call: ToolCall) -> ToolCall:
    """Return a tool call without what it was given and what it gave."""
    return replace(call, arguments="", result=None)


def _id_of(run: RunRecord | RunOutput) -> str:
    return run.launch.run_id if isinstance(run, RunRecord) else run.run_id
