"""Budgets of the record: all processes on it together stop at the amount, and say so."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import nbagent as nb
from nbagent import Agent, Limits, OpenAIChat, RunStatus
from nbagent.errors import BudgetError, UnknownOptionError
from nbagent.events import ModelCall, Usage
from nbagent.models import dearest_usd, may_cost
from nbagent.runtime import allowance_of, current
from nbagent.store import BudgetAccount, BudgetShare, period_of
from tests.provider.chat_wire import USAGE, chunk, end, text_reply, tool_reply
from tests.provider.server import ScriptedProvider
from tests.runtime.budget_spender import spender

Until = Callable[[Callable[[], bool]], None]
ROOT = Path(__file__).resolve().parents[2]
CALL_USD = 0.01


def priced_at(usd: float) -> dict[str, dict[str, float]]:
    """A price table by which each call of the scripted model costs so much."""
    return {"openai-chat:scripted-1": {"input": 0.0, "output": usd / USAGE["completion_tokens"] * 1e6}}


PRICES = priced_at(CALL_USD)


@pytest.fixture
def priced(monkeypatch: pytest.MonkeyPatch, provider: ScriptedProvider) -> Agent:
    """An agent each of whose calls costs a cent, here and in processes that the test starts."""
    monkeypatch.setenv("NBAGENT_PRICES", json.dumps(PRICES))
    provider.otherwise(text_reply("Yes."))
    return spender(provider.base_url)


def spent() -> float:
    """What the record's only budget says is spent."""
    (one,) = nb.budget()
    return one.spent_usd


def test_a_used_up_budget_refuses_launches_and_names_what_to_do(
    priced: Agent, provider: ScriptedProvider
) -> None:
    """The call that reaches the amount is the last one; a higher amount lets runs go on."""
    assert [repr(one) for one in nb.budget(2 * CALL_USD, per="day")] == ["<Budget $0.00 of $0.02 a day>"]
    priced.run("One")
    priced.run("Two")
    with pytest.raises(
        BudgetError, match=r"budget of \$0.02 a day is used up: \$0.02 is spent\nraise it with"
    ) as told:
        priced.start("Three")
    assert 'nb.budget(0.04, per="day"), or wait for the next day of UTC' in told.value.todo
    assert len(provider.requests) == 2
    nb.budget(1, per="day")
    assert priced.run("Three").status is RunStatus.completed
    assert spent() == pytest.approx(0.03)
    assert nb.budget(None, per="day") == nb.budget() == []
    assert priced.run("Four").status is RunStatus.completed


def test_an_answer_from_the_record_costs_nothing(priced: Agent, provider: ScriptedProvider) -> None:
    """It is given while the budget is used up; a prompt that would have to be asked ends its run."""
    nb.budget(CALL_USD)
    first = priced.run("One", cache="use")
    again = priced.start("One", cache="replay")
    assert (again.result(timeout=60).content, again.cached_from) == (first.content, first.run_id)
    assert priced.start("Two", cache="use").wait(timeout=60).stop_reason == "max_cost"
    assert len(provider.requests) == 1


def test_a_running_run_ends_at_its_next_step(priced: Agent, provider: ScriptedProvider) -> None:
    """It keeps what it has, ends as max_cost with the budget's name, and goes on after a raise."""

    def look() -> str:
        """Look."""
        return "seen"

    priced.tools = [look]
    nb.budget(2 * CALL_USD)
    provider.reply(tool_reply(("look", {})), tool_reply(("look", {})), text_reply("Done."))
    run = priced.start("Look twice")
    output = run.wait(timeout=60)
    assert (output.status, output.stop_reason, output.error_type) == (
        RunStatus.error,
        "max_cost",
        "BudgetError",
    )
    assert str(output.error).startswith(
        "the budget of $0.02 is used up: $0.02 is spent\nraise it with nb.budget"
    )
    assert [call.result for call in output.tool_calls] == ["seen", "seen"]
    nb.budget(1)
    assert run.resume().result(timeout=60).content == "Done."


