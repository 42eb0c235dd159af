"""The card in real kernels without a front end: outputs, messages, the control channel, executors."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.harness.environment import isolated_environment
from tests.harness.kernel import RealKernel

pytestmark = pytest.mark.kernel

LOAD = """
from nbagent import kernel as glue
glue.load(get_ipython())
from nbagent.agent import Agent
from nbagent.panel import flush_snapshots, show_card
"""
LONG = """
run = Agent(model="demo:assistant", name="writer").start("write 5,000 words about rivers", label="rivers")
show_card(run)
"""
SHORT = """
run = Agent(model="demo:assistant").start("What is the capital of France?", label="capital")
show_card(run)
"""


def card_of(kernel):
    """The newest card's comm."""
    return kernel.comm(_anywidget_id="nbagent.panel.card.widget.RunCard")


def status_of(comm) -> str:
    """What the newest message with a row, or the state, says of the run."""
    rows = [message["row"] for message in comm.received if "row" in message]
    newest = max([comm.state["card"], *comm.received], key=lambda told: told["seq"])
    return (newest.get("row") or (rows or [comm.state["card"]["row"]])[-1])["status"]


def wait_for_status(kernel, status: str) -> None:
    """Wait until the front end has been told that the run has this status."""
    kernel.wait_for(lambda: status_of(card_of(kernel)) == status, f"the card says {status}", timeout_s=60)


def cancel_request(run_id: str, command_id: str = "c1") -> dict[str, str]:
    return {"command": "cancel", "run_id": run_id, "command_id": command_id}


def test_a_card_is_two_outputs_whose_text_never_varies(kernel):
    """The live view and the snapshot; both compare equal when the same cell runs again."""
    kernel.run(LOAD)
    first, second = kernel.run(SHORT), kernel.run(SHORT)
    view, static = first.displays
    assert set(view) == {"text/plain", "text/html", "application/vnd.jupyter.widget-view+json"}
    assert view["text/plain"] == ""
    assert static["text/plain"] == "nbagent run\ncapital: agent 'agent', model 'demo:assistant'"
    assert [d["text/plain"] for d in second.displays] == [d["text/plain"] for d in first.displays]
    assert static["text/html"].startswith('<div class="nbagent-snapshot nbagent-of-')


def test_text_grows_in_appended_pieces_while_a_cell_blocks(kernel):
    """Small messages come while a cell sleeps: each fits the one before, and together they are the text."""
    kernel.run(LOAD + LONG)
    cell = kernel.execute_async("import time\ntime.sleep(20)")
    kernel.wait_for(lambda: len(card_of(kernel).received) > 8, "messages", timeout_s=60)
    assert not cell.done
    told = card_of(kernel).received
    assert [message["seq"] for message in told] == list(range(told[0]["seq"], told[0]["seq"] + len(told)))
    assert sum("row" in message for message in told) <= 4
    assert "Every account of rivers" in "".join(message["append"] for message in told)
    kernel.interrupt()
    cell.wait()
    kernel.run("run.cancel()")


@pytest.mark.parametrize("busy", ["time.sleep(20)", "while True: pass"])
def test_cancel_over_the_control_channel_is_heard_while_a_cell_is_busy(kernel, busy):
    """The acknowledgement comes at once, the run is cancelled within a second, the cell is not disturbed."""
    kernel.run(LOAD + LONG)
    run_id = card_of(kernel).state["card"]["row"]["run_id"]
    cell = kernel.execute_async(f"print('busy', flush=True)\nimport time\n{busy}")
    kernel.wait_for(lambda: "busy" in cell.result.stdout, "the cell starts")
    wait_for_status(kernel, "running")
    reply = kernel.control("nbagent_request", cancel_request(run_id), timeout_s=60)
    assert reply == {"status": "ok", "heard": True, "command_id": "c1"}
    kernel.wait_for(lambda: status_of(card_of(kernel)) == "cancelled", "the card says so", timeout_s=60)
    assert not cell.done
    kernel.interrupt()
    cell.wait()


def test_a_comm_message_cancels_too(kernel):
    """Where the control channel is closed, the widget's own message does the same."""
    kernel.run(LOAD + LONG)
    wait_for_status(kernel, "running")
    card = card_of(kernel)
    kernel.click(card, cancel_request(card.state["card"]["row"]["run_id"]))
    wait_for_status(kernel, "cancelled")


def test_a_command_is_performed_once_and_nonsense_is_refused(kernel):
    """The same command id again is taken and does nothing; what is no command is not taken and harms nothing."""
    kernel.run(LOAD + LONG)
    run_id = card_of(kernel).state["card"]["row"]["run_id"]
    for _ in range(2):
        assert kernel.control("nbagent_request", cancel_request(run_id))["heard"] is True
    wait_for_status(kernel, "cancelled")
    for nonsense in ({}, {"command": "rm", "run_id": run_id}, {"command": "cancel", "run_id": 5}):
        assert kernel.control("nbagent_request", nonsense)["heard"] is False
    assert kernel.run("str(run.status), glue.in_kernel()").text == "('RunStatus.cancelled', True)"


