"""R5, persistence: a real kernel is killed in the middle, started again, and the run goes on from where it stood."""

from __future__ import annotations

from pathlib import Path

import pytest

from nbagent.store import Store
from tests.harness.kernel import RealKernel
from tests.harness.waiting import until
from tests.provider.server import ScriptedProvider
from tests.provider.steps import Gate, Silence, Wait
from tests.reference.wire_formats import WIRES, Wire

pytestmark = pytest.mark.kernel

SET_UP = """
import nbagent as nb
from tests.reference.wire_formats import WIRES
from pathlib import Path

def buy(what: str) -> str:
    "Buy something."
    with Path("bought.log").open("a") as file:
        file.write(what + "\\n")
    return "bought"

writer = nb.Agent(model=WIRES[{wire!r}].model({url!r}), tools=[buy], name="writer")
"""


def partial_text(store: Path) -> str:
    """What the store's file has of the unfinished answer, as another process reads it."""
    reader = Store(store)
    try:
        rows = reader.read("select partial_text from attempt_progress")
    finally:
        reader.close()
    return next((row["partial_text"] or "" for row in rows), "")


@pytest.mark.parametrize("wire", WIRES.values(), ids=lambda wire: wire.name)
def test_a_killed_kernel_loses_no_step_and_at_most_a_second_of_text(
    provider: ScriptedProvider, tmp_path: Path, wire: Wire
) -> None:
    """The finished step is not repeated; the text is in the file within about a second, and the answer goes on from it."""
    gate = Gate()
    provider.reply(
        wire.calls("buy", what="a book"), (*wire.begun("Once upon", " a time"), Wait(gate), Silence())
    )
    with RealKernel(tmp_path / "kernel") as kernel:
        kernel.run(SET_UP.format(wire=wire.name, url=provider.base_url))
        kernel.run("run = writer.start('Buy a book and tell', run_id='mine', label='story')")
        kernel.run("import time\nwhile run.text != 'Once upon a time': time.sleep(0.005)")
        until(lambda: partial_text(kernel.store) == "Once upon a time", "the text in the file", pause_s=0.02)
        kernel.kill9()
        kernel.restart()
        kernel.run(SET_UP.format(wire=wire.name, url=provider.base_url))
        found = kernel.run(
            "run = nb.get('story')\nprint(run.status.value, repr(run.content), sep='|')"
        ).stdout
        assert found.strip() == "interrupted|'Once upon a time'"
        provider.reply(wire.reply(" there was", " a book."))
        told = kernel.run(
            "out = run.resume(from_partial=True).result(timeout=60)\n"
            "print(out.content, out.attempt, [call.name for call in out.tool_calls], sep='|')"
        ).stdout
        assert told.strip() == "Once upon a time there was a book.|2|['buy']"
        assert (kernel.project / "bought.log").read_text().splitlines() == ["a book"]
        assert len(provider.requests) == 3
