"""`%%after`: a cell that runs once, between two others, when the runs that it names have ended."""

from __future__ import annotations

import random
import re

import pytest

from tests.harness.kernel import Execution, RealKernel
from tests.harness.waiting import until

pytestmark = pytest.mark.kernel

ANSI = re.compile(r"\x1b\[[0-9;]*m")
SETUP = """
%load_ext nbagent
import asyncio, threading
import nbagent as nb

gates, fired = {}, []

def job(name):
    gate = gates[name] = threading.Event()

    async def work(prompt):
        await asyncio.to_thread(gate.wait)
        return name

    return nb.guest(work, name="job").start("go", label=name)
"""


def after(kernel: RealKernel, names: str, cell: str, cell_id: str = "after-1") -> Execution:
    """Run a cell of `%%after` as JupyterLab sends it, to the prompt."""
    sent = kernel.execute_async(f"%%after {names}\n{cell}", cell_id=cell_id)
    done = sent.wait()
    assert done.error is None, done.error
    return sent


def shown(kernel: RealKernel, code: str) -> list[str]:
    """The lines that a failing cell shows."""
    error = kernel.execute(code).error
    assert error is not None, f"{code!r} did not fail"
    return [line for line in ANSI.sub("", "\n".join(error.traceback)).splitlines() if line.strip()]


def test_it_runs_once_below_its_own_cell_when_all_have_ended(kernel: RealKernel) -> None:
    """What it prints, displays and ends in lands in its own cell, which says what it waits for until then."""
    kernel.run(SETUP + "one, two = job('one'), job('two')")
    cell = "from IPython.display import display\nfired.append(1)\nprint('printed')\ndisplay('shown')\n6 * 7"
    waiting = after(kernel, "one two", cell)
    assert [shown["text/plain"] for shown in waiting.result.displays] == ["waits for one, two"]
    kernel.run("gates['one'].set(); one.wait(timeout=60)")
    assert kernel.run("fired").text == "[]"
    kernel.run("gates['two'].set()")
    kernel.wait_for(lambda: waiting.result.text == "42", "the cell runs")
    assert waiting.result.stdout == "printed\n"
    first, second = (shown["text/plain"] for shown in waiting.result.displays)
    assert first.startswith("after one, two, at ")
    assert second == "'shown'"
    last = kernel.run("'mine'")
    assert (last.text, last.stdout) == ("'mine'", "")
    assert kernel.run("fired").text == "[1]"


@pytest.mark.parametrize("wait", ["one.result(timeout=60)", "await one", "nb.gather(one)", "%agent wait one"])
def test_it_never_runs_inside_a_cell_that_waits(kernel: RealKernel, wait: str) -> None:
    """A cell that waits for the same run goes on to its end first."""
    kernel.run(SETUP + "one = job('one')")
    after(kernel, "one", "fired.append('after')")
    kernel.run(
        f"threading.Timer(0.05, gates['one'].set).start()\n{wait}\nfor _ in range(50): await asyncio.sleep(0)\n"
        "fired.append('cell')"
    )
    until(lambda: kernel.run("len(fired)").text == "2", "both run", pause_s=0.05)
    assert kernel.run("fired").text == "['cell', 'after']"


def test_what_it_raises_stands_below_it(kernel: RealKernel) -> None:
    """An error is shown as a cell's, and the kernel goes on."""
    kernel.run(SETUP + "one = job('one'); gates['one'].set()")
    failing = after(kernel, "one", "fired.append(1)\n1 / 0")
    kernel.wait_for(lambda: failing.result.error, "it fails")
    assert failing.result.error is not None
    assert failing.result.error.ename == "ZeroDivisionError"
    assert kernel.run("fired").text == "[1]"


def test_running_it_again_replaces_what_waits(kernel: RealKernel) -> None:
    """The older text never runs; another cell's waits on its own."""
    kernel.run(SETUP + "one = job('one')")
    after(kernel, "one", "fired.append('old')")
    after(kernel, "one", "fired.append('other')", cell_id="after-2")
    after(kernel, "one", "fired.append('new')")
    kernel.run("gates['one'].set(); one.wait(timeout=60)")
    until(lambda: kernel.run("len(fired)").text == "2", "both run", pause_s=0.05)
    assert kernel.run("sorted(fired)").text == "['new', 'other']"


