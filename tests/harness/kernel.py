"""A real ipykernel behind a handle that a test can read: `RealKernel`.

    kernel.execute("1 + 1").text                       '2'
    busy = kernel.execute_async("time.sleep(5)")       returns at once; busy.wait(), busy.result, busy.done
    kernel.control("nbagent_request", {...})           a message on the control channel, its reply's content
    card = kernel.comm(_anywidget_id="mine.Counter")   a widget's state as a front end has it
    kernel.click(card, {"command": "cancel"})          a custom message, as a click sends it
    kernel.wait_for(lambda: ..., what="the run ends")  woken by each message that arrives, nothing polls

The sockets and their one thread are `kernel_channels.py`, the folds to outputs and widget states `outputs.py`, the start of a
process that has done its imports `warm_kernels.py`. All of this runs on the test's thread.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import KernelManager

from tests.harness import warm_kernels
from tests.harness.environment import is_measured, isolated_environment
from tests.harness.kernel_channels import Message, Wire
from tests.harness.outputs import Comm, ExecResult, comms_of, exec_result
from tests.harness.waiting import PATIENCE_S

START_TIMEOUT_S = 60.0
SUBSCRIPTION_S = 0.1  # what an idle message takes at most after its reply, once the output channel is there
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Execution:
    """One cell on its way; `result` may be asked at any time, also after its end (threads print late)."""

    wire: Wire
    msg_id: str

    @property
    def done(self) -> bool:
        """True once the kernel has replied and gone idle."""
        return self.wire.is_complete(self.msg_id)

    @property
    def result(self) -> ExecResult:
        """The outputs as of now."""
        return exec_result(self.wire.messages(), self.msg_id)

    def wait(self, timeout_s: float = PATIENCE_S) -> ExecResult:
        """Wait for the cell's end and return its outputs; TimeoutError with the outputs so far."""
        if not self.wire.wait_for(lambda: self.done, timeout_s):
            msg = f"the cell is still running after {timeout_s} s; so far {self.result!r}"
            raise TimeoutError(msg)
        return self.result


