"""What a run shows lands in the cell that launched it, whatever runs meanwhile. ipykernel 6 and 7."""

from __future__ import annotations

import pytest

from tests.harness.kernel import RealKernel
from tests.provider.chat_wire import text_reply, tool_reply
from tests.provider.server import ScriptedProvider
from tests.provider.steps import Gate, Wait

pytestmark = pytest.mark.kernel

SETUP = """
import nbagent as nb
from IPython.display import display, Markdown

def show(what: str) -> str:
    "Show it."
    {show}
    return "ok"

agent = nb.Agent(model=nb.OpenAIChat(id="scripted-1", base_url={url!r}, api_key="not-needed"), tools=[show])
"""
SHOWS = {
    "text": "display(what)",
    "two": "display(what); print(what)",
    "rich": "display(Markdown(what))",
    "named": "display(what, display_id='it')",
}


@pytest.mark.parametrize("show", SHOWS.values(), ids=SHOWS)
def test_a_display_in_a_tool_lands_in_the_launching_cell(
    kernel: RealKernel, provider: ScriptedProvider, show: str
) -> None:
    """As what is printed does; the cell that runs at the time keeps its own."""
    _check(kernel, provider, "%load_ext nbagent\n" + SETUP.format(url=provider.base_url, show=show))


def test_it_does_without_the_extension(cold_kernel: RealKernel, provider: ScriptedProvider) -> None:
    """The import is enough."""
    _check(cold_kernel, provider, SETUP.format(url=provider.base_url, show=SHOWS["text"]))


def _check(kernel: RealKernel, provider: ScriptedProvider, setup: str) -> None:
    kernel.run(setup)
    gate = Gate()
    provider.reply((Wait(gate), *tool_reply(("show", {"what": "FROM THE TOOL"}))), text_reply("done"))
    launch = kernel.execute_async("run = agent.start('Go')")
    launch.wait()
    other = kernel.execute_async("display('FROM THE OTHER'); _ = run.wait(60); display('AND THEN')")
    gate.open()
    outputs = str(other.wait().outputs)
    kernel.wait_for(lambda: "FROM THE TOOL" in str(launch.result.outputs), "the tool's display")
    assert "FROM THE TOOL" not in outputs
    assert [part in outputs for part in ("FROM THE OTHER", "AND THEN")] == [True, True]
