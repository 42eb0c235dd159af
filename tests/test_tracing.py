"""Spans of runs through the user's own OpenTelemetry set-up: the tree, the names, and nothing while traces are off."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from nbagent import Agent, Limits, OpenAIChat, settings, tracing
from nbagent.errors import ConfigurationError
from tests.provider.chat_wire import text, text_reply, tool_reply
from tests.provider.server import ScriptedProvider
from tests.provider.steps import Gate, Silence, Wait, error
from tests.runtime.scripted_team import Cast, asks, member, team
from tests.runtime.scripted_team import model as part

EXPORTER = InMemorySpanExporter()


@pytest.fixture(scope="module", autouse=True)
def _user_set_up() -> None:
    """What a user does once in a process; OpenTelemetry takes no second one."""
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(EXPORTER))
    trace.set_tracer_provider(provider)


@pytest.fixture
def on() -> Iterator[InMemorySpanExporter]:
    """Traces are on, and nothing is left over from another test."""
    EXPORTER.clear()
    settings.configure("traces", "on")
    yield EXPORTER
    settings.configure("traces", None)


@pytest.fixture
def model(provider: ScriptedProvider) -> OpenAIChat:
    """The scripted provider's model."""
    return OpenAIChat(id="m", base_url=provider.base_url, api_key="not-needed")


