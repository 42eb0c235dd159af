"""An evaluation whose kernel was killed goes on where it stood."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from typing import Any

from nbagent.runtime import current
from tests.evaluation.evaluating_process import evaluation
from tests.harness.environment import REPOSITORY
from tests.provider.chat_wire import text_reply
from tests.provider.server import ScriptedProvider

CASES = 200


def asked(request: Any) -> str:
    """The text of a request's last message."""
    return str(request.body["messages"][-1]["content"])


def test_after_a_kill_no_answered_case_is_asked_again(provider: ScriptedProvider) -> None:
    """The same call in another kernel takes the answers from the record: what was given is not asked twice."""
    provider.otherwise(lambda request: text_reply(asked(request).split()[-1]))
    command = [sys.executable, "-m", "tests.evaluation.evaluating_process", provider.base_url, str(CASES)]
    environment = {**os.environ, "NBAGENT_STORE": str(current().store.path)}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=environment, cwd=REPOSITORY
    ) as process:
        assert process.stdout is not None
        given = [f"Say {line.strip()}" for line, _ in zip(process.stdout, range(60), strict=False)]
        process.send_signal(signal.SIGKILL)
    before = len(provider.requests)
    assert before < CASES
    found = evaluation(provider.base_url, CASES).wait(120)
    assert found.to_frame()["exact"].all()
    times = Counter(map(asked, provider.requests))
    assert len(times) == CASES
    assert {case: times[case] for case in given if times[case] > 1} == {}
    (row,) = found.summary().to_dict("records")
    assert (row["cases"], row["mean"], row["failed"]) == (CASES, 1.0, 0)