class RealKernel:
    """A kernel process of its own, in a project folder of its own, with a store of its own."""

    def __init__(
        self,
        folder: Path,
        *,
        python: str = sys.executable,
        env: Mapping[str, str] | None = None,
        cold: bool | None = None,
    ) -> None:
        """Prepare a kernel of `python` under `folder`; `start`, or `with`, starts it.

        Two kernels share a store when both get the same `env={"NBAGENT_STORE": ...}`. The process has nbagent
        and what it needs imported; `cold=True` starts it as Jupyter does, where imports are what is tested (and,
        if nothing is said, where coverage is measured).
        """
        self.project = folder / "project"
        self.project.mkdir(parents=True, exist_ok=True)
        self.python = python
        self.env = isolated_environment(folder, env)
        self.wire = Wire()
        self._log = (folder / "kernel.log").open("ab")
        self._manager = KernelManager()
        cold = is_measured() if cold is None else cold
        argv = [python, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        # the spec is given instead of found: this kernel is the one of `python`, wherever that is installed
        self._manager._kernel_spec = KernelSpec(
            argv=argv,
            display_name="test",
            language="python",
            metadata={} if cold else {"kernel_provisioner": {"provisioner_name": warm_kernels.NAME}},
        )

    # -- life ---------------------------------------------------------------------------------------------

    def start(self) -> Self:
        """Start the process and wait until its shell and its output channel both answer."""
        self._manager.start_kernel(
            env=self.env, cwd=str(self.project), stdout=self._log, stderr=self._log, stdin=None
        )
        client = self._manager.client()
        client.start_channels(hb=False, stdin=False)
        self.wire.open(client)
        try:
            self._wait_until_ready()
        except BaseException:
            self.shutdown()
            raise
        return self

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(self, *_: object) -> None:
        """Shut down."""
        self.shutdown()

    @property
    def store(self) -> Path:
        """The DuckDB file that this kernel's nbagent writes."""
        return Path(self.env["NBAGENT_STORE"])

    @property
    def pid(self) -> int:
        """The kernel's process id."""
        return int(self._manager.provisioner.process.pid)

    def interrupt(self) -> None:
        """Do what Stop does: SIGINT to the kernel's process group."""
        self._manager.interrupt_kernel()

    def kill9(self) -> None:
        """SIGKILL the kernel process alone, not its children, and wait until it is gone."""
        process = self._manager.provisioner.process
        os.kill(process.pid, signal.SIGKILL)
        process.wait(timeout=60)

    def restart(self) -> None:
        """Do what Restart does (or start again after `kill9`): same folder, same store, a new process."""
        self._manager.restart_kernel(now=not self._manager.is_alive())
        self._wait_until_ready()

    def shutdown(self, *, now: bool = True) -> None:
        """End the process and close the sockets; safe to call twice. `now=False` asks first, as a server does."""
        if self._manager.has_kernel:
            self._manager.shutdown_kernel(now=now and not is_measured())
        self.wire.close()
        self._log.close()

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            if not self._manager.is_alive():
                break
            probe = self.wire.send("shell", "kernel_info_request", {})
            self.wire.wait_for(lambda probe=probe: self.wire.is_replied(probe), 1.0)
            # asked again at once: a subscription to the output channel may come after the first answer
            if self.wire.wait_for(lambda probe=probe: self.wire.is_complete(probe), SUBSCRIPTION_S):
                return
        log = Path(self._log.name).read_text()[-2000:]
        msg = f"the kernel of {self.python} did not answer within {START_TIMEOUT_S} s; its log ends with:\n{log}"
        raise RuntimeError(msg)

    # -- cells --------------------------------------------------------------------------------------------

    def execute(self, code: str, timeout_s: float = PATIENCE_S) -> ExecResult:
        """Run a cell to its end. A cell that fails does not raise here: read `.error`."""
        return self.execute_async(code).wait(timeout_s)

    def run(self, code: str, timeout_s: float = PATIENCE_S) -> ExecResult:
        """Run a cell that must succeed; AssertionError with the cell's own traceback otherwise."""
        result = self.execute(code, timeout_s)
        if result.error is not None:
            raise AssertionError("the cell failed:\n" + "\n".join(result.error.traceback))
        return result

    def execute_async(self, code: str, *, cell_id: str | None = None) -> Execution:
        """Send a cell and return at once. `cell_id` goes along as JupyterLab sends it."""
        content = {
            "code": code,
            "silent": False,
            "store_history": True,
            "user_expressions": {},
            "allow_stdin": False,
            "stop_on_error": False,
        }
        metadata = {"cellId": cell_id} if cell_id else {}
        return Execution(self.wire, self.wire.send("shell", "execute_request", content, metadata=metadata))

    def complete(self, code: str, timeout_s: float = PATIENCE_S) -> list[str]:
        """Return the completions offered at the end of `code`."""
        request = {"code": code, "cursor_pos": len(code)}
        return list(self._reply(self.wire.send("shell", "complete_request", request), timeout_s)["matches"])

    # -- other channels -----------------------------------------------------------------------------------

    def control(
        self, msg_type: str, content: Mapping[str, Any], timeout_s: float = PATIENCE_S
    ) -> Mapping[str, Any]:
        """Send on the control channel, which is served while a cell is busy; return the reply's content."""
        return self._reply(self.wire.send("control", msg_type, content), timeout_s)

    def comms(self) -> dict[str, Comm]:
        """Return every comm that the kernel has opened, by id."""
        return comms_of(self.wire.messages())

    def comm(self, **state: object) -> Comm:
        """Return the newest open comm whose state has these values; LookupError when there is none."""
        comms = self.comms()
        for comm in reversed(comms.values()):
            if not comm.closed and all(comm.state.get(k) == v for k, v in state.items()):
                return comm
        known = [comm.state.get("_anywidget_id") or comm.state.get("_model_name") for comm in comms.values()]
        msg = f"no comm with {state!r} among {known!r}"
        raise LookupError(msg)

    def click(self, comm: Comm, content: object) -> str:
        """Send a widget's custom message on the shell channel, as a click in a front end does; return its id."""
        data = {"method": "custom", "content": content}
        return self.wire.send("shell", "comm_msg", {"comm_id": comm.comm_id, "data": data})

    def set_state(self, comm: Comm, **state: object) -> str:
        """Send a widget's changed traits, as `model.save_changes()` does; return the message's id."""
        data = {"method": "update", "state": state, "buffer_paths": []}
        return self.wire.send("shell", "comm_msg", {"comm_id": comm.comm_id, "data": data})

    def wait_for(self, predicate: Callable[[], T], what: str = "it", timeout_s: float = PATIENCE_S) -> T:
        """Return the predicate's first true value; TimeoutError that says `what` did not happen.

        The predicate is asked at each message from the kernel, so it must read what messages change: comms,
        an `Execution`'s result.
        """
        values: list[T] = []

        def holds() -> bool:
            values.append(predicate())
            return bool(values[-1])

        if not self.wire.wait_for(holds, timeout_s):
            msg = f"{what} did not happen within {timeout_s} s; last seen {values[-1]!r}"
            raise TimeoutError(msg)
        return values[-1]

    def _reply(self, msg_id: str, timeout_s: float) -> Mapping[str, Any]:
        def reply() -> Message | None:
            arrived = (m for m in self.wire.messages() if m.parent_id == msg_id and m.channel != "iopub")
            return next(arrived, None)

        message = self.wait_for(reply, f"a reply to {msg_id}", timeout_s)
        assert message is not None
        return message.content
