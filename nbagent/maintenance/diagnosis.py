"""What is installed, set and at hand here, for a person and for a report of a fault. Never a key, only whether one is set.

Called on the main thread; it starts no server, asks only servers on this machine whether they are there, and opens
the record only where there is one.
"""

from __future__ import annotations

import asyncio
import os
import platform
import stat
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import MappingProxyType
from typing import Any

from nbagent import kernel, runtime, settings
from nbagent.core import format_bytes
from nbagent.errors import NBAgentError, ProviderUnreachableError
from nbagent.models import (
    default_model_name,
    is_loopback,
    keys_set,
    lines_to_real,
    provider_status,
    resolve_model,
    served_models,
)
from nbagent.store import RunStore, ServerMirror, check_server

_PACKAGES = (
    "nbagent-jupyter", "duckdb", "openai", "pydantic", "pandas", "jinja2", "ipython", "ipykernel", "jupyter-client",
    "ipywidgets", "anywidget", "jupyterlab", "notebook", "mcp", "opentelemetry-sdk", "genai-prices", "psycopg",
)  # fmt: skip
ANSWER_S = 1.0  # in which a server on this machine has answered, if it is there
_PRIVATE = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What was found: values by name, in sections. Printed, a table; `sections` is the data."""

    sections: Mapping[str, Mapping[str, str]]

    def __repr__(self) -> str:
        width = max((len(name) for section in self.sections.values() for name in section), default=0)
        lines: list[str] = []
        for title, section in self.sections.items():
            lines += [title, *(f"  {name:<{width}}  {value}" for name, value in section.items())]
        return "\n".join(lines)

    def __getitem__(self, title: str) -> Mapping[str, str]:
        return self.sections[title]


def doctor() -> Diagnosis:
    """Say which model answers now, what is installed, where the record is, which keys are set, what the kernel can do.

    Never a key. A server on this machine is ready if it answers; that is waited for one second at most.

    >>> nb.doctor()["providers"]["demo"]
    'needs no key, ready'
    """
    parts = {
        "model": _model(),
        "versions": _versions(),
        "record": _record(),
        "options": _options(),
        "providers": _providers(),
        "kernel": _kernel(),
    }
    return Diagnosis(MappingProxyType(parts))


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "platform": platform.platform()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def _record() -> dict[str, str]:
    store = runtime.current().store
    if store.mirror is not None:
        return _server_record(store, store.mirror)
    path = store.path
    found = {"path": store.name, "set by": settings.source_of("store"), "this process": store.owner}
    if not path.exists():
        return {**found, "file": "not there yet: the first run makes it" if store.untouched else "on its way"}
    found["size"] = ", ".join(
        f"{format_bytes(one.stat().st_size)} in {one.name}" for one in _files(path) if one.exists()
    )
    status = path.stat()
    mode = stat.filemode(status.st_mode)
    found["file"] = f"{mode}, owner {_user(status.st_uid)}" + (
        ", others can read it" if status.st_mode & _PRIVATE and os.name == "posix" else ""
    )
    return {**found, **_content(store)}


def _server_record(store: RunStore, mirror: ServerMirror) -> dict[str, str]:
    """Return where a server's record is, what it holds, who holds it back, and what this machine keeps of it."""
    found = {"path": store.name, "set by": settings.source_of("store"), "this process": store.owner}
    try:
        with mirror.server() as server:
            found |= check_server(server)
    except NBAgentError as error:
        return {**found, "trouble": f"{error.what}; {error.todo}"}
    file = mirror.path
    if file.is_file():
        found["mirror"] = f"{format_bytes(file.stat().st_size)} in {file}"
    return {**found, **_content(store)}


def _content(store: RunStore) -> dict[str, str]:
    """Return what the record holds, or why it cannot be read."""
    try:
        (row,) = store.read(_COUNTS, timeout_s=3.0)
    except NBAgentError as error:
        return {"trouble": f"{error.what}; {error.todo}"}
    counts = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in row.items())
    return {"holds": counts, "trouble": (store.trouble or "none").replace("\n", "; ")}


_COUNTS = """
select (select max(version) from schema_version)::bigint as schema, (select count(*) from launches) as runs,
       (select count(*) from model_calls) as model_calls, (select count(*) from answers) as answers
"""


def _files(path: Path) -> tuple[Path, Path]:
    return path, path.with_name(path.name + ".wal")


