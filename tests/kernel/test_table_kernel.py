"""The table in real kernels without a front end: outputs, messages, commands, two kernels on one store."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.harness.kernel import RealKernel

pytestmark = pytest.mark.kernel

LOAD = """
import nbagent as nb
nb.load_ipython_extension(get_ipython())
"""
LONG = 'run = nb.Agent(model="demo:assistant", name="writer").start("write 5,000 words about rivers", label="rivers")'
ASKS = """
from nbagent import tool
@tool(requires_approval=True)
def pay(amount: int) -> str:
    "Pay an amount in dollars."
    return "paid"
order = nb.Agent(model="demo:assistant", tools=[pay]).start("Pay 30 dollars.", label="order")
"""
SHORT = 'run = nb.Agent(model="demo:assistant").start("What is the capital of France?", label="capital")'


def table_of(kernel):
    """The table's comm."""
    return kernel.comm(_anywidget_id="nbagent.panel.table.widget.RunTable")


def rows_of(comm) -> dict[str, dict]:
    """The runs as a front end has them that heard every message, by title."""
    table = comm.state["table"]
    columns = table["columns"]
    rows = {line[0]: line for line in json.loads(table["lines"])}
    for message in sorted(
        (m for m in comm.received if m.get("seq", 0) > table["seq"]), key=lambda m: m["seq"]
    ):
        rows |= {line[0]: list(line) for line in message.get("new", ())}
        for run_id, *pairs in message.get("cells", ()):
            for at, value in zip(pairs[::2], pairs[1::2], strict=True):
                rows[run_id][at] = value
    return {row[1]: dict(zip(columns, row, strict=True)) for row in rows.values()}


def wait_for(kernel, title: str, status: str) -> dict:
    kernel.wait_for(
        lambda: rows_of(table_of(kernel)).get(title, {}).get("status") == status,
        f"the table says that {title} is {status}",
        timeout_s=60,
    )
    return rows_of(table_of(kernel))[title]


def command(name: str, run_id: str = "") -> dict[str, str]:
    return {"command": name, "run_id": run_id, "command_id": f"{name} {run_id}"}


def test_the_panel_is_two_outputs_whose_text_never_varies(kernel):
    """The live view and the static form; `nb.Panel()` at the end of a cell and `%agent` show the same."""
    kernel.run(LOAD)
    first, second = kernel.run("%agent"), kernel.run("nb.Panel()")
    view, static = first.displays
    assert (view["text/plain"], static["text/plain"]) == ("", "nbagent runs")
    assert "application/vnd.jupyter.widget-view+json" in view
    assert "none yet" in static["text/html"]
    assert view == second.displays[0]
    assert not kernel.store.exists()


def test_runs_appear_change_and_end_in_the_table(kernel):
    """A run launched after the panel was shown is in it, with its text as it comes, and its end."""
    kernel.run(LOAD + "nb.Panel()")
    kernel.run(LONG)
    wait_for(kernel, "rivers", "running")
    kernel.wait_for(lambda: rows_of(table_of(kernel))["rivers"]["says"], "text in the table", timeout_s=60)
    kernel.run("run.cancel()")
    ended = wait_for(kernel, "rivers", "cancelled")
    assert ended["ended_ms"] >= ended["began_ms"]


def test_nothing_is_sent_while_nothing_runs(kernel):
    """A second after the last end its number is said once more; then the ticker ticks on in silence."""
    kernel.run(LOAD + "nb.Panel()")
    kernel.run(SHORT + "\nrun.wait();")
    wait_for(kernel, "capital", "completed")

    def heard() -> list[dict]:
        return list(table_of(kernel).received)

    kernel.wait_for(lambda: heard()[-1].keys() <= {"seq", "now_ms"}, "the number again", timeout_s=60)
    kernel.run("from nbagent.panel.table.widget import tables\n[table] = tables()\nticks = table.ticks")
    before = heard()
    kernel.run("import time\nwhile table.ticks < ticks + 3: time.sleep(0.05)")
    assert heard() == before
    assert before[-1]["seq"] == max(message["seq"] for message in before)


def test_commands_from_the_table(kernel):
    """Cancel all stops every run; retry starts the work anew; what cannot be resumed says why in two lines."""
    kernel.run(LOAD + "nb.Panel()")
    kernel.run(LONG)
    run_id = wait_for(kernel, "rivers", "running")["id"]
    assert kernel.control("nbagent_request", command("cancel_all"))["heard"] is True
    wait_for(kernel, "rivers", "cancelled")
    assert kernel.control("nbagent_request", command("resume", run_id))["heard"] is True

    def said():
        return [message["said"] for message in table_of(kernel).received if "said" in message]

    kernel.wait_for(lambda: any("error" in one for one in said()), "an answer", timeout_s=60)
    assert "nothing to resume" in next(one["error"] for one in said() if "error" in one)[0]
    assert kernel.control("nbagent_request", command("retry", run_id))["heard"] is True
    kernel.wait_for(lambda: any("new_id" in one for one in said()), "a new run", timeout_s=60)
    kernel.control("nbagent_request", command("cancel_all", "again"))


