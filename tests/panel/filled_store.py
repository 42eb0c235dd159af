"""A store with runs of every kind, written through the store's own door: for tests, screenshots and benchmarks.

`python -m tests.panel.filled_store PATH COUNT` fills a file in a process of its own, whose runs have then ended.
"""

from __future__ import annotations

import sys
from concurrent.futures import wait
from datetime import UTC, datetime, timedelta
from typing import Any

from nbagent.events import Message, ModelCall, ToolCall, ToolRequest, Usage
from nbagent.store import AppendRows, Finish, Launch, Store

AGENTS = ("analyst", "writer", "classifier", "desk")
MODELS = (("openai", "gpt-5-mini"), ("deepseek", "deepseek-chat"), ("ollama", "qwen3:8b"))
PROMPTS = (
    "What moved the price of copper this week?",
    "Summarise the minutes of the meeting in five points.",
    "Classify: the screen arrived with a scratch, but support was quick",
    "Which of these suppliers delivers to Rotterdam?",
)
ANSWERS = (
    "Copper rose by 2.1 % on supply worries in Chile, then gave half of it back on Thursday.",
    "The board approved the budget, postponed the move and asked for a new estimate by March.",
    "mixed: delivery negative, support positive",
    "Three of the five do: Halvorsen, Mendes and Brightwater.",
)
_ENDS = ("completed",) * 14 + (
    "error",
    "completed",
    "cancelled",
    "completed",
    "timeout",
    "completed",
    "interrupted",
)
_REASONS = {"completed": "end", "interrupted": "kernel_died"}


def model_call(number: int, at: datetime, **given: Any) -> ModelCall:
    """A finished model call; every fifth has no known price."""
    provider, model = MODELS[number % len(MODELS)]
    tokens = Usage(
        input_tokens=200 + number % 700,
        output_tokens=40 + number % 300,
        total_tokens=240 + number % 700 + number % 300,
    )
    plain: dict[str, Any] = {
        "provider": provider, "request_model": model, "step": 1, "attempt": 1, "status": "completed", "started_at": at, "duration_s": 1.2 + number % 7,
        "ttft_s": 0.3, "usage": tokens, "cost_usd": None if number % 5 == 0 else 0.0004 + (number % 90) / 10_000,
    }  # fmt: skip
    return ModelCall(**(plain | given))


def launch(number: int, at: datetime, **given: Any) -> Launch:
    """A launch row."""
    provider, model = MODELS[number % len(MODELS)]
    plain = {
        "run_id": f"run-{number:06}", "session_id": f"session-{number % 40}", "turn": 1 + number // 40,
        "agent_name": AGENTS[number % len(AGENTS)], "provider": provider, "model": model, "kind": "agent",
        "prompt": PROMPTS[number % len(PROMPTS)], "created_at": at, "label": f"q{number}" if number % 3 == 0 else None,
        "spec": {"name": AGENTS[number % len(AGENTS)]},
    }  # fmt: skip
    return Launch(plain | given)


def end(number: int, at: datetime, status: str | None = None, **given: Any) -> Finish:
    """An end with its model call."""
    status = status or _ENDS[number % len(_ENDS)]
    took = timedelta(seconds=1.2 + number % 7)
    error = "the provider 'openai' is overloaded: 429\ntry again later, or raise model_retries"
    values = {
        "status": status, "stop_reason": _REASONS.get(status, status), "started_at": at, "finished_at": at + took,
        "content": ANSWERS[number % len(ANSWERS)] if status == "completed" else None,
        "error": error if status in ("error", "timeout") else None,
        "traceback": "Traceback (most recent call last):\n  ..." if status == "error" else None,
    }  # fmt: skip
    return Finish(
        run_id=given.pop("run_id", f"run-{number:06}"),
        session_id=f"session-{number % 40}",
        turn=1 + number // 40,
        end=values,
        model_calls=(model_call(number, at),) if status != "interrupted" else (),
        **given,
    )


def fill(store: Store, count: int, *, batch: int = 0, team: bool = False) -> None:
    """Write `count` ended runs, a minute apart up to now, and if asked a batch of that many and a team with members."""
    now = datetime.now(UTC)
    futures = []
    for number in range(count):
        at = now - timedelta(minutes=count - number)
        futures += [store.submit(launch(number, at)), store.submit(end(number, at))]
    for row in range(batch):
        run_id = f"batch-{row:06}"
        given = {
            "run_id": run_id,
            "batch_id": "reviews",
            "row_key": str(row),
            "label": "labels",
            "model": "gpt-5-mini",
        }
        futures.append(store.submit(launch(2, now - timedelta(seconds=40), **given)))
        if row < batch * 0.64:
            status = "error" if row % 29 == 28 else "completed"
            futures.append(store.submit(end(row, now - timedelta(seconds=40), status, run_id=run_id)))
    if team:
        futures += _team(store, now - timedelta(seconds=90))
    wait(futures, 120)
    assert all(one.done() and not one.exception() for one in futures)


