"""A real InteractiveShell with the extension, in this process: what needs IPython and no kernel."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config


@contextmanager
def loaded_shell() -> Iterator[InteractiveShell]:
    """A shell after `%load_ext nbagent`, without history; its `__main__` is taken back."""
    main = sys.modules["__main__"]
    shell = InteractiveShell(config=Config({"HistoryManager": {"enabled": False}}))
    try:
        shell.run_line_magic("load_ext", "nbagent")
        yield shell
        shell.run_line_magic("unload_ext", "nbagent")
    finally:
        sys.modules["__main__"] = main
