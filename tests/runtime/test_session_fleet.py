"""Three kernels launch into one session at once: no two runs overlap, each sees all before it, a death stops nobody."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Iterator

import pytest

import nbagent as nb
from tests.provider.server import ScriptedProvider
from tests.runtime.session_kernels import PATIENCE_S, Gates, Kernel, prompts_seen

KERNELS, LAUNCHES, TRIES = 3, 8, 20
GO_ON_S = 5.0


@pytest.fixture
def gates(provider: ScriptedProvider) -> Gates:
    """The provider's side, which answers every prompt."""
    gates = Gates()
    provider.otherwise(gates.answer)
    return gates


@pytest.fixture
def fleet(gates: Gates, provider: ScriptedProvider) -> Iterator[list[Kernel]]:
    """The kernels; a dead one may be replaced."""
    kernels = [Kernel(provider.base_url) for _ in range(KERNELS)]
    yield kernels
    for one in kernels:
        one.end()


def chance_of(session_id: str) -> random.Random:
    """A plan that can be made again."""
    return random.Random(session_id)  # noqa: S311 - no secret


def launch_all(
    fleet: list[Kernel], session_id: str, launches: int, chance: random.Random
) -> dict[str, Kernel]:
    """Launch from all kernels, some of them at the same moment; the kernel of each run."""
    runs: dict[str, Kernel] = {}
    for number in range(launches):
        order = chance.sample(fleet, len(fleet))
        for kernel in order:
            kernel.tell(
                "start", prompt=f"{session_id}: {fleet.index(kernel)}.{number}", session_id=session_id
            )
        for kernel in order:
            runs[kernel.answer()["run_id"]] = kernel
    return runs


def check_turns(provider: ScriptedProvider, session_id: str, seen_from: int) -> list[str]:
    """Hold the rows and the requests of a session: turns follow each other, and each run was shown all before it.

    Returns the prompts of the completed runs in turn order.
    """
    rows = nb.sql(
        "select prompt, status, started_at, finished_at from runs where session_id = ? order by turn",
        [session_id],
    )
    began = rows[rows["started_at"].notna()]
    for (_, one), (_, later) in itertools.combinations(began.iterrows(), 2):
        assert later["started_at"] >= one["finished_at"], (one["prompt"], later["prompt"])
    completed = list(rows.loc[rows["status"] == "completed", "prompt"])
    requests = [prompts_seen(request.body) for request in provider.requests[seen_from:]]
    last_of = {prompts[-1]: prompts for prompts in requests if prompts[-1].startswith(session_id)}
    for number, prompt in enumerate(completed):
        assert [one for one in last_of[prompt] if one in completed] == completed[: number + 1]
    return completed


def one_try(fleet: list[Kernel], provider: ScriptedProvider, session_id: str, launches: int) -> None:
    """Launch, wait for all, hold the turns."""
    seen_from = len(provider.requests)
    runs = launch_all(fleet, session_id, launches, chance_of(session_id))
    assert {kernel.wait(run_id)["status"] for run_id, kernel in runs.items()} == {"completed"}
    assert len(check_turns(provider, session_id, seen_from)) == len(runs)


def one_death(
    fleet: list[Kernel], provider: ScriptedProvider, gates: Gates, session_id: str, launches: int
) -> tuple[float, list[str]]:
    """The same with a kernel killed while a run of it works.

    Returns the seconds until another's run asks its model, and the notices that name the dead process.
    """
    chance = chance_of(session_id)
    seen_from = len(provider.requests)
    victim = chance.choice(fleet)
    fatal = f"{session_id}: {fleet.index(victim)}.{chance.randrange(launches)}"
    gates.hold(fatal)
    runs = launch_all(fleet, session_id, launches, chance)
    while not any(prompts_seen(one.body)[-1] == fatal for one in provider.requests[seen_from:]):
        provider.wait_for_requests(len(provider.requests) + 1, PATIENCE_S)
    killed_at, asked = time.monotonic(), len(provider.requests)
    victim.kill()
    ends = [kernel.wait(run_id) for run_id, kernel in runs.items() if kernel is not victim]
    assert {end["status"] for end in ends} == {"completed"}
    check_turns(provider, session_id, seen_from)
    rows = nb.sql("select status from runs where session_id = ?", [session_id])
    assert set(rows["status"]) <= {"completed", "interrupted"}
    waits = [request.received_at - killed_at for request in provider.requests[asked:]]
    victim.end()
    fleet[fleet.index(victim)] = Kernel(provider.base_url)
    return min(waits, default=0.0), [one for end in ends for one in end["notices"] if "which is gone" in one]


def test_three_kernels_take_turns(fleet: list[Kernel], provider: ScriptedProvider) -> None:
    """In one session, launched at once: a run for each of six turns."""
    one_try(fleet, provider, "small", 2)


def test_one_of_three_dies(fleet: list[Kernel], provider: ScriptedProvider, gates: Gates) -> None:
    """The others' runs go on, in turn, with the history of all that completed."""
    one_death(fleet, provider, gates, "small death", 2)


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_three_kernels_take_turns_always(fleet: list[Kernel], provider: ScriptedProvider) -> None:
    """24 launches, in 20 of 20 tries."""
    began = time.monotonic()
    for number in range(TRIES):
        one_try(fleet, provider, f"try {number}", LAUNCHES)
    print(
        f"\n{TRIES} tries of {KERNELS * LAUNCHES} launches: no overlap, history whole, {time.monotonic() - began:.0f} s"
    )


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_a_death_stops_nobody_ever(fleet: list[Kernel], provider: ScriptedProvider, gates: Gates) -> None:
    """24 launches and a SIGKILL, in 20 of 20 tries: the others go on within five seconds, and say why they waited."""
    found = [one_death(fleet, provider, gates, f"death {number}", LAUNCHES) for number in range(TRIES)]
    waits = sorted(waited for waited, _ in found)
    said = sum(bool(notices) for waited, notices in found)
    print(
        f"\nafter a kill the next request came in {waits[len(waits) // 2]:.2f} s (median), {waits[-1]:.2f} s (longest)"
    )
    print(f"{said} of {TRIES} tries said why; {sum(waited > 0 for waited, _ in found)} had runs left to wait")
    assert waits[-1] <= GO_ON_S
    assert all(notices for waited, notices in found if waited)