def test_ten_cards_that_stream_send_few_messages_together(kernel):
    """All cards of a kernel share an allowance of messages while their texts grow, and each has its turn."""
    ask = 'Agent(model="demo:assistant").start("write 5,000 words about rivers", label=f"r{n}")'
    kernel.run(
        LOAD
        + f"from nbagent.panel import show_card\nruns = [{ask} for n in range(10)]\nfor run in runs: show_card(run)"
    )

    def growths() -> list[list[float]]:
        cards = [comm for comm in kernel.comms().values() if comm.state.get("shows") == "card"]
        return [[m["now_ms"] for m in one.received if m.get("append") and "row" not in m] for one in cards]

    kernel.wait_for(
        lambda: len(growths()) == 10 and all(len(one) >= 4 for one in growths()), "each card's text grows"
    )
    kernel.run("for run in runs: run.cancel()")
    moments = sorted(moment for one in growths() for moment in one)
    busiest = max(sum(begin <= moment < begin + 1000 for moment in moments) for begin in moments)
    assert busiest <= 30


def test_nothing_is_sent_once_nothing_runs(kernel):
    """A second after its end a run is told once more, then the flusher has stopped."""
    kernel.run(LOAD + SHORT)
    wait_for_status(kernel, "completed")
    code = "from nbagent import runtime\nfrom nbagent.panel.card import display\n"
    code += "async def stopped(): await display._updater._task\n"
    code += "runtime.current().thread.submit(stopped()).result(60)"
    kernel.run(code)
    assert card_of(kernel).state["card"]["row"]["status"] == "completed"
    assert kernel.run("display._updater._displayed, display._updater._task.done()").text == "([], True)"


def test_a_page_that_loads_later_gets_the_state_of_now(kernel):
    """What `get_state` gives is what a front end has that heard every message."""
    kernel.run(LOAD + LONG)
    kernel.wait_for(lambda: len(card_of(kernel).received) > 3, "messages", timeout_s=60)
    kernel.run("run.cancel()")
    wait_for_status(kernel, "cancelled")
    code = "from nbagent.panel.card import display\nimport json\n[one] = display._by_run[run.run_id]\n"
    code += "state = one.widget.get_state()\n"
    code += "assert state['card']['text'] == run.text and run.text\nprint(json.dumps(state['card']))"
    state = json.loads(kernel.run(code).stdout)
    assert state["row"]["status"] == "cancelled"
    assert state["now_ms"] >= state["row"]["began_ms"]


def test_the_cell_that_waits_writes_the_final_snapshot(kernel):
    """Snapshots are rewritten at the end of the cell that waited, also where nobody calls `flush_snapshots`."""
    kernel.run(LOAD)
    launching = kernel.execute_async(SHORT)
    launching.wait()
    waiting = kernel.execute_async("run.wait().content")
    assert waiting.wait().text == "'The capital of France is Paris.'"
    assert waiting.result.displays == ()
    assert "The capital of France is Paris." in launching.result.displays[1]["text/html"]
    parents = [m.parent_id for m in kernel.wire.messages() if m.type == "update_display_data"]
    assert waiting.msg_id in parents


@pytest.mark.parametrize(
    "last_line",
    [
        "run",
        "team = Team(model='demo:assistant', members=[agent])\nteam.start('What is the capital of Peru?')",
        "agent.map(['Peru', 'Chile'], 'What is the capital of {{ row }}?', label='two')",
        "nb.get(run.run_id)",
    ],
)
def test_a_run_or_batch_that_a_cell_ends_in_is_its_live_card(kernel, last_line):
    """The card that the magic shows: a widget and its static form, no dead text."""
    kernel.run("%load_ext nbagent\n%load_ext nbagent\nimport nbagent as nb\nfrom nbagent import Agent, Team")
    cell = kernel.run(
        f"agent = Agent(model='demo:assistant')\nrun = agent.start('write 900 words about rivers')\n{last_line}"
    )
    assert cell.text is None
    view, static = cell.displays
    assert "application/vnd.jupyter.widget-view+json" in view
    assert static["text/html"].startswith('<div class="nbagent-snapshot')


def test_the_import_alone_makes_values_live(cold_kernel):
    """`%load_ext nbagent` is not needed for a run to be its card, nor for another kernel's batch."""
    cold_kernel.run("import nbagent as nb")
    cell = cold_kernel.run("nb.Agent(model='demo:assistant').start('What is the capital of Peru?')")
    assert cell.text is None
    assert "application/vnd.jupyter.widget-view+json" in cell.displays[0]


@pytest.mark.parametrize(
    "shown",
    [
        "run",
        "display(run); run",
        "show_card(run); run",
        "[display(run) for _ in range(3)]; run",
        "show_batch(batch.batch_id); batch",
    ],
)
def test_a_card_is_shown_once_in_a_cell(kernel, shown):
    """Whatever displays it first: a run that the same cell ends in, or displays again, is not there twice."""
    kernel.run(LOAD + "from nbagent.panel import show_batch")
    kernel.run("run = Agent(model='demo:assistant').start('What is the capital of Peru?')")
    kernel.run("batch = Agent(model='demo:assistant').map(['Peru'], 'The capital of {{ row }}?')")
    first, second = kernel.run(shown), kernel.run(shown)
    assert (len(first.displays), len(second.displays)) == (2, 2)


