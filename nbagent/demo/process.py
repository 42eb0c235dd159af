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

    The child holds the read end of a pipe whose only write end is ours, so it ends when this process
    does, killed or not. In a forked child of this process the server counts as not started.
    """

    def __init__(
        self, *, start_timeout_s: float = _START_S, token: str | None = None, **options: float
    ) -> None:
        """Prepare a server that takes the key `token`, any by default.

        `options` are those of `python -m nbagent.demo`, such as `speed=2`.
        """
        given = ((f"--{name.replace('_', '-')}", str(value)) for name, value in options.items())
        self._arguments = [word for pair in given for word in pair]
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
            if self._process is not None and self._process.poll() is None:
                return self._url
            if self._process is not None:
                _close(self._process)
                self._process = None
            process = self._spawn()
            try:
                self._url = _await_ready(process, self._start_timeout_s)
            except BaseException:
                _end(process)
                raise
            self._process = process
            return self._url

    def stop(self) -> None:
        """End the server; nothing happens where it does not run.

        Waits a second at most for a start on another thread: at exit the pipe ends that server too.
        """
        if not self._lock.acquire(timeout=1):
            return
        try:
            if self._process is not None:
                _end(self._process)
                self._process = None
        finally:
            self._lock.release()

    def _spawn(self) -> subprocess.Popen[bytes]:
        environment = _environment()
        # -P: files beside the notebook must not shadow modules of the server
        if _PACKAGES.name not in ("site-packages", "dist-packages"):
            before = environment.get("PYTHONPATH")
            environment["PYTHONPATH"] = os.pathsep.join([str(_PACKAGES), *([before] if before else [])])
        if self.token is not None:
            environment[TOKEN_VARIABLE] = self.token
        command = [sys.executable, "-P", "-m", "nbagent.demo", "--child", *self._arguments]
        try:
            return subprocess.Popen(  # noqa: S603 - this Python, with arguments of our own
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment,
                start_new_session=True,  # Stop in the notebook goes to the kernel's whole group
            )
        except OSError as error:
            raise DemoProcessError(
                f"the demo model's server could not be started: {error}",
                "check that this Python can start programs",
            ) from error


def _environment() -> dict[str, str]:
    """This process's variables, without what is a secret: the server asks nobody, and needs no key."""
    return {name: value for name, value in os.environ.items() if not is_secret_name(name)}


def _await_ready(process: subprocess.Popen[bytes], timeout_s: float) -> str:
    """Read the child's "ready URL" line, for at most `timeout_s`."""
    lines: list[bytes] = []
    assert process.stdout is not None
    reader = threading.Thread(target=lambda: lines.append(_first_line(process)), daemon=True)
    begun = time.monotonic()
    reader.start()
    reader.join(timeout_s)
    word, _, url = (lines[0] if lines else b"").decode(errors="replace").strip().partition(" ")
    if word == "ready":
        process.stdout.close()
        assert process.stderr is not None
        process.stderr.close()
        return url
    _end(process, close=False)
    reader.join(_STOP_S)
    said = b"" if process.stderr is None else process.stderr.read()
    tail = said.decode(errors="replace").strip().splitlines()[-1:] or ["it said nothing"]
    waited = f"within {time.monotonic() - begun:.1f} s"
    raise DemoProcessError(
        f"the demo model's server did not come up {waited}: {tail[0]}",
        f"run `{sys.executable} -m nbagent.demo` in a terminal to see more",
    )


def _first_line(process: subprocess.Popen[bytes]) -> bytes:
    assert process.stdout is not None
    with contextlib.suppress(OSError, ValueError):
        return process.stdout.readline()
    return b""


def _end(process: subprocess.Popen[bytes], *, close: bool = True) -> None:
    """End a child: closing its input is enough, unless it hangs."""
    assert process.stdin is not None
    with contextlib.suppress(OSError):
        process.stdin.close()
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(_STOP_S)
    if close:
        _close(process)


def _close(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()


_alive: weakref.WeakSet[DemoProcess] = weakref.WeakSet()
_inherited: list[subprocess.Popen[bytes]] = []  # kept, so that a forked child does not reap them


def _after_fork_in_child() -> None:
    """Let go of the parent's servers: the pipe's copy here would keep them alive."""
    for owner in list(_alive):
        process = owner._process  # noqa: SLF001 - this module's own class
        if process is not None:
            _close(process)
            process.returncode = 0  # not ours to wait for
            _inherited.append(process)
        owner._forget()  # noqa: SLF001


def _stop_all() -> None:
    for owner in list(_alive):
        owner.stop()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
atexit.register(_stop_all)

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
