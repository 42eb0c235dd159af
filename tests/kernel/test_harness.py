"""The kernel harness shows what a notebook shows, on both kernels of the matrix."""

import os
import subprocess
import sys

import pytest

from tests.harness.kernel import RealKernel

pytestmark = pytest.mark.kernel

COUNTER = """
import anywidget, traitlets
class Counter(anywidget.AnyWidget):
    _esm = "export default { render() {} }"
    count = traitlets.Int(0).tag(sync=True)
counter = Counter()
def heard(widget, content, buffers):
    widget.count += content["by"]
    widget.send({"heard": content["by"]})
counter.on_msg(heard)
counter
"""

CONTROL_HANDLER = """
import asyncio, time
kernel = get_ipython().kernel
def echo(stream, ident, parent):
    kernel.session.send(stream, "echo_reply", {"got": parent["content"]["value"]}, parent, ident=ident)
async def aecho(stream, ident, parent):
    echo(stream, ident, parent)
kernel.control_handlers["echo_request"] = aecho
"""


def test_the_matrix_runs_the_kernels_it_names(kernel, kernel_version):
    """Each leg of the matrix is the ipykernel that its name says."""
    major = kernel.run("import ipykernel; ipykernel.version_info[0]").text
    assert major == kernel_version.removeprefix("ipykernel")


@pytest.fixture
def forked(kernel_python, tmp_path):
    """A kernel that is a fork, measured or not."""
    with RealKernel(tmp_path / "forked", python=kernel_python, cold=False) as running:
        yield running


def test_a_kernel_has_done_its_imports_and_shares_no_state(forked, kernel_python, tmp_path):
    """What one kernel does to its variables, modules and environment is not seen in another."""
    with RealKernel(tmp_path / "other", python=kernel_python, cold=False) as other:
        other.run(
            "import os, sys, nbagent; x = nbagent.x = 1; os.environ['X'] = '1'; sys.modules['x'] = nbagent"
        )
        forked.run("import os, sys, nbagent")
        seen = "[name in where for name, where in (('x', globals()), ('x', vars(nbagent)), ('X', os.environ), ('x', sys.modules))]"
        assert other.run(seen).text == "[True, True, True, True]"
        assert forked.run(seen).text == "[False, False, False, False]"
        assert forked.run("{'nbagent.runtime', 'aiohttp', 'pandas'} <= set(sys.modules)").text == "True"


def test_a_kernel_is_what_jupyter_starts(forked, cold_kernel):
    """Imports apart, it is as a cold one: name, arguments, module path, folder, session; and what pandas asks of it."""
    itself = "import os, signal, sys, threading\n"
    itself += "__name__, sys.argv[:2], sys.path, os.getcwd(), sys.flags, os.getpid() == os.getpgid(0) == os.getsid(0), "
    itself += (
        "[getattr(of, '__name__', of) for of in map(signal.getsignal, (signal.SIGCHLD, signal.SIGTERM))], "
    )
    itself += "sorted(os.environ), "
    itself += "sorted(type(thread).__name__ for thread in threading.enumerate())"
    found = [one.run(itself).text.replace(str(one.project), "HERE") for one in (forked, cold_kernel)]
    assert found[0] == found[1]
    options = "import pandas; print(pandas.describe_option('', _print_desc=False))"
    assert forked.run(options).stdout.lower() == cold_kernel.run(options).stdout.lower()  # UTF-8 is utf-8
    kept_out = "sorted({'IPython.core.getipython', 'anywidget', 'duckdb', 'ipywidgets'} & set(sys.modules))"
    assert forked.run(kept_out).text == cold_kernel.run(kept_out).text == "['IPython.core.getipython']"


def test_a_cold_kernel_has_imported_nothing_of_nbagent(cold_kernel):
    """It is started as Jupyter starts one."""
    code = (
        "import sys; sorted(name for name in sys.modules if name.startswith(('nbagent', 'openai', 'duckdb')))"
    )
    assert cold_kernel.run(code).text == "[]"