def test_two_kernels_see_and_cancel_each_others_runs(kernel, tmp_path: Path):
    """Each panel shows the other kernel's runs within seconds, and a cancel goes across."""
    kernel.run(LOAD + "nb.Panel()")
    with RealKernel(tmp_path / "other", env={"NBAGENT_STORE": str(kernel.store)}) as other:
        other.run(LOAD + "nb.Panel()")
        kernel.run(LONG)
        run_id = wait_for(other, "rivers", "running")["id"]
        assert other.control("nbagent_request", command("cancel", run_id))["heard"] is True
        wait_for(kernel, "rivers", "cancelled")
        wait_for(other, "rivers", "cancelled")


def test_a_kernel_that_dies_leaves_no_running_run_in_the_table(kernel, tmp_path: Path):
    """A run whose kernel was killed is interrupted in the other kernel's panel, without anybody asking."""
    kernel.run(LOAD + "nb.Panel()")
    with RealKernel(tmp_path / "other", env={"NBAGENT_STORE": str(kernel.store)}) as other:
        other.run(LOAD + LONG)
        wait_for(kernel, "rivers", "running")
        other.kill9()
        wait_for(kernel, "rivers", "interrupted")


def test_the_static_form_is_final_once_the_runs_have_ended(kernel):
    """The saved notebook shows what the runs came to, also where no later cell ran."""
    kernel.run(LOAD)
    shown = kernel.execute_async("%agent")
    shown.wait()
    kernel.run(SHORT + "\nrun.wait();")
    wait_for(kernel, "capital", "completed")
    kernel.wait_for(lambda: "completed" in shown.result.displays[1]["text/html"], "the static form")


def test_the_static_form_tells_of_ends_while_a_run_waits_for_a_person(kernel):
    """A run that waits may do so for days: a notebook that is saved meanwhile shows how the others ended."""
    kernel.run(LOAD)
    shown = kernel.execute_async("%agent")
    shown.wait()
    kernel.run(ASKS)
    kernel.run(LONG)
    wait_for(kernel, "order", "paused")
    kernel.control("nbagent_request", command("cancel", wait_for(kernel, "rivers", "running")["id"]))

    def static() -> str:
        return shown.result.displays[1]["text/html"]

    kernel.wait_for(lambda: "cancelled" in static(), "the static form", timeout_s=60)
    assert "1 waits for you · 2 runs" in static()  # and is not running, too


def test_a_page_that_loads_later_gets_the_table_of_now(kernel):
    """The state that a reloaded page asks for holds what was told since."""
    kernel.run(LOAD + "nb.Panel()")
    kernel.run(SHORT + "\nrun.wait();")
    wait_for(kernel, "capital", "completed")
    code = "from nbagent.panel.table.widget import tables\nimport json\n[table] = tables()\n"
    code += "print(table.widget.get_state()['table']['lines'])"
    [line] = json.loads(kernel.run(code).stdout)
    assert "completed" in line


def test_an_opened_run_sends_its_card_and_its_details(kernel):
    """`open` is answered with the whole card, an answer that is whole as HTML too, and the details."""
    kernel.run(LOAD + "nb.Panel()")
    kernel.run(SHORT + "\nrun.wait();")
    run_id = wait_for(kernel, "capital", "completed")["id"]
    assert kernel.control("nbagent_request", command("open", run_id))["heard"] is True

    def told(what: str) -> list:
        return [m[what] for m in table_of(kernel).received if m.get("run") == run_id and what in m]

    kernel.wait_for(lambda: told("card") and told("details"), "card and details", timeout_s=60)
    row, details = told("card")[0]["row"], told("details")[0]
    assert row["status"] == "completed"
    assert row["html"] == "<p>The capital of France is Paris.</p>\n"
    assert [message["role"] for message in details["messages"]][-1] == "assistant"
    assert len(details["steps"]["rows"]) == 1


def test_a_run_opened_in_another_kernel_goes_on_growing(kernel, tmp_path: Path):
    """A run of another kernel is opened from the store and looked at again while it goes on."""
    kernel.run(LOAD + "nb.Panel()")
    with RealKernel(tmp_path / "other", env={"NBAGENT_STORE": str(kernel.store)}) as other:
        other.run(LOAD + LONG)
        run_id = wait_for(kernel, "rivers", "running")["id"]
        kernel.control("nbagent_request", command("open", run_id))

        def text() -> str:
            told = [m for m in table_of(kernel).received if m.get("run") == run_id]
            return max((m["card"]["text"] for m in told if "card" in m), key=len, default="") + "".join(
                m.get("append", "") for m in told
            )

        length = len(kernel.wait_for(text, "text", timeout_s=60))
        kernel.wait_for(lambda: len(text()) > length, "more text", timeout_s=60)
