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
import weakref
from pathlib import Path
from typing import IO, Final

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
        self._forget()
        _alive.add(self)

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._url = ""

    @property
    def pid(self) -> int | None:
        """The server's process id, or None where it does not run."""
        process = self._process
        return None if process is None or process.poll() is not None else process.pid

    def start(self) -> str:
        """Start the server unless it runs, and give its base URL ("http://127.0.0.1:PORT/v1").

        Blocks for the start (about half a second; bounded). A server that died is started again.

        Raises:
            DemoProcessError: it did not come up.
        """
        with self._lock:
            if self.pid is None:
                if self._process is not None:
                    _end(self._process)
                process = self._spawn()
                self._url = _await_ready(process, self._start_timeout_s)
                self._process = process
            return self._url

    def stop(self) -> None:
        """End the server; nothing happens where it does not run.

        Waits a second at most for a start on another thread: at exit the pipe ends that server too.
        """
        if self._lock.acquire(timeout=1):
            try:
                if self._process is not None:
                    _end(self._process)
                self._process = None
            finally:
                self._lock.release()

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
    said = ["it said nothing"]
    reader = threading.Thread(target=_read_until_ready, args=(process.stdout, said), daemon=True)
    begun = time.monotonic()
    reader.start()
    reader.join(timeout_s)
    waited = time.monotonic() - begun
    if said[-1].startswith("ready "):
        process.stdout.close()
        return said[-1].removeprefix("ready ")
    _end(process)
    reader.join(_STOP_S)
    process.stdout.close()
    raise DemoProcessError(
        f"the demo model's server did not come up within {waited:.1f} s: {said[-1]}",
        f"run `{sys.executable} -m nbagent.demo` in a terminal to see more",
    )


def _read_until_ready(pipe: IO[bytes], said: list[str]) -> None:
    with contextlib.suppress(OSError, ValueError):
        while not said[-1].startswith("ready ") and (line := pipe.readline()):
            said += [line.decode(errors="replace").strip()] if line.strip() else []


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


_alive: weakref.WeakSet[DemoProcess] = weakref.WeakSet()
_inherited: list[subprocess.Popen[bytes] | None] = []  # kept, so that a forked child does not reap them


def _after_fork_in_child() -> None:
    """Let go of the parent's servers."""
    for owner in list(_alive):
        _inherited.append(owner._process)  # noqa: SLF001 - this module's own class
        owner._forget()  # noqa: SLF001


@atexit.register
def _stop_all() -> None:
    for owner in list(_alive):
        owner.stop()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)

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
