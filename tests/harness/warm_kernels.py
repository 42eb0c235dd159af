"""Warm kernels: each a process of its own, forked from one that has imported already what every kernel imports.

Starting Python and importing ipykernel, pandas, duckdb, openai and nbagent is seven eighths of the CPU that a
kernel and its first run cost. `forking.py` does it once for each Python and each process of the session; from there
on a warm kernel shares nothing with another. `RealKernel` names this provisioner; jupyter_client calls it, on the
thread that starts the kernel.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import subprocess
import tempfile
import threading
from collections.abc import Mapping, Sequence
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import psutil
from jupyter_client.provisioning import KernelProvisionerFactory, LocalProvisioner

from tests.harness.environment import isolated_environment

NAME = "nbagent-warm"
END_S = 5.0


class ForkedKernel:
    """A kernel that is not this process's child, with what jupyter_client asks a `Popen`."""

    stdin = stdout = stderr = None

    def __init__(self, pid: int) -> None:
        """Take over a process."""
        self.pid = pid
        self._process = psutil.Process(pid)

    def wait(self, timeout: float | None = None) -> int:
        """Return once it is gone; 0, because how it ended is not known here."""
        self._process.wait(timeout)
        return 0

    def poll(self) -> int | None:
        """None while it runs."""
        try:
            return self.wait(0)
        except psutil.TimeoutExpired:
            return None

    def send_signal(self, signum: int) -> None:
        """Do nothing to one that is gone."""
        with contextlib.suppress(psutil.NoSuchProcess):
            self._process.send_signal(signum)


class Warm:
    """One forking program. Thread safe."""

    def __init__(self, python: str) -> None:
        """Start the program in this Python, and wait until its imports are done."""
        self._lock = threading.Lock()
        self._home = tempfile.TemporaryDirectory(prefix="nbagent-warm-")
        self._log = (Path(self._home.name) / "log").open("w+")
        self._process = subprocess.Popen(
            [python, "-m", "tests.harness.forking"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            cwd=self._home.name,
            env=isolated_environment(Path(self._home.name)),
            start_new_session=True,  # Ctrl-C is for pytest, which ends what it started
        )
        atexit.register(self._end)
        self._reply()

    def fork(self, arguments: Sequence[str], env: Mapping[str, str], cwd: str, log: str) -> ForkedKernel:
        """Return a new kernel, which has yet to open its sockets."""
        request = {"arguments": list(arguments), "env": dict(env), "cwd": cwd, "log": log}
        with self._lock:
            assert self._process.stdin is not None
            print(json.dumps(request), file=self._process.stdin, flush=True)
            return ForkedKernel(int(self._reply()))

    def _reply(self) -> str:
        """Wait for a line."""
        assert self._process.stdout is not None
        if line := self._process.stdout.readline():
            return line
        said = Path(self._log.name).read_text()[-2000:]
        msg = f"the program that forks kernels has ended; its log ends with:\n{said}"
        raise RuntimeError(msg)

    def _end(self) -> None:
        self._process.communicate(timeout=END_S)
        self._log.close()
        self._home.cleanup()


_by_python: dict[str, Warm] = {}
_lock = threading.Lock()


def warm(python: str) -> Warm:
    """Return the forking program of this Python, started at the first call."""
    with _lock:
        if python not in _by_python:
            _by_python[python] = Warm(python)
        return _by_python[python]


class WarmProvisioner(LocalProvisioner):
    """Starts a kernel as a fork instead of as a new program; all else is the same."""

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        """Have the imports done before ports are chosen: another process could take them meanwhile."""
        warm(self.kernel_spec.argv[0])
        return await super().pre_launch(**kwargs)

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        """Fork the kernel of the command `PYTHON -m MODULE ARGUMENTS...`."""
        python, _, _, *arguments = cmd
        cwd = str(kwargs["cwd"])
        self.process = warm(python).fork(arguments, kwargs["env"], cwd, kwargs["stdout"].name)
        self.pid = self.pgid = self.process.pid  # a kernel leads a process group of its own
        self.cwd = cwd
        return self.connection_info


KernelProvisionerFactory.provisioners[NAME] = EntryPoint(
    NAME, f"{__name__}:{WarmProvisioner.__name__}", KernelProvisionerFactory.GROUP_NAME
)