def _options() -> dict[str, str]:
    """Return the options that are not as they are by default, and where each comes from."""
    found = {}
    for name in settings.OPTIONS:
        try:
            value, where = settings.get(name), settings.source_of(name)
        except NBAgentError as error:
            found[name] = f"{error.what}; {error.todo}"
            continue
        if where != "default":
            found[name] = f"{value!r:.200} ({where})"
    return found or {"all": "as they are by default"}


def _model() -> dict[str, str]:
    """Return which model answers where none is named, why, and what to type where that is the demo."""
    try:
        configured = settings.get("model")
        where = settings.source_of("model")
    except NBAgentError as error:
        return {"answers now": f"none: {error.what}; {error.todo}"}
    name = default_model_name(configured, os.environ)
    if configured:
        found = {"answers now": f"{name} ({where})"}
        try:
            resolve_model(name).check()
        except NBAgentError as error:
            found["but"] = f"{error.what}; {error.todo}"
    else:
        found = {"answers now": f"{name}: no model is named, so the demo answers"}
    if name.startswith("demo:"):
        lines = lines_to_real()
        found |= {
            ("for a real one type" if number == 0 else "then"): line for number, line in enumerate(lines)
        }
    keys = keys_set()
    found["keys that are set"] = ", ".join(f"{key} (for {name})" for key, name in keys.items()) or "none"
    return found


def _local_servers(rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return what the servers say that are to be on this machine, by their providers: each is asked for its models."""
    asked = [row for row in rows if row["base_url"] and is_loopback(row["base_url"])]
    thread = runtime.current().thread
    if not asked or thread.is_current():
        return {}

    async def ask(row: Mapping[str, Any]) -> str:
        url = row["base_url"]
        try:
            async with asyncio.timeout(ANSWER_S):
                served = await served_models(row["provider"], timeout_s=ANSWER_S)
        except (ProviderUnreachableError, TimeoutError):
            return f"nobody answers at {url}"
        except NBAgentError as error:
            return f"answers at {url}, but: {error.what}"
        return f"ready: answers at {url} with {len(served)} model{'' if len(served) == 1 else 's'}"

    async def ask_all() -> list[str]:
        return await asyncio.gather(*map(ask, asked))

    return dict(zip((row["provider"] for row in asked), thread.submit(ask_all()).result(), strict=True))


def _providers() -> dict[str, str]:
    found = {}
    rows = provider_status()
    local = _local_servers(rows)
    for row in rows:
        variable = row["key_variable"]
        if variable is None:
            key = "needs no key"
        else:
            key = f"{variable} is {'set' if os.environ.get(variable, '').strip() else 'not set'}"
        ready = local.get(row["provider"]) or ("ready" if row["configured"] else "")
        found[row["provider"]] = ", ".join(filter(None, (key, ready)))
    return found


def _kernel() -> dict[str, str]:
    shell = kernel.shell()
    running = kernel.kernel_of(shell)
    unfinished = {"runs at work": str(len(runtime.current().unfinished()))}
    if running is None:
        where = "an IPython terminal" if shell is not None else "plain Python"
        return {"here": f"{where}, no Jupyter kernel", **unfinished}
    handlers = getattr(running, "control_handlers", None)
    return {
        "here": f"{type(running).__name__}, Python at {sys.executable}",
        "control messages": "yes" if handlers is not None else "no",
        "busy-kernel route": _route(running, handlers),
        "subshells": _yes(getattr(running, "_supports_kernel_subshells", None)),
        "cell ids": "yes" if kernel.current_cell_id() else "this front end sends none",
        "typed input": _yes(getattr(running, "_allow_stdin", None)),
        **unfinished,
    }


def _route(running: Any, handlers: Any) -> str:
    """How a click reaches the runs while a cell is busy."""
    if handlers is not None and kernel.REQUEST in handlers:
        return "control channel"
    if handlers is not None:
        return "control channel, once %load_ext nbagent has run"
    if getattr(running, "_supports_kernel_subshells", False):
        return "widget messages over a subshell"
    return "none: clicks are heard after the cell"


def _yes(found: object) -> str:
    return "unknown" if found is None else ("yes" if found else "no")


def _user(uid: int) -> str:
    try:
        import pwd

        return pwd.getpwuid(uid).pw_name
    except (ImportError, KeyError):
        return str(uid)