def test_a_cell_gives_value_streams_and_error(kernel):
    """A cell's value, both streams and its error are read apart."""
    good = kernel.execute("import sys\nprint('out')\nprint('err', file=sys.stderr)\n6 * 7")
    assert (good.status, good.text, good.stdout, good.stderr) == ("ok", "42", "out\n", "err\n")
    assert good.error is None
    bad = kernel.execute("1 / 0")
    assert bad.status == "error"
    assert str(bad.error) == "ZeroDivisionError: division by zero"


def test_a_display_updated_by_a_thread_changes_the_cell_that_shows_it(kernel):
    """Updates of a display reach the launching cell's outputs after the cell has ended."""
    launching = kernel.execute_async(
        "import threading; from IPython.display import display\n"
        "go = threading.Event(); handle = display('first', display_id=True)\n"
        "def later():\n"
        "    go.wait(); handle.update('second'); print('from the thread')\n"
        "thread = threading.Thread(target=later); thread.start()"
    )
    assert launching.wait().displays[0]["text/plain"] == "'first'"
    kernel.run("go.set(); thread.join()")
    kernel.wait_for(lambda: launching.result.displays[0]["text/plain"] == "'second'", "the update")


def test_interrupt_stops_a_busy_cell_and_the_kernel_lives(kernel):
    """Stop ends the cell with KeyboardInterrupt and nothing else."""
    cell = kernel.execute_async("print('busy', flush=True)\nimport time\ntime.sleep(60)")
    kernel.wait_for(lambda: "busy" in cell.result.stdout, "the cell starts")
    kernel.interrupt()
    error = cell.wait(60).error
    assert error is not None
    assert error.ename == "KeyboardInterrupt"
    assert kernel.run("1").text == "1"


def test_the_control_channel_answers_while_a_cell_is_busy(kernel):
    """A control message is replied to before the busy cell has ended."""
    kernel.run(CONTROL_HANDLER)
    cell = kernel.execute_async("print('busy', flush=True)\ntime.sleep(3)")
    kernel.wait_for(lambda: "busy" in cell.result.stdout, "the cell starts")
    assert kernel.control("echo_request", {"value": 5}) == {"got": 5}
    assert not cell.done
    kernel.interrupt()
    cell.wait(60)


def test_a_click_on_a_widget_changes_its_state(kernel):
    """A custom message reaches the widget's handler; its state and its answer come back."""
    kernel.run(COUNTER)
    counter = kernel.comm(_anywidget_id="__main__.Counter")
    assert counter.state["count"] == 0
    kernel.click(counter, {"by": 3})
    kernel.wait_for(lambda: kernel.comms()[counter.comm_id].received == [{"heard": 3}], "the answer")
    assert kernel.comms()[counter.comm_id].state["count"] == 3


def test_killed_and_restarted_the_kernel_keeps_its_folder_and_loses_its_memory(kernel):
    """SIGKILL ends the process at once; restart brings a new one in the same project."""
    kernel.run("x = 1; open('kept', 'w').close()")
    first = kernel.pid
    kernel.kill9()
    with pytest.raises(ProcessLookupError):
        os.kill(first, 0)
    kernel.restart()
    assert kernel.pid != first
    assert str(kernel.execute("x").error) == "NameError: name 'x' is not defined"
    assert kernel.run("import os; os.path.exists('kept')").text == "True"


def test_no_key_and_no_option_of_the_developer_reaches_a_kernel(kernel, tmp_path):
    """A kernel's only nbagent option is its own store; keys stay outside."""
    code = "[n for n in os.environ if n.startswith(('NBAGENT', 'OPENAI')) or n.endswith('_API_KEY')]"
    assert kernel.run("import os; " + code).text == "['NBAGENT_STORE']"
    assert kernel.store.is_relative_to(tmp_path)


def test_processes_that_tests_start_keep_compiled_modules():
    """Also where the developer's environment says not to write any: then they are kept outside of the tree."""
    code = "import sys; print(sys.dont_write_bytecode, sys.pycache_prefix)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.split() == ["False", str(sys.pycache_prefix)]
    assert sys.dont_write_bytecode is False
