"""Commands of the panel: a click's message is taken once, and performed on the background loop.

One path for cards, the table and opened runs. A message comes over the control channel, which works while a
cell is busy, or over the widget's comm. `add_commands` is called by the files that know what a command does.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from importlib import import_module
from typing import Any
from uuid import uuid4

from nbagent import runtime
from nbagent.core import run_in_daemon_thread

REMEMBERED = 500  # command ids
END_WAIT_S = 0.5
Command = Callable[[Mapping[str, Any]], Awaitable[None]]
_OF_TABLE = frozenset({"retry", "resume"})
_ON_ONE_CALL = frozenset({"always", "approve", "deny"})
_log = logging.getLogger("nbagent")


def add_commands(**commands: Command) -> None:
    """Let further commands be taken: `name=work`, a coroutine function that is given the message."""
    _commands.update(commands)


def handle_message(content: Mapping[str, Any]) -> bool:
    """Take a command from a front end, hand it to the background loop and return at once.

    Any thread. True if it was taken, also a second time with the same `command_id`, which does nothing more.
    """
    command = content.get("command")
    if command in _OF_TABLE and command not in _commands:
        import_module("nbagent.panel.table.row_commands")  # a card knows them, too
    if not isinstance(content.get("run_id"), str) or command not in _commands:
        return False
    if command in _ON_ONE_CALL and not _names_a_call(content):
        return False
    command_id = str(content.get("command_id") or uuid4())
    runtime.current().thread.soon(_start, str(command), dict(content), command_id)
    return True


async def cancel_runs(run_ids: Iterable[str]) -> None:
    """Stop this kernel's runs at once, then ask the others' kernels through the store."""
    current = runtime.current()
    elsewhere, ends = [], []
    for run_id in run_ids:
        live = current.live_here(run_id)
        if live is None:
            elsewhere.append(run_id)
        else:
            live.stop("cancelled")
            ends.append(asyncio.wrap_future(live.ended))
    if elsewhere:
        await run_in_daemon_thread(lambda: [current.cancel(run_id) for run_id in elsewhere])
    if ends:
        await asyncio.wait(ends, timeout=END_WAIT_S)


def _names_a_call(content: Mapping[str, Any]) -> bool:
    """Say whether a decision says what it is on: a click is for the one call that it stood beside."""
    return isinstance(content.get("tool_call_id"), str) and isinstance(content.get("step"), int)


def _start(command: str, content: Mapping[str, Any], command_id: str) -> None:
    """Start a command that was not taken before. On the background loop."""
    if command_id in _taken:
        return
    _taken[command_id] = None
    while len(_taken) > REMEMBERED:
        _taken.popitem(last=False)
    task = asyncio.get_running_loop().create_task(_perform(command, content), name=f"nbagent-{command}")
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)


async def _perform(command: str, content: Mapping[str, Any]) -> None:
    try:
        await _commands[command](content)
    except Exception:  # noqa: BLE001 - a panel command is a border: the person sees the card's state, the log the reason
        _log.exception("%s of run %s failed", command, content["run_id"])


_commands: dict[str, Command] = {}
_taken: OrderedDict[str, None] = OrderedDict()
_tasks: set[asyncio.Task[None]] = set()