def test_another_kernels_batch_is_its_counts(kernel, tmp_path: Path):
    """A batch that was read from the record is a row of counts, not an object's address."""
    kernel.run(LOAD)
    kernel.run(
        "batch = Agent(model='demo:assistant').map(['Peru', 'Chile'], 'Capital of {{ row }}?', label='two')"
    )
    kernel.run("batch.result(timeout=60)")
    with RealKernel(tmp_path / "other", env={"NBAGENT_STORE": str(kernel.store)}) as other:
        (shown,) = other.run("%load_ext nbagent\nimport nbagent as nb\nnb.get('two')").displays
    assert "2 completed" in shown["text/html"]
    assert "two: 2 rows" in shown["text/html"]
    assert shown["text/plain"] == "<Batch two 2 of 2 done>"


def test_a_result_at_the_end_of_a_cell_is_its_answer(kernel):
    """The output of a waiting cell is names, status and answer, the same in every execution: no id, no time."""
    kernel.run(LOAD + SHORT)
    first = kernel.run("run.result(timeout=60)")
    kernel.run(SHORT)
    second = kernel.run("run.result(timeout=60)")
    assert first.text.splitlines()[2:] == ["completed", "The capital of France is Paris."]
    assert [o["data"] for o in first.outputs] == [o["data"] for o in second.outputs]


def test_loading_is_light_and_unloading_takes_everything_back(cold_kernel):
    """`load` starts no thread and imports no widget; twice is once; `unload` leaves nothing."""
    code = "import sys, threading; before = threading.active_count()\nfrom nbagent import kernel as glue\n"
    code += "ip = get_ipython(); hooks = len(ip.events.callbacks['post_run_cell'])\n"
    code += "glue.load(ip); glue.load(ip)\n"
    code += "assert len(ip.events.callbacks['post_run_cell']) == hooks + 1\n"
    code += "assert threading.active_count() == before\n"
    code += "assert not {'anywidget', 'ipywidgets', 'duckdb', 'openai', 'pandas'} & set(sys.modules)\n"
    code += "assert glue.REQUEST in ip.kernel.control_handlers\n"
    code += "glue.unload(ip); glue.unload(ip)\n"
    code += "assert len(ip.events.callbacks['post_run_cell']) == hooks\n"
    code += "glue.REQUEST in ip.kernel.control_handlers"
    assert cold_kernel.run(code).text == "False"


def test_the_cell_id_is_the_front_ends(kernel):
    """A launch knows its cell where the front end says which it is, and None elsewhere."""
    kernel.run(LOAD)
    ask = kernel.execute_async("glue.current_cell_id()", cell_id="cell-7")
    assert ask.wait().text == "'cell-7'"
    assert kernel.run("glue.current_cell_id() is None").text == "True"


def test_the_main_thread_gives_way_sooner_once_a_run_is_shown(kernel):
    """The switch interval is shortened at the first card, and never lengthened."""
    kernel.run(LOAD)
    assert kernel.run("import sys; sys.getswitchinterval()").text == "0.005"
    kernel.run(SHORT)
    assert kernel.run("sys.getswitchinterval()").text == "0.0005"


def test_an_executor_without_a_front_end_saves_the_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """`jupyter execute` writes a notebook whose launching cell holds the answer, as static HTML."""
    for name, value in isolated_environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    cells = [nbformat.v4.new_code_cell(source) for source in (LOAD, SHORT, "run.wait().content")]
    notebook = nbformat.v4.new_notebook(cells=cells)
    done = NotebookClient(notebook, timeout=60, kernel_name="python3", resources={}).execute(
        cwd=str(tmp_path)
    )
    outputs = done.cells[1]["outputs"]
    assert [o["output_type"] for o in outputs] == ["display_data", "display_data"]
    assert "The capital of France is Paris." in outputs[1]["data"]["text/html"]
    assert "completed" in outputs[1]["data"]["text/html"]
    assert [o["output_type"] for o in done.cells[2]["outputs"]] == ["execute_result"]


def test_a_card_of_another_kernels_run_follows_it_and_cancels_it(kernel, tmp_path: Path):
    """A run found in the store has a card too: looked at once a second, cancelled across kernels."""
    kernel.run(LOAD + LONG)
    wait_for_status(kernel, "running")
    run_id = card_of(kernel).state["card"]["row"]["run_id"]
    with RealKernel(tmp_path / "other", env={"NBAGENT_STORE": str(kernel.store)}) as other:
        other.run(LOAD + f"from nbagent import runtime\nshow_card(runtime.current().get({run_id!r}))")
        assert status_of(card_of(other)) in {"pending", "running"}
        assert other.control("nbagent_request", cancel_request(run_id))["heard"] is True
        wait_for_status(other, "cancelled")
        wait_for_status(kernel, "cancelled")
