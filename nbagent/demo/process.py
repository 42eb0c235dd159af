"""The demo server as a child process that ends with this one.

Called by the provider table when a run uses a `demo:` model, on the background thread or any other.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import secrets
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Final

from nbagent.core import is_secret_name
from nbagent.errors import ProviderUnreachableError

_START_S: Final = 20.0
_STOP_S: Final = 2.0
TOKEN_VARIABLE: Final = "NBAGENT_DEMO_TOKEN"  # noqa: S105 - its name
_PACKAGES: Final = Path(__file__).resolve().parents[2]


class DemoProcessError(ProviderUnreachableError):
    """The demo server did not start; the message holds what it said."""


class DemoProcess:
    """One demo server, started when first asked for. Thread safe.

    The child reads a pipe whose only write end is ours, so it ends when this process does, killed or not. In a forked
    child of this process the server counts as not started.
    """

    def __init__(
        self, *, start_timeout_s: float = _START_S, token: str | None = None, **options: float
    ) -> None:
        """Prepare a server that takes the key `token`, any by default.

        `options` are those of `python -m nbagent.demo`, such as `speed=2`.
        """
        self._arguments = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
        self._start_timeout_s = start_timeout_s
        self.token = token
        self._reset()
        atexit.register(self.stop)

    def _reset(self) -> None:
        self._owner, self._lock = os.getpid(), threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._url = ""

    @property
    def pid(self) -> int | None:
        """The server's process id, or None where it does not run."""
        if self._owner != os.getpid():  # forked: the server, and a lock that may be held, are the parent's
            self._reset()
        process = self._process
        return None if process is None or process.poll() is not None else process.pid

    def start(self) -> str:
        """Start the server unless it runs, and give its base URL ("http://127.0.0.1:PORT/v1").

        Blocks for the start (about half a second; bounded). A server that died is started again.

        Raises:
            DemoProcessError: it did not come up.
        """
        if self.pid is None:
            with self._lock:
                if self.pid is None:
                    if self._process is not None:
                        _end(self._process)
                    process = self._spawn()
                    self._url = _await_ready(process, self._start_timeout_s)
                    self._process = process
        return self._url

    def stop(self) -> None:
        """End the server; nothing happens where it does not run, or not yet: at exit the pipe ends that one too."""
        if self.pid is not None and self._process is not None:
            _end(self._process)
            self._process = None

    def _spawn(self) -> subprocess.Popen[bytes]:
        # the server asks nobody, and needs no key
        environment = {name: value for name, value in os.environ.items() if not is_secret_name(name)}
        # -P: files beside the notebook must not shadow modules of the server
        if _PACKAGES.name not in ("site-packages", "dist-packages"):
            before = environment.get("PYTHONPATH")
            environment["PYTHONPATH"] = os.pathsep.join([str(_PACKAGES), *([before] if before else [])])
        if self.token is not None:
            environment[TOKEN_VARIABLE] = self.token
        command = [sys.executable, "-P", "-m", "nbagent.demo", "--child", *self._arguments]
        pipe, both = subprocess.PIPE, subprocess.STDOUT
        try:  # in a session of its own: Stop in the notebook goes to the kernel's whole group
            return subprocess.Popen(  # noqa: S603 - this Python, with arguments of our own
                command, stdin=pipe, stdout=pipe, stderr=both, env=environment, start_new_session=True
            )
        except OSError as error:
            what = f"the demo model's server could not be started: {error}"
            raise DemoProcessError(what, "check that this Python can start programs") from error


def _await_ready(process: subprocess.Popen[bytes], timeout_s: float) -> str:
    """Read what the child says until its "ready URL" line, for at most `timeout_s`; end it where none comes."""
    assert process.stdout is not None
    begun = time.monotonic()
    late = threading.Timer(timeout_s, process.kill)  # its output ends with it
    late.start()
    said = "it said nothing"
    with process.stdout:
        for line in process.stdout:
            said = line.decode(errors="replace").strip() or said
            if said.startswith("ready "):
                late.cancel()
                return said.removeprefix("ready ")
    waited = time.monotonic() - begun
    late.cancel()
    _end(process)
    raise DemoProcessError(
        f"the demo model's server did not come up within {waited:.1f} s: {said}",
        f"run `{sys.executable} -m nbagent.demo` in a terminal to see more",
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a child: closing its input is enough, unless it hangs."""
    assert process.stdin is not None
    with contextlib.suppress(OSError):
        process.stdin.close()
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(_STOP_S)


_shared = DemoProcess(token=secrets.token_urlsafe(24))


def demo_key() -> str:
    """Give the key that this process's demo server accepts."""
    assert _shared.token is not None
    return _shared.token


def demo_base_url() -> str:
    """Give the base URL of this process's demo server, starting it where needed.

    Raises:
        DemoProcessError: it did not come up.
    """
    return _shared.start()
