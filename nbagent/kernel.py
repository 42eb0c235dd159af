"""What nbagent knows of IPython and ipykernel: cell ids, the control handler, displays, the user's namespace.

Called by the magics (load, unload, cell ids) and `panel/` (displays, commands, cell ends) on the kernel's
main thread; `_answer` runs on the control thread, and `publish` on any. Nothing here imports IPython: it is
looked for among the loaded modules, so that everything also works, and does less, in a plain Python process.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import inspect
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbagent.core import IdleImports

REQUEST, REPLY = "nbagent_request", "nbagent_reply"

# who shows objects of a type, by the names of the modules that define them: nothing is imported until one is shown
_RUN, _OUTPUT, _BATCH = (
    ("nbagent.runtime.run_handle", "Run"),
    ("nbagent.run.output", "RunOutput"),
    ("nbagent.batch.batch", "Batch"),
)
_SUMMARIES = {"text/html": "nbagent.panel:summary_html", "text/plain": "nbagent.panel:summary_plain"}
_LIVE = "nbagent.panel:show_value"

Command = Mapping[str, Any]

_command_handler: Callable[[Command], bool] | None = None
_cell_end_callbacks: list[Callable[[], None]] = []

# what a first run with its card needs, in an order in which each costs little more than itself
_FIRST_RUN = (
    "pydantic_core", "orjson", "pydantic.types", "pydantic.main", "pydantic.json_schema",
    "nbagent.events", "nbagent.run.output", "nbagent.run.record",
    "nbagent.tools", "nbagent.schemas", "nbagent.models.protocol", "nbagent.models", "nbagent.loop",
    "nbagent.store.commands", "nbagent.store", "nbagent.runtime", "nbagent.batch", "nbagent.agent",
    "_duckdb", "duckdb", "attr", "yarl", "aiohttp.http", "aiohttp", "jinja2", "nbagent.prompts",
    "ipywidgets", "anywidget", "nbagent.panel", "nbagent.panel.card.widget",
    "genai_prices.types", "httpx2", "genai_prices", "genai_prices.data",
)  # fmt: skip
_idle_imports: IdleImports | None = None


# ------------------------------------------------------------------- looking


def shell() -> Any:
    """Return the running InteractiveShell, or None in plain Python."""
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython is not None else None


def kernel_of(ip: Any) -> Any:
    """Return the shell's ipykernel, or None in a terminal."""
    return getattr(ip, "kernel", None)


def in_kernel() -> bool:
    """Say whether this process is a Jupyter kernel, whatever front end it has."""
    return kernel_of(shell()) is not None


def current_cell_id() -> str | None:
    """Return the front end's id of the cell that runs now, or None where it sends none."""
    cell_id = (current_parent().get("metadata") or {}).get("cellId")
    return str(cell_id) if cell_id else None


def current_request() -> str | None:
    """Return the id of the request that runs now, one for each execution of a cell; None outside of a kernel."""
    return (current_parent().get("header") or {}).get("msg_id")


def current_parent() -> Mapping[str, Any]:
    """Return the message whose cell runs now, empty outside of a kernel."""
    kernel = kernel_of(shell())
    if kernel is None or not hasattr(kernel, "get_parent"):
        return {}
    return kernel.get_parent("shell") or {}


# ------------------------------------------------------------------- loading


def load(ip: Any) -> None:
    """Install the control handler, the display of runs and the hooks on cells; a second call does nothing more.

    Opens no file, imports no widget; after the cell one thread imports what a first run needs, while no cell runs.
    """
    global _idle_imports  # noqa: PLW0603 - once for a process
    kernel = kernel_of(ip)
    if kernel is not None and hasattr(kernel, "control_handlers"):
        kernel.control_handlers[REQUEST] = _answer
    display_where_printed(ip)
    _unhook(ip)
    ip.events.register("post_run_cell", _cell_ended)
    from nbagent.core import IdleImports, cell_begins, cell_ended, set_main_thread_scheduler

    ip.events.register("pre_execute", cell_begins)  # before all else: work between cells begins after them
    ip.events.register("post_execute", cell_ended)
    _idle_imports = _idle_imports or IdleImports(_FIRST_RUN)
    ip.events.register("pre_execute", _idle_imports.cell_begins)  # these two tell of silent cells, too
    ip.events.register("post_execute", _idle_imports.cell_ended)
    show_values(ip)
    if threading.current_thread() is threading.main_thread():
        with contextlib.suppress(RuntimeError):  # a terminal has no event loop between its prompts
            set_main_thread_scheduler(asyncio.get_running_loop().call_soon_threadsafe)


def follow_cells(ip: Any) -> None:
    """Know when cells run, for who has not loaded the extension; does nothing where that is known."""
    if _cell_ended not in ip.events.callbacks.get("post_run_cell", ()):
        load(ip)


def unload(ip: Any) -> None:
    """Take back what `load` installed; does nothing where nothing is."""
    kernel = kernel_of(ip)
    if kernel is not None and hasattr(kernel, "control_handlers"):
        kernel.control_handlers.pop(REQUEST, None)
    _unhook(ip)
    _display_by_itself(ip)
    from nbagent.core import set_main_thread_scheduler

    set_main_thread_scheduler(None)
    for formatter, known, _ in _value_formatters(ip):
        module, name = known
        formatter.deferred_printers.pop(known, None)
        formatter.type_printers.pop(getattr(sys.modules.get(module), name, None), None)


def show_values(ip: Any) -> None:
    """Let runs and batches be shown as live cards where a cell ends in one, in a terminal as a line.

    Called by `import nbagent`, and by `load` for who has unloaded. Imports nothing.
    """
    for formatter, (module, name), show in _value_formatters(ip):
        formatter.for_type_by_name(module, name, show)