def _team(store: Store, at: datetime) -> list[Any]:
    request = ToolRequest(tool_call_id="t1", name="price", arguments='{"symbol": "NVDA", "days": 5}')
    messages = (
        Message(role="system", content="You lead a desk of analysts."),
        Message(role="user", content="What moved NVDA this week?"),
        Message(role="assistant", content="", tool_requests=(request,)),
        Message(role="tool", content='{"close": 182.4, "change": 0.031}', tool_call_id="t1", name="price"),
        Message(role="assistant", content="NVDA rose 3.1 %."),
    )
    tool = ToolCall(
        step=1, tool_call_id="t1", name="price", arguments=request.arguments, status="completed",
        started_at=at + timedelta(seconds=2), duration_s=0.8, result='{"close": 182.4, "change": 0.031}',
    )  # fmt: skip
    calls = (
        model_call(1, at, duration_s=1.9, finish_reason="tool_calls"),
        model_call(1, at + timedelta(seconds=3), step=2, duration_s=2.6, ttft_s=0.6, cost_usd=0.0042),
    )
    answer = "# NVDA this week\n\nThe stock rose **3.1 %** to $182.40.\n\n| driver | effect |\n|---|---|\n"
    answer += "| earnings of a supplier | up |\n| export rules | down |\n\n- volume was above average\n- see `price(symbol='NVDA')`\n"
    done = {
        "status": "completed",
        "stop_reason": "end",
        "started_at": at,
        "finished_at": at + timedelta(seconds=5.6),
    }
    futures = [
        store.submit(launch(7, at, run_id="team-1", label="view", agent_name="desk", session_id="q3", turn=1, kind="team", prompt="What moved NVDA this week?")),
        store.submit(
            AppendRows(run_id="team-1", session_id="q3", turn=1, model_calls=calls, tool_calls=(tool,), messages=tuple(enumerate(messages)))
        ),
    ]  # fmt: skip
    for number, name in enumerate(("news", "prices")):
        given = {
            "run_id": f"team-1-{name}",
            "label": None,
            "agent_name": name,
            "parent_run_id": "team-1",
            "session_id": "q3",
        }
        futures.append(store.submit(launch(number + 1, at + timedelta(seconds=1), turn=1, **given)))
        futures.append(
            store.submit(end(number + 1, at + timedelta(seconds=1), "completed", run_id=given["run_id"]))
        )
    futures.append(store.submit(Finish(run_id="team-1", end={**done, "content": answer})))
    return futures


HOSTILE = (
    "</pre></div></td><img src=x onerror='window.pwned=1'><script>window.pwned=1</script>"
    "<svg onload='window.pwned=1'></svg><style>body{display:none}</style>"
    "[click](javascript:window.pwned=1) ![pixel](http://127.0.0.1:9/pixel.png) "
    "<div style='position:fixed;inset:0' onmouseover='window.pwned=1'>over</div> \x1b[31mred\x1b[0m \u202e\u2066 "
    + "W"
    * 3000
)


def fill_hostile(store: Store) -> None:
    """Write runs whose every text is hostile: names, prompt, answer, tool call, error, traceback, batch, session."""
    at = datetime.now(UTC) - timedelta(minutes=1)
    names = {
        "label": HOSTILE,
        "agent_name": HOSTILE,
        "provider": HOSTILE,
        "model": HOSTILE,
        "prompt": HOSTILE,
    }
    request = ToolRequest(tool_call_id=HOSTILE, name=HOSTILE, arguments=HOSTILE)
    tool = ToolCall(
        step=1, tool_call_id=HOSTILE, name=HOSTILE, arguments=HOSTILE, status="error", error=HOSTILE, result=HOSTILE,
        started_at=at, duration_s=0.2,
    )  # fmt: skip
    messages = (
        Message(role="user", content=HOSTILE),
        Message(role="assistant", content=HOSTILE, tool_requests=(request,), name=HOSTILE),
        Message(role="tool", content=HOSTILE, name=HOSTILE),
    )
    futures = []
    for number, status in enumerate(("completed", "error")):
        given = {"run_id": f"{HOSTILE} {number}", "session_id": HOSTILE, "turn": number + 1}
        if number:
            given["batch_id"] = HOSTILE
        call = model_call(1, at, provider=HOSTILE, request_model=HOSTILE, error=HOSTILE)
        values = {
            "status": status,
            "stop_reason": "end" if status == "completed" else "error",
            "content": HOSTILE,
        }
        values |= {"started_at": at, "finished_at": at, "error": HOSTILE, "traceback": HOSTILE}
        futures.append(store.submit(launch(number, at, **names, **given)))
        futures.append(
            store.submit(
                Finish(
                    run_id=given["run_id"], session_id=HOSTILE, turn=number + 1, end=values, model_calls=(call,),
                    tool_calls=(tool,), messages=tuple(enumerate(messages)),
                )
            )
        )  # fmt: skip
    wait(futures, 30)
    assert all(one.done() and not one.exception() for one in futures)


if __name__ == "__main__":
    path, wanted = sys.argv[1:]
    filled = Store(path)
    fill(filled, int(wanted), batch=int(wanted) // 4, team=True)
    filled.close(10)
