"""SIGKILL of real kernels at random points of a run with three tools; one new kernel resumes the runs of all of them.

Each kernel works on an order of its own, with a record of its own; they share the provider and the tools' log.
"""

from __future__ import annotations

import json
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from jupyter_core.utils import ensure_event_loop

from tests.harness.kernel import RealKernel
from tests.provider.chat_wire import text_reply, tool_reply
from tests.provider.server import Request, ScriptedProvider
from tests.provider.steps import Script

pytestmark = pytest.mark.kernel

NAMES = ("buy", "pack", "send")
WORK_S = 0.02
AT_A_TIME = 4  # kernels that start beside each other: a start is mostly imports

NOTEBOOK = f"""
import json, os, time
from pathlib import Path
import nbagent as nb
from nbagent import Agent, Limits

def work(name, order):
    for when in ("begin", "end"):
        with LOG.open("a") as file:  # one small write: it is there or it is not
            file.write(f"{{when}} {{name}} {{order}}\\n")
        if when == "begin":
            time.sleep({WORK_S})
    return f"{{name}}-done"

def buy(order: int) -> str:
    "Buy it."
    return work("buy", order)

async def pack(order: int) -> str:
    "Pack it."
    return work("pack", order)

def send(order: int) -> str:
    "Send it."
    return work("send", order)

clerk = Agent(model="openai-chat:scripted-1", tools=[buy, pack, send], limits=Limits(model_retries=0), name="clerk")
"""

RESUME = """
runs = {}
for order in range(COUNT):
    os.environ["NBAGENT_STORE"] = STORES.format(order)
    run = nb.get(f"order-{order}")
    cut = run.status is nb.RunStatus.interrupted
    runs[order] = cut, nb.resume(run, agent=clerk) if cut else run
told = []
for cut, run in runs.values():
    output = run.result(timeout=60)
    told.append([cut, output.content, [call.name for call in output.tool_calls], output.attempt])
print(json.dumps(told))
"""


class Shop:
    """The provider's side: asks for each order's tools in turn, then says how each went. Counts requests by order."""

    def __init__(self) -> None:
        self._requests: Counter[int] = Counter()
        self._changed = threading.Condition()

    def answer(self, request: Request) -> Script:
        """Return the next reply to an order; on the provider's thread."""
        messages = request.body["messages"]
        order = int(re.sub(r"\D", "", messages[0]["content"]))
        with self._changed:
            self._requests[order] += 1
            self._changed.notify_all()
        told = [message["content"] for message in messages if message["role"] == "tool"]
        if len(told) < len(NAMES):
            return tool_reply((NAMES[len(told)], {"order": order}))
        return text_reply("all of it: ", json.dumps(told))

    def wait_for(self, order: int, requests: int) -> None:
        """Return once an order has made so many requests."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._requests[order] >= requests, 60), self._requests


@pytest.fixture
def kernel_of(tmp_path: Path, provider: ScriptedProvider) -> Callable[[object], RealKernel]:
    """Make the kernel of an order: it knows the provider."""

    def make(order: object) -> RealKernel:
        env = {
            "NBAGENT_STORE": str(tmp_path / f"store-{order}" / "runs.duckdb"),
            "OPENAI_BASE_URL": provider.base_url,
            "OPENAI_API_KEY": "sk-test",
        }
        return RealKernel(tmp_path / f"kernel-{order}", env=env)

    return make


def set_up(kernel: RealKernel, log: Path) -> None:
    """Run the notebook's first cell."""
    kernel.run(f"from pathlib import Path\nLOG = Path({str(log)!r})\n{NOTEBOOK}", timeout_s=60)


def killed(kernel: RealKernel, shop: Shop, log: Path, order: int, chance: random.Random) -> None:
    """Start a kernel, launch the order, and kill the kernel some time after one of its requests."""
    try:
        with kernel:
            set_up(kernel, log)
            kernel.execute_async(f"run = clerk.start('Order {order}', run_id='order-{order}')")
            shop.wait_for(order, chance.randint(1, len(NAMES) + 1))
            time.sleep(chance.uniform(0.0, 2 * WORK_S))  # the point is random, there is nothing to wait for
            kernel.kill9()
    finally:
        ensure_event_loop().close()  # jupyter_client makes one in each thread


def check(told: list[Any], log: Path) -> None:
    """Each order was worked on to its end, no finished call twice, and at most one call's outcome is unknown."""
    lines = log.read_text().splitlines()
    ended = [line for line in lines if line.startswith("end ")]
    assert len(ended) == len(set(ended)), lines
    assert len(lines) == len(set(lines)), lines
    for cut, content, calls, attempt in told:
        answers = json.loads(content.removeprefix("all of it: "))
        unknown = ["outcome is unknown" in answer for answer in answers]
        for name, answer, is_unknown in zip(NAMES, answers, unknown, strict=True):
            assert is_unknown or answer == f"{name}-done", answers
        assert sum(unknown) <= (1 if cut else 0), answers
        assert (calls, attempt) == (list(NAMES), 2 if cut else 1)


def kill_and_resume(
    kernel_of: Callable[[object], RealKernel], provider: ScriptedProvider, log: Path, count: int, seed: int
) -> None:
    """Kill that many kernels, resume what they left in one more, and check what must hold."""
    stores = str(log.parent / "store-{}" / "runs.duckdb")
    shop, chance = Shop(), random.Random(seed)  # noqa: S311 - no secret
    provider.otherwise(shop.answer)
    log.touch()
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        work = [
            pool.submit(
                killed,
                kernel_of(order),
                shop,
                log,
                order,
                random.Random(chance.random()),  # noqa: S311
            )
            for order in range(count)
        ]
        for one in work:
            one.result()
    with kernel_of("new") as kernel:
        set_up(kernel, log)
        told = json.loads(kernel.run(f"COUNT, STORES = {count}, {stores!r}\n{RESUME}", timeout_s=120).stdout)
    assert any(cut for cut, *_ in told), "every kernel was through before it was killed"
    check(told, log)


def test_ten_killed_kernels_and_one_that_goes_on(
    kernel_of: Callable[[object], RealKernel], provider: ScriptedProvider, tmp_path: Path
) -> None:
    """The final texts are right, and the tools' log shows no call twice."""
    kill_and_resume(kernel_of, provider, tmp_path / "tools.log", 10, random.randrange(10**9))  # noqa: S311


@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(5))
def test_fifty_killed_kernels(
    kernel_of: Callable[[object], RealKernel], provider: ScriptedProvider, tmp_path: Path, seed: int
) -> None:
    """The same, fifty times."""
    kill_and_resume(kernel_of, provider, tmp_path / "tools.log", 10, seed)