def test_what_costs_nothing_goes_on(provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo, and a server on this machine without a price, work while the budget is used up."""
    monkeypatch.setenv("NBAGENT_PRICES", json.dumps(PRICES))
    nb.budget(CALL_USD)
    provider.otherwise(text_reply("Yes."))
    spender(provider.base_url).run("One")
    with pytest.raises(BudgetError):
        spender(provider.base_url).run("Two")
    local = Agent(model=OpenAIChat(id="local-1", base_url=provider.base_url, api_key="not-needed"))
    name = {"model": "local-1"}  # the server calls its model as it was asked for
    reply = (chunk({"content": "Yes."}, **name), chunk({}, finish="stop", **name), chunk(usage=USAGE, **name))
    provider.reply((*reply, *end()[-1:]))
    assert local.run("Here").content == "Yes."
    assert Agent(model="demo:assistant").run("What is the capital of Japan?").status is RunStatus.completed
    assert spent() == pytest.approx(CALL_USD)


@pytest.mark.parametrize("provider_name", ["openai", "anthropic", "deepseek"])
def test_a_call_without_a_price_counts_as_the_dearest(provider_name: str) -> None:
    """Whatever a new model's name is, it counts as what its provider's dearest known model would cost."""
    nb.budget(1_000_000)
    usage = Usage(input_tokens=1000, output_tokens=1000)
    call = ModelCall(
        step=1, attempt=1, provider=provider_name, request_model="unheard-of-9", status="completed",
        started_at=datetime.now(UTC), duration_s=0.1, usage=usage,
    )  # fmt: skip

    async def charge() -> None:
        allowance_of(current().store).charge(call)

    current().thread.submit(charge()).result(60)
    current().store.flush(60)
    dearest = dearest_usd(provider_name, usage)
    assert dearest is not None
    assert dearest > 0
    assert spent() == pytest.approx(dearest)


class Unlisted:
    """A model of a provider that no price list knows."""

    provider, id = "nobody-lists", "x"

    def check(self) -> None:
        """Be ready."""

    def stream(self, request: Any) -> Any:
        """Be asked, which must not happen."""
        raise AssertionError(request)


@pytest.mark.parametrize(
    ("model", "unknown"),
    [
        (OpenAIChat(id="unheard-of-9", api_key="k", base_url="http://192.0.2.1:9/v1"), "refuse"),
        (Unlisted(), "dearest"),
        (Unlisted(), "refuse"),
    ],
    ids=["refuse", "no model has a price", "both"],
)
def test_a_call_that_no_price_can_be_put_on_is_refused(model: Any, unknown: Any) -> None:
    """With unknown="refuse", or where no model of the provider has a known price; nothing is sent."""
    nb.budget(5, unknown=unknown)
    assert may_cost(model)
    output = Agent(model=model, limits=Limits(model_retries=0)).start("Go").wait(timeout=60)
    assert output.stop_reason == "max_cost"
    assert "nobody knows what" in str(output.error)
    assert "\nsay its price with %config NBAgent.prices" in str(output.error)


def test_at_four_fifths_a_line_is_said_once(priced: Agent, capsys: pytest.CaptureFixture[str]) -> None:
    """Not before, and not again."""
    nb.budget(10 * CALL_USD, per="month")
    for _ in range(7):
        priced.run("Go")
    assert "budget" not in "".join(capsys.readouterr())
    for _ in range(2):
        priced.run("Go")
    said = "".join(capsys.readouterr())  # under the cell where an earlier test left a shell
    assert said.count("80% of the budget of $0.10 a month is spent ($0.08)") == 1
    assert said.count("budget") == 1


def test_what_the_record_has_of_the_period_counts(priced: Agent) -> None:
    """A day's or month's budget counts what was spent in it before; one without a period counts from now on."""
    priced.run("Before")
    amounts = {one.per: one.spent_usd for per in ("day", "month", None) for one in nb.budget(1, per=per)}
    assert amounts == pytest.approx({"day": CALL_USD, "month": CALL_USD, None: 0.0})
    priced.run("After")
    assert [one.spent_usd for one in nb.budget()] == pytest.approx([2 * CALL_USD, 2 * CALL_USD, CALL_USD])


@pytest.mark.parametrize(
    ("given", "refused"),
    [
        ({"amount_usd": 0}, "the budget is 0\ngive dollars"),
        ({"amount_usd": float("nan")}, "the budget is nan\ngive dollars"),
        ({"amount_usd": True}, "the budget is True\ngive dollars"),
        ({"amount_usd": "5/day"}, "the budget is '5/day'\ngive dollars"),
        ({"amount_usd": 5, "per": "week"}, 'per is \'week\'\ngive "day", "month"'),
        ({"amount_usd": 5, "unknown": 0}, 'unknown is 0\ngive "dearest"'),
    ],
)
def test_what_is_no_budget_is_refused(given: dict[str, Any], refused: str) -> None:
    """In two lines; nothing is set."""
    with pytest.raises(UnknownOptionError, match=refused):
        nb.budget(**given)
    assert nb.budget() == []


@pytest.mark.parametrize(
    ("at", "day", "month"),
    [
        ("2026-12-01T00:30:00+01:00", "2026-11-30", "2026-11"),
        ("2026-12-31T23:59:59+00:00", "2026-12-31", "2026-12"),
        ("2024-02-29T23:30:00-05:00", "2024-03-01", "2024-03"),
    ],
)
def test_periods_are_of_utc(at: str, day: str, month: str) -> None:
    """Wherever the machine's clock is."""
    moment = datetime.fromisoformat(at)
    assert (period_of("day", moment), period_of("month", moment), period_of("total", moment)) == (
        day,
        month,
        "",
    )


def test_many_runs_at_once_pass_it_by_those_under_way(priced: Agent, provider: ScriptedProvider) -> None:
    """Of forty runs that go at the same time no more calls are sent than fit, and those that were under way."""
    nb.budget(10 * CALL_USD)
    runs = []
    with contextlib.suppress(BudgetError):  # a late launch may be refused already
        for n in range(40):
            runs.append(priced.start(f"Go {n}"))  # noqa: PERF401 - those before it count
    ends = [run.wait(timeout=120).stop_reason for run in runs]
    assert set(ends) <= {"end", "max_cost"}
    assert ends.count("end") == len(provider.requests)
    assert 10 <= len(provider.requests) <= 10 + 32
    assert spent() == pytest.approx(len(provider.requests) * CALL_USD)


# ------------------------------------------------------------------------- processes


def child(provider: ScriptedProvider, *how: str) -> subprocess.Popen[str]:
    """Start another process on the record."""
    command = [sys.executable, "-m", "tests.runtime.budget_spender", provider.base_url, *how]
    return subprocess.Popen(command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def four_processes_spend_a_dollar(provider: ScriptedProvider, usd: float) -> None:
    """Four processes launch until they are refused: together they stop at a dollar, plus the calls under way."""
    at_once = 2
    nb.budget(1)
    children = [child(provider, str(at_once)) for _ in range(4)]
    said = [one.communicate(timeout=300)[0].strip() for one in children]
    completed = sum(int(line.split(" ", 1)[0]) for line in said)
    assert all("the budget of $1.00 is used up" in line for line in said), said
    calls = len(provider.requests)
    assert completed == calls
    assert 1 <= calls * usd + 1e-9 <= 1 + 4 * at_once * usd, said
    assert spent() == pytest.approx(calls * usd)
    assert nb.sql("select sum(cost_usd) as usd from model_calls")["usd"][0] == pytest.approx(calls * usd)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("round_", range(2))
def test_four_processes_stop_at_a_dollar(
    priced: Agent, provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch, round_: int
) -> None:
    """They reach it, and pass it by the calls under way at most; the record, the server and the budget agree."""
    usd = 0.04 + 0.01 * round_
    monkeypatch.setenv("NBAGENT_PRICES", json.dumps(priced_at(usd)))
    four_processes_spend_a_dollar(provider, usd)


@pytest.mark.soak
@pytest.mark.parametrize("round_", range(20))
def test_four_processes_stop_at_a_dollar_always(
    priced: Agent, provider: ScriptedProvider, round_: int
) -> None:
    """The same with calls of a cent, twenty times."""
    four_processes_spend_a_dollar(provider, CALL_USD)


def test_the_slice_of_a_killed_process_comes_back(priced: Agent, provider: ScriptedProvider) -> None:
    """While it lives others get the rest; once it is killed all that it had not spent."""
    nb.budget(1)
    holder = child(provider, "hold", "0.75")
    assert holder.stdout is not None
    assert holder.stdout.readline().strip() == "0.75"

    def given() -> float:
        share = BudgetShare(per="total", period="", spent_usd=0.0, wanted_usd=1.0)
        (state,) = current().store.submit(BudgetAccount(shares=(share,))).result(60)
        return float(state.held_usd)

    assert given() == pytest.approx(0.25)
    holder.kill()
    holder.communicate(timeout=60)
    assert given() == pytest.approx(0.75)


def test_what_is_held_and_not_used_is_given_back(priced: Agent, until: Until) -> None:
    """Once no call is under way a process holds no more than it has spent."""
    nb.budget(1)
    priced.run("One")
    held = "select held_usd - spent_usd as unused from budget_shares"
    until(lambda: [round(row["unused"], 9) for row in current().store.read(held)] == [0.0])