def _value_formatters(ip: Any) -> list[tuple[Any, tuple[str, str], Callable[..., Any]]]:
    """Return which formatter shows which class by what: a live card takes the place of every other form."""
    display = ip.display_formatter
    found = [
        (display.formatters[mime], known, _lazy(target))
        for mime, target in _SUMMARIES.items()
        for known in (_RUN, _OUTPUT)
    ]
    if kernel_of(ip) is not None:
        found += [(display.ipython_display_formatter, known, _lazy(_LIVE)) for known in (_RUN, _BATCH)]
    return found


def _unhook(ip: Any) -> None:
    """Take the hooks on cells out, where they are in."""
    from nbagent.core import cell_begins, cell_ended

    hooks: list[tuple[str, Callable[..., None]]] = [
        ("post_run_cell", _cell_ended),
        ("pre_execute", cell_begins),
        ("post_execute", cell_ended),
    ]
    if _idle_imports is not None:
        hooks += [("pre_execute", _idle_imports.cell_begins), ("post_execute", _idle_imports.cell_ended)]
    for event, hook in hooks:
        if hook in ip.events.callbacks.get(event, ()):
            ip.events.unregister(event, hook)


def _lazy(target: str) -> Callable[..., Any]:
    """Return a formatter that imports `module:function` at its first use."""
    module, _, name = target.partition(":")

    def show(run: Any, *printer: Any) -> str | None:
        text: str = getattr(importlib.import_module(module), name)(run)
        if not printer:
            return text
        printer[0].text(text)
        return None

    return show


# ---------------------------------------------------------- commands and ends


def on_command(handler: Callable[[Command], bool]) -> None:
    """Let `handler` hear commands from the control channel; it must hand over at once and say if it could."""
    global _command_handler  # noqa: PLW0603 - one panel hears for the kernel
    _command_handler = handler


def on_cell_end(callback: Callable[[], None]) -> None:
    """Call `callback()` on the main thread at the end of each cell, while output still lands in that cell."""
    if callback not in _cell_end_callbacks:
        _cell_end_callbacks.append(callback)


def _cell_ended(*_: Any) -> None:
    for callback in _cell_end_callbacks:
        callback()


async def _answer(stream: Any, ident: Any, parent: Mapping[str, Any]) -> None:
    """Hand a command over and acknowledge it; runs on the control thread, also while a cell is busy."""
    kernel = kernel_of(shell())
    content = parent.get("content") or {}
    reply: dict[str, Any]
    try:
        was_taken = _command_handler is not None and _command_handler(content)
    except Exception as error:  # noqa: BLE001 - a click must get an answer, and the control thread must live
        reply = {"status": "error", "ename": type(error).__name__, "evalue": str(error), "traceback": []}
    else:
        reply = {"status": "ok", "heard": was_taken, "command_id": content.get("command_id")}
    sent = kernel.session.send(stream, REPLY, reply, parent, ident=ident)
    if inspect.isawaitable(sent):
        await sent


# ------------------------------------------------------------------ displays


def display_where_printed(ip: Any) -> None:
    """Let `display()` land where `print()` does: ipykernel 6 sends it to whichever cell runs, not to the calling context's.

    Its streams know the cell of a context; its display publisher has one header for all, a trait.
    """
    publisher = getattr(ip, "display_pub", None)
    has_trait = getattr(publisher, "has_trait", lambda _: False)
    if kernel_of(ip) is None or not has_trait("parent_header") or hasattr(publisher, "replaced"):
        return
    kind = type(publisher)

    def header(self: Any) -> Any:
        return getattr(sys.stdout, "parent_header", None) or self.__dict__.get("_last_header", {})

    def remember(self: Any, value: Any) -> None:
        self.__dict__["_last_header"] = value

    publisher.__class__ = type(
        kind.__name__, (kind,), {"parent_header": property(header, remember), "replaced": kind}
    )


def _display_by_itself(ip: Any) -> None:
    """Take that back."""
    publisher = ip.display_pub
    if (kind := getattr(publisher, "replaced", None)) is not None:
        header = publisher.parent_header
        publisher.__class__ = kind
        publisher.parent_header = header


def publish(data: Mapping[str, Any], *, display_id: str | None = None, update: bool = False) -> None:
    """Show a MIME bundle in the cell of the calling context, or update the output with this display id."""
    ip = shell()
    if ip is None:
        return
    transient = {"display_id": display_id} if display_id else {}
    ip.display_pub.publish(dict(data), metadata={}, transient=transient, update=update)


@contextlib.contextmanager
def output_of(parent: Mapping[str, Any]) -> Iterator[None]:
    """Let what a cell ends in, and its error, land below the cell of this message: ipykernel 6 has one cell for all.

    Its prints follow the context, and from 7 on these do, too.
    """
    hook = getattr(shell(), "displayhook", None)
    if hook is None or not getattr(hook, "has_trait", lambda _: False)("parent_header"):
        yield
        return
    kept = hook.parent_header
    hook.parent_header = parent.get("header") or {}
    try:
        yield
    finally:
        hook.parent_header = kept


def free_comm(comm: Any) -> None:
    """Let a widget's messages be served while a cell is busy (ipykernel 7.4 pins them to the busy shell).

    The comm's replies then go where the front end's manager sends them by default: the widgets' subshell.
    """
    if hasattr(comm, "_reply_subshell_for"):
        comm._reply_subshell_for = lambda _data, default: default  # noqa: SLF001 - there is no public switch