def spans(exporter: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    """Finished spans by name; names are told apart by their order."""
    found: dict[str, ReadableSpan] = {}
    for span in sorted(exporter.get_finished_spans(), key=lambda one: one.start_time or 0):
        name = span.name
        while name in found:
            name += "'"
        found[name] = span
    return found


def parent_of(found: dict[str, ReadableSpan], name: str) -> str | None:
    """The name of a span's parent."""
    parent = found[name].parent
    if parent is None:
        return None
    return next(other for other, span in found.items() if span.context.span_id == parent.span_id)


def test_the_tree_of_a_team_run(
    on: InMemorySpanExporter, provider: ScriptedProvider, model: OpenAIChat
) -> None:
    """A member's run lies under the tool call that started it, that under the leader's run, that under the user's span."""
    member = Agent(model=model, name="member")

    def delegate(task: str) -> str:
        """Hand a task over.

        Args:
            task: What to do.
        """
        with trace.get_tracer("mine").start_as_current_span("my own work"):
            pass
        return str(member.start(task).result(60).content)

    provider.reply(tool_reply(("delegate", {"task": "Look."})), text_reply("seen"), text_reply("done"))
    leader = Agent(model=model, name="leader", tools=[delegate])
    with trace.get_tracer("mine").start_as_current_span("my cell"):
        output = leader.start("Go.", session_id="s").result(60)
    assert output.content == "done"
    found = spans(on)
    assert {name: parent_of(found, name) for name in found} == {
        "my cell": None,
        "invoke_agent leader": "my cell",
        "chat m": "invoke_agent leader",
        "execute_tool delegate": "invoke_agent leader",
        "my own work": "execute_tool delegate",
        "invoke_agent member": "execute_tool delegate",
        "chat m'": "invoke_agent member",
        "chat m''": "invoke_agent leader",
    }
    assert len({span.context.trace_id for span in found.values()}) == 1
    attributes = dict(found["invoke_agent leader"].attributes or {})
    assert attributes["gen_ai.operation.name"] == "invoke_agent"
    assert attributes["gen_ai.conversation.id"] == "s"
    assert attributes["nbagent.run_id"] == output.run_id
    assert attributes["gen_ai.usage.input_tokens"] == output.metrics.input_tokens
    chat = dict(found["chat m"].attributes or {})
    assert (chat["gen_ai.operation.name"], chat["gen_ai.request.model"]) == ("chat", "m")
    assert chat["gen_ai.usage.output_tokens"] == output.model_calls[0].usage.output_tokens
    tool = dict(found["execute_tool delegate"].attributes or {})
    assert tool["gen_ai.tool.call.id"] == output.tool_calls[0].tool_call_id
    assert all((span.start_time or 0) <= (span.end_time or 0) for span in found.values())
    assert "Look." not in str([dict(span.attributes or {}) for span in found.values()])


def test_members_that_work_at_the_same_time_stay_apart(
    on: InMemorySpanExporter, provider: ScriptedProvider, model: OpenAIChat
) -> None:
    """Two tool calls of one step each hold the run that they started."""
    member = Agent(model=model)

    def one(task: str) -> str:
        """Hand a task over."""
        return str(Agent(model=model, name="first").start(task).result(60).content)

    def two(task: str) -> str:
        """Hand a task over."""
        return str(Agent(model=model, name="second").start(task).result(60).content)

    del member
    provider.reply(tool_reply(("one", {"task": "a"}), ("two", {"task": "b"})))
    provider.otherwise(text_reply("yes"))
    Agent(model=model, name="leader", tools=[one, two]).start("Go.").result(60)
    found = spans(on)
    assert parent_of(found, "invoke_agent first") == "execute_tool one"
    assert parent_of(found, "invoke_agent second") == "execute_tool two"


def branches(exporter: InMemorySpanExporter) -> Counter[tuple[str, ...]]:
    """Each finished span as the names from the root down to it, however many there are of each."""
    found = {one.context.span_id: one for one in exporter.get_finished_spans()}

    def names(span: ReadableSpan) -> tuple[str, ...]:
        above = names(found[span.parent.span_id]) if span.parent is not None else ()
        return (*above, span.name)

    return Counter(map(names, found.values()))


def test_the_tree_of_a_teams_run(on: InMemorySpanExporter, provider: ScriptedProvider) -> None:
    """A team of a member and a team: each member's run lies under the call that handed it its task, once each."""
    url = provider.base_url
    Cast(
        provider,
        leader=[asks(("ann", "A"), ("inner", "I")), text_reply("all")],
        chief=text_reply("merged"),
        ann=[error(503, "busy", headers={"retry-after": "0"}), text_reply("a")],
        bob=(*text("so far"), Silence()),
    )
    slow = member(url, "bob", limits=Limits(model_retries=0, timeout_s=0.3))
    inner = team(url, name="inner", model=part(url, "chief"), mode="broadcast", members=[slow])
    ann = member(url, "ann", limits=Limits(model_retries=1))
    output = team(url, members=[ann, inner]).start("Go", session_id="s").result(60)
    desk, handed = "invoke_agent desk", "execute_tool delegate_to_"
    of_ann = (desk, f"{handed}ann", "invoke_agent ann")
    of_inner = (desk, f"{handed}inner", "invoke_agent inner")
    of_bob = (*of_inner, f"{handed}bob", "invoke_agent bob")
    assert branches(on) == {
        (desk,): 1,
        (desk, "chat leader"): 2,
        of_ann[:2]: 1,
        of_ann: 1,
        (*of_ann, "chat ann"): 2,
        of_inner[:2]: 1,
        of_inner: 1,
        (*of_inner, "chat chief"): 1,
        of_bob[:4]: 1,
        of_bob: 1,
        (*of_bob, "chat bob"): 1,
    }
    spans_of = {dict(one.attributes or {}).get("nbagent.run_id"): one for one in on.get_finished_spans()}
    (stopped,) = output.member_responses[1].member_responses
    assert dict(spans_of[stopped.run_id].attributes or {})["nbagent.status"] == "timeout"
    assert spans_of[stopped.run_id].status.status_code is StatusCode.ERROR
    assert spans_of[output.run_id].status.status_code is not StatusCode.ERROR
    assert len({one.context.trace_id for one in on.get_finished_spans()}) == 1
    tokens = sum(dict(one.attributes or {}).get("gen_ai.usage.output_tokens", 0) for one in chats(on))
    assert tokens == output.metrics.output_tokens


def test_a_cancelled_teams_spans_all_end(on: InMemorySpanExporter, provider: ScriptedProvider) -> None:
    """Cancelled while both members work: every span of the tree is ended, as cancelled."""
    hang = (*text("Hm"), Silence())
    Cast(provider, leader=asks(("ann", "A"), ("bob", "B")), ann=hang, bob=hang)
    run = team(provider.base_url, "ann", "bob").start("Go")
    provider.wait_for_requests(3)
    run.cancel()
    run.wait(60)
    names = Counter(branch[-1] for branch in branches(on).elements())
    assert names["invoke_agent ann"] == names["invoke_agent bob"] == names["invoke_agent desk"] == 1
    ends = {one.name: one.status.status_code for one in on.get_finished_spans()}
    assert ends.pop("chat leader") is not StatusCode.ERROR
    assert set(ends.values()) == {StatusCode.ERROR}


def chats(exporter: InMemorySpanExporter) -> list[ReadableSpan]:
    """The spans of model calls."""
    return [one for one in exporter.get_finished_spans() if one.name.startswith("chat ")]


def test_failures_and_retries_are_spans_with_an_error(
    on: InMemorySpanExporter, provider: ScriptedProvider, model: OpenAIChat
) -> None:
    """Each try is a span of its own; a failed one has its error's type, and so has the run."""
    provider.reply(error(503, "busy", headers={"retry-after": "0"}), error(400, "no"))
    Agent(model=model, limits=Limits(model_retries=1)).start("Go.").wait(60)
    found = spans(on)
    assert {name: span.status.status_code for name, span in found.items()} == dict.fromkeys(
        ["invoke_agent agent", "chat m", "chat m'"], StatusCode.ERROR
    )
    assert dict(found["chat m"].attributes or {})["error.type"] == "ProviderOverloadedError"
    assert dict(found["invoke_agent agent"].attributes or {})["error.type"] == "ProviderRefusedError"


def test_a_cancelled_run_ends_its_spans(
    on: InMemorySpanExporter, provider: ScriptedProvider, model: OpenAIChat
) -> None:
    """Whatever was under way ends with the run."""
    gate = Gate()
    provider.reply((Wait(gate), *text_reply("late")))
    run = Agent(model=model).start("Go.")
    provider.wait_for_requests(1)
    run.cancel()
    run.wait(60)
    found = spans(on)
    assert set(found) == {"invoke_agent agent", "chat m"}
    assert dict(found["invoke_agent agent"].attributes or {})["nbagent.status"] == "cancelled"
    gate.open()


def test_traces_are_off_by_default(provider: ScriptedProvider, model: OpenAIChat) -> None:
    """No span is made, and OpenTelemetry is not asked."""
    EXPORTER.clear()
    provider.reply(text_reply("yes"))
    Agent(model=model).start("Go.").result(60)
    assert EXPORTER.get_finished_spans() == ()


@pytest.mark.usefixtures("on")
def test_without_opentelemetry_a_launch_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, model: OpenAIChat
) -> None:
    """Traces that are on and cannot be made are a mistake that is found at the launch."""
    monkeypatch.setattr(tracing, "_installed", lambda: False)
    with pytest.raises(ConfigurationError, match="opentelemetry-api is not installed"):
        Agent(model=model).start("Go.")


class Broken(SpanProcessor):
    """A user's processor that raises."""

    armed = False

    def on_start(self, span: Any, parent_context: Any = None) -> None:  # noqa: ARG002 - OpenTelemetry's signature
        if self.armed:
            raise RuntimeError("no exporter today")


def test_a_broken_set_up_hurts_no_run(
    on: InMemorySpanExporter, provider: ScriptedProvider, model: OpenAIChat
) -> None:
    """A processor that raises cuts the trace off; the run completes and a notice says so."""
    broken = Broken()
    tracer_provider = trace.get_tracer_provider()
    assert isinstance(tracer_provider, TracerProvider)
    tracer_provider.add_span_processor(broken)
    broken.armed = True
    provider.reply(text_reply("yes"))
    run = Agent(model=model).start("Go.")
    output = run.result(60)
    broken.armed = False
    assert output.content == "yes"
    assert run.record is not None
    assert any("no exporter today" in notice for notice in run.record.notices)
