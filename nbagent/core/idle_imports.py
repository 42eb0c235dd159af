"""Import what the first run needs while the user's kernel is idle: no file, no network, one thread that ends by itself.

`nbagent/kernel.py` says when a cell begins and ends, on the main thread. The modules come one at a time, each only
while no cell runs and the last has been over for a moment, so that a cell never waits for more than the module that is
being imported. The thread stops between modules and never within one: it holds no import lock while it waits.
"""

from __future__ import annotations

import atexit
import contextvars
import importlib
import os
import sys
import threading
import time
from collections.abc import Iterable

IDLE_S = 0.1  # after a cell's end: of cells that run one after the other each finds the kernel to itself
EXIT_S = 2.0  # an extension module that is being loaded while the interpreter ends may abort the process


class IdleImports:
    """Imports `modules` in order between cells; a module that cannot be imported is left to whoever needs it."""

    def __init__(self, modules: Iterable[str]) -> None:
        self._modules = [name for name in modules if name not in sys.modules]
        self._idle = threading.Event()
        self._idle_since = 0.0
        self._stopped = False
        self._one_module = threading.Lock()  # held while a module is imported
        self._thread: threading.Thread | None = None

    def cell_begins(self) -> None:
        """Begin no further module."""
        self._idle.clear()

    def cell_ended(self) -> None:
        """Go on once the kernel has been idle for a moment; the first time this starts the thread."""
        self._idle_since = time.monotonic()
        self._idle.set()
        if self._thread is None and self._modules and not self._stopped:
            context = contextvars.Context()  # not the cell's: it would be kept, and printed into
            self._thread = threading.Thread(
                target=context.run, args=(self._work,), name="nbagent-imports", daemon=True
            )
            self._thread.start()
            atexit.register(self.stop)
            os.register_at_fork(
                before=self._before_fork, after_in_parent=self._after_fork, after_in_child=self._in_child
            )

    def stop(self) -> None:
        """Begin no further module, and wait for the one that is being imported."""
        self._stopped = True
        self._idle.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(EXIT_S)
        atexit.unregister(self.stop)

    def _work(self) -> None:
        for name in self._modules:
            while not self._stopped:
                self._idle.wait()
                left_s = self._idle_since + IDLE_S - time.monotonic()
                if left_s > 0:
                    time.sleep(left_s)
                elif self._idle.is_set():
                    break
            if self._stopped:
                return
            with self._one_module:
                try:
                    importlib.import_module(name)
                except BaseException:  # noqa: BLE001, S112 - the run that needs it says what is wrong with it
                    continue

    # A child that is forked within an import would never get that module's lock.

    def _before_fork(self) -> None:
        self._held = self._one_module.acquire(timeout=EXIT_S)

    def _after_fork(self) -> None:
        if self._held:
            self._one_module.release()

    def _in_child(self) -> None:
        self._stopped = True
        self._thread = None
        self._one_module = threading.Lock()