def test_a_name_that_is_given_to_a_newer_run_is_waited_for(kernel: RealKernel) -> None:
    """Variables are looked at again when what they held has ended, a list of runs too."""
    kernel.run(SETUP + "one, rest = job('one'), [job('two'), job('three')]")
    waiting = after(kernel, "one rest", "[run.label for run in (one, *rest)]")
    kernel.run("one = job('newer')\nfor name in ('one', 'two', 'three'): gates[name].set()\nnb.gather(rest)")
    assert waiting.result.text is None
    kernel.run("gates['newer'].set()")
    kernel.wait_for(lambda: waiting.result.text, "it runs")
    assert waiting.result.text == "['newer', 'two', 'three']"


def test_a_label_of_another_kernels_run_will_do(kernel: RealKernel) -> None:
    """What is no variable is a label or an id; one that has ended long ago is waited for by nobody."""
    kernel.run(SETUP + "done = job('long ago'); gates['long ago'].set(); done.wait(timeout=60)")
    waiting = after(kernel, "'long ago'", "nb.get('long ago').status.value")
    kernel.wait_for(lambda: waiting.result.text, "it runs")
    assert waiting.result.text == "'completed'"


def test_without_cells_ids_it_waits_in_its_place(kernel: RealKernel) -> None:
    """As in nbclient and papermill: the next cell comes after it, and its failure is the cell's own."""
    kernel.run(SETUP + "one = job('one'); threading.Timer(0.05, gates['one'].set).start()")
    assert kernel.run("%%after one\nprint(one.content)").stdout == "one\n"
    failed = kernel.execute("%%after one\n1 / 0").error
    assert failed is not None
    assert failed.ename == "ZeroDivisionError"


def test_mistakes_are_told_in_two_lines(kernel: RealKernel) -> None:
    """A name that is none, no name, no cell, and an await at the cell's top."""
    kernel.run(SETUP + "one = job('one'); gates['one'].set(); text = 'one'")
    for code, said in {
        "%%after nothing_here\n1": "nothing_here",
        "%%after\n1": "NAME",
        "%%after one\n\n": "no cell to run",
        "%%after one\nawait one": "awaits",
    }.items():
        lines = shown(kernel, code)
        assert len(lines) == 2, lines
        assert said in lines[0]


def test_what_waited_in_a_kernel_that_is_gone_is_said_once(kernel: RealKernel) -> None:
    """The next kernel of the notebook names the cells at its first magic; one that has run is not named."""
    kernel.run(SETUP + "one, two = job('one'), job('two'); gates['two'].set()")
    ran = after(kernel, "two", "'ran'", cell_id="after-2")
    kernel.wait_for(lambda: ran.result.text, "it runs")
    after(kernel, "one", "fired.append(1)")
    kernel.kill9()
    kernel.restart()
    assert kernel.run("%load_ext nbagent").stdout == ""
    said = "%%after one: its cell waited in a kernel that is gone; run it again to have it wait\n"
    assert said in kernel.run("%%agent -q\nWhat is 6 * 7?").stdout
    assert said not in kernel.run("%agent list").stdout


@pytest.mark.timeout(600)  # 400 cells
def test_it_runs_once_whatever_comes_in_between(kernel: RealKernel) -> None:
    """50 random orders of ends, re-runs and Stops on each kernel: the last text runs once, a replaced one never."""
    kernel.run(SETUP)
    chance = random.Random(23)  # noqa: S311 - an order, no secret
    for number in range(50):
        names = [f"r{number}_{one}" for one in "ab"]
        kernel.run(f"first, second = job({names[0]!r}), job({names[1]!r}); fired.clear()")
        after(kernel, "first second", "fired.append(0)")
        steps = [f"gates[{name}].set()" for name in map(repr, names)] + ["again", "stop"]
        chance.shuffle(steps)
        version, ended = 0, 0
        for step in steps:
            if step == "again":
                if ended < len(names):  # what has run already would run again, rightly
                    version += 1
                    after(kernel, "first second", f"fired.append({version})")
            elif step == "stop":
                busy = kernel.execute_async("print('busy')\nthreading.Event().wait(2)")
                kernel.wait_for(lambda busy=busy: busy.result.stdout, "it is busy")
                kernel.interrupt()
                busy.wait()
            else:
                ended += 1
                kernel.run(step)
        until(lambda: kernel.run("fired").text != "[]", "it runs", pause_s=0.05)
        kernel.run("1")
        assert kernel.run("fired").text == f"[{version}]", (number, steps)
