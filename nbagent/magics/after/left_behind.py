# ruff: noqa: T201 - a magic talks to the person by printing under its cell
"""Cells of `%%after` that waited in a kernel which is gone: the next kernel of that notebook says so, once.

What waits stands in a small file beside the kernel's connection file, named after the notebook (as Jupyter's server
names its session, else after the kernel), with the process that has it. It is taken away once nothing waits.
On the kernel's main thread.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

_looked = False


def _file() -> Path | None:
    """Return the notebook's file; None outside of a kernel."""
    from IPython.core.getipython import get_ipython

    kernel = getattr(get_ipython(), "kernel", None)
    connection = getattr(getattr(kernel, "parent", None), "connection_file", "")
    if not connection:
        return None
    name = os.environ.get("JPY_SESSION_NAME") or connection
    digest = hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()[:20]
    return Path(connection).absolute().parent / f"nbagent-after-{digest}.json"


def remember(lines: Sequence[str]) -> None:
    """Keep what waits now, as it was typed; with nothing the file goes. A file that cannot be written is done without."""
    path = _file()
    if path is None:
        return
    from nbagent.store import current_process_id

    with suppress(OSError):
        if not lines:
            path.unlink(missing_ok=True)
            return
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump({"process": current_process_id(), "lines": list(lines)}, file)


def say_gone() -> None:
    """Print a line for each cell that waited in an earlier kernel of this notebook; looks once for a kernel."""
    global _looked  # noqa: PLW0603 - once for a process
    if _looked:
        return
    _looked = True
    path = _file()
    if path is None or not path.exists():
        return
    from nbagent.store import is_alive

    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if is_alive(str(found["process"])) is not False:
            return
        lines = [str(line) for line in found["lines"]]
    except (OSError, ValueError, KeyError, TypeError):
        return
    for line in lines:
        print(f"%%after {line}: its cell waited in a kernel that is gone; run it again to have it wait")
    with suppress(OSError):
        path.unlink()
