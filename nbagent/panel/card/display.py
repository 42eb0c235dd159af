"""Displayed cards: each run's widget and static output, the one updater of all cards, and what clicks on a card do.

`show` runs on the main thread, the updater and the commands on the background loop. One updater serves every
card of the kernel, at most ten times a second, and only while a displayed run is unfinished: when nothing
runs, nothing is sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from nbagent import kernel, runtime, settings
from nbagent.core import run_in_daemon_thread
from nbagent.errors import NBAgentError, StoreError
from nbagent.loop import Decision
from nbagent.panel.card import markdown
from nbagent.panel.card.data import CardRow, RunSnapshot, card_row, shown_text
from nbagent.panel.card.static_html import html_of, key_of, plain_of
from nbagent.panel.commands import add_commands, cancel_runs, handle_message
from nbagent.run import RunStatus

if TYPE_CHECKING:
    from nbagent.panel.card.widget import CardListener
    from nbagent.panel.widget import PanelWidget
    from nbagent.runtime import Run

FASTEST_S = 0.1
STORED_POLL_S = 1.0
SNAPSHOT_EVERY_S = 10.0
BUSY_SHARE = 20  # a tick that took t is followed by a pause of 20 t: at most 5 % of a core ...
WAITED_SHARE = 0.8
LONGEST_PAUSE_S = 2.0  # ... but one slow tick, as on a busy machine, lets nobody wait for long
MESSAGES_PER_S = (
    25.0  # of all cards together while their texts grow; ten of them grow 2.5 times a second then
)
REMEMBERED = 500  # displayed runs
_log = logging.getLogger("nbagent")


class DisplayedRun:
    """One display of one run: a widget, and the snapshot beneath it that saved notebooks show."""

    in_cell = True  # it stands under a cell, not in the table

    def __init__(self, run: Run) -> None:
        self.run = run
        self.key = key_of(run.run_id)  # that of the widget, whichever run it comes to show
        self.cell = kernel.current_request()
        self.display_id = uuid4().hex
        self.context = contextvars.copy_context()
        self.in_notebook = False  # True once the final snapshot was written from a cell
        self.widget: CardListener | None = None
        self._view: PanelWidget | None = None
        self.decision_problem = ""  # why the last decision that was clicked came to nothing
        self._record = run.record
        # version, row and text together: of two threads that look at once the later may be the older one
        self._current: tuple[int, CardRow, str] = (0, {}, "")
        self._stored_at = self._written_at = time.monotonic()
        self._heard = 0
        self.waited_s = 0.0  # for the record, in the last flush
        self._written_asks: list[CardRow] = []
        self.refresh()

    def follow(self, run: Run) -> None:
        """Show this attempt of the run from now on."""
        self.run, self._record, self.in_notebook = run, run.record, False
        self.decision_problem = ""
        self.refresh()

    def refresh(self) -> tuple[CardRow, str]:
        """Return the run's row and text as they are now; reads the store for a run of another kernel."""
        # another kernel's run may have been adopted by this one
        self._record = self._record or self.run.record
        version = self._record.whole_version if self._record is not None else 0
        snapshot_of_run = (
            RunSnapshot.of_record(self._record)
            if self._record is not None
            else RunSnapshot.of_output(self.run.output)
        )
        row, text = card_row(snapshot_of_run), shown_text(snapshot_of_run.text)
        if self._record is None and snapshot_of_run.status is RunStatus.pending:
            row["waiting"] = runtime.waits_for_worker(self.run.store, self.run.run_id) or row["waiting"]
        if self.decision_problem:
            row["notices"].append(self.decision_problem)
        markdown.lay_out(row, text)
        self._current = version, row, text
        return row, text

    @property
    def final(self) -> bool:
        """True once the run has ended, as far as it was looked at."""
        return bool(self._current[1]["final"])

    @property
    def ended(self) -> bool:
        """True once the run has ended, as far as is known without reading a file."""
        return self.final if self._record is None else self._record.end is not None

    @property
    def told(self) -> int:
        """The number of the last message to the front ends."""
        return int(self.widget.channel.state["seq"]) if self.widget is not None else 0

    @property
    def urgent(self) -> bool:
        """True where there is more to tell than a text that grows: another status, a call that waits for a person."""
        record, row = self._record, self._current[1]
        if record is None:
            return False
        return record.status.value != row["status"] or len(record.pending_approvals) > len(row["approvals"])

    def display(self) -> None:
        """Put widget and snapshot under the current cell."""
        from nbagent.panel.card.widget import RunCard

        _, row, text = self._current
        card = RunCard(row, text, key=self.key, command=handle_message)
        self.widget = self._view = card
        card.display()
        kernel.publish(self.snapshot(), display_id=self.display_id)

    def snapshot(self) -> dict[str, str]:
        """Return the static form as it stands."""
        _, row, text = self._current
        return {"text/plain": plain_of(row), "text/html": html_of(row, text, key=self.key)}

    async def flush(self) -> bool:
        """Tell the front ends what changed; False once there is nothing left to tell. On the background loop."""
        assert self.widget is not None
        was_final, self.waited_s = self.final, 0.0
        if self._record is None:
            await self._poll()
        elif self._record.end is not None and not was_final:
            await run_in_daemon_thread(self.refresh)  # laying out a long answer takes milliseconds
        elif self._record.whole_version != self._current[0]:
            self.refresh()
        self.widget.send_update(*self._current[1:])
        if self.final != was_final or self._snapshot_due():
            self.context.run(self.write_snapshot)
        return not (self.final and self.widget.channel.settled)

    def _snapshot_due(self) -> bool:
        """Say whether the static output of a run at work is old.

        A file that is saved now shows it, and so does a page whose kernel has died. What waits for a person may do
        so for days: that is written at once.
        """
        if self.final:
            return False
        asks = self._current[1]["approvals"]
        return asks != self._written_asks or time.monotonic() - self._written_at >= SNAPSHOT_EVERY_S

    async def _poll(self) -> None:
        """Look at another kernel's run in a thread of its own: when it is heard of, else once a second."""
        began, heard = time.monotonic(), self.run.store.heard_of(self.run.run_id)
        if self.final or (heard == self._heard and began - self._stored_at < STORED_POLL_S):
            return
        self._heard = heard
        with contextlib.suppress(StoreError):  # busy now; a second later it is looked at again
            await run_in_daemon_thread(self._look)
        self._stored_at = time.monotonic()
        self.waited_s = self._stored_at - began

    def _look(self) -> None:
        self.run.store.watch(self.run.run_id)
        self.refresh()

    def write_snapshot(self) -> None:
        """Rewrite the static output; it lands where the calling context's cell is, found by its display id.

        It stands alone once the run has ended.
        """
        self._written_at, self._written_asks = time.monotonic(), self._current[1]["approvals"]
        kernel.publish(self.snapshot(), display_id=self.display_id, update=True)
        if self.final and self._view is not None:
            self._view.take_out()

    def write_from_cell(self) -> None:
        """Write snapshot and widget state as they are now from a cell, where every executor hears them."""
        row, text = self.refresh()
        self.write_snapshot()
        if self.widget is not None:
            self.widget.send_all(row, text)
        self.in_notebook = self.final


class CardUpdater:
    """The one updater of all cards. Its methods run on the background loop, `add` on any thread."""

    def __init__(self) -> None:
        self._displayed: list[DisplayedRun] = []
        self._task: asyncio.Task[None] | None = None

    def add(self, displayed: DisplayedRun) -> None:
        """Flush this one until its run has ended."""
        pause_s = max(FASTEST_S, settings.get("refresh_s"))
        runtime.current().thread.soon(self._add, displayed, pause_s)

    def _add(self, displayed: DisplayedRun, pause_s: float) -> None:
        if displayed not in self._displayed:
            self._displayed.append(displayed)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._serve(pause_s), name="nbagent-cards")

    async def _serve(self, pause_s: float) -> None:
        took_s = allowed = 0.0
        while self._displayed:
            pause = pause_after(took_s, pause_s)
            await asyncio.sleep(pause)
            began = time.perf_counter()
            allowed = await self._flush(min(allowed, 0.99) + MESSAGES_PER_S * pause)
            waited_s = sum(
                one.waited_s for one in self._displayed
            )  # mostly the record's time, not this kernel's
            took_s = time.perf_counter() - began - waited_s * WAITED_SHARE

    async def _flush(self, allowed: float) -> float:
        """Flush the cards, so many that tell something; return what is left. Who told last is the last to be asked next."""
        for displayed in tuple(self._displayed):
            if allowed < 1 and not displayed.urgent:
                continue
            before = displayed.told
            goes_on = await _flush_one(displayed)
            allowed -= displayed.told != before
            if not goes_on or displayed.told != before:
                self._displayed.remove(displayed)
            if goes_on and displayed.told != before:
                self._displayed.append(displayed)
        return allowed


def pause_after(took_s: float, least_s: float) -> float:
    """Return the seconds until the next tick after one that took `took_s`."""
    return max(least_s, min(took_s * BUSY_SHARE, LONGEST_PAUSE_S))


async def _flush_one(displayed: DisplayedRun) -> bool:
    try:
        return await displayed.flush()
    except Exception:  # noqa: BLE001 - a card that cannot be shown must not stop the others, nor any run
        _log.exception("the card of run %s cannot be updated", displayed.run.run_id)
        return False


_updater = CardUpdater()
_by_run: OrderedDict[str, list[DisplayedRun]] = OrderedDict()


def show(run: Run) -> None:
    """Display a card of the run under the current cell and keep it up to date."""
    kernel.on_command(handle_message)
    kernel.on_cell_end(flush_ended)
    displayed = DisplayedRun(run)
    displayed.display()
    _by_run.setdefault(run.run_id, []).append(displayed)
    while len(_by_run) > REMEMBERED:
        _by_run.popitem(last=False)
    _updater.add(displayed)


def is_shown(run: Run) -> bool:
    """Say whether the cell that runs now shows a card of the run already."""
    here = kernel.current_request()
    return here is not None and any(one.cell == here for one in _by_run.get(run.run_id, ()))


def flush(runs: Iterable[Run]) -> None:
    """Write these runs' snapshots from the current cell."""
    for run in runs:
        for displayed in _by_run.get(run.run_id, ()):
            displayed.write_from_cell()


def flush_ended() -> None:
    """Write from the current cell, once, the snapshots of all runs that have ended; called at each cell's end."""
    for cards in tuple(_by_run.values()):
        for displayed in cards:
            if not displayed.in_notebook and displayed.ended:
                displayed.write_from_cell()


# ------------------------------------------------------------------- commands


async def _cancel(content: Mapping[str, Any]) -> None:
    await cancel_runs([content["run_id"]])
    await _resend_card(content["run_id"])


async def decide(content: Mapping[str, Any]) -> list[str]:
    """Decide on one call; return why that came to nothing (a tool is not defined in this notebook, ...), in two lines.

    The run's cards show it, too.
    """
    run_id, decision = content["run_id"], _DECISIONS[content["command"]]

    def work() -> list[str]:
        try:
            run = runtime.current().get(run_id)
            run.decide(decision, tool_call_id=content["tool_call_id"], step=content["step"])
        except NBAgentError as error:
            return [error.what, error.todo]
        return []

    problem = await run_in_daemon_thread(work)
    clicked_on = str(content.get("card") or run_id)  # a member's call stands on its team's card too
    for card in dict.fromkeys((run_id, clicked_on)):
        for displayed in _by_run.get(card, ()):
            displayed.decision_problem = "; ".join(problem)
        await _resend_card(card)
    return problem


async def _decide(content: Mapping[str, Any]) -> None:
    await decide(content)


async def _send(content: Mapping[str, Any]) -> None:
    """Tell a run something; its cards show why that came to nothing."""
    run_id, problem = content["run_id"], []

    def work() -> None:
        try:
            runtime.current().get(run_id).send(content.get("text", ""))
        except NBAgentError as error:
            problem.append(f"{error.what}; {error.todo}")

    await run_in_daemon_thread(work)
    await say_problem(run_id, problem)


async def _resend(content: Mapping[str, Any]) -> None:
    await _resend_card(content["run_id"])


async def _resend_card(run_id: str) -> None:
    for displayed in _by_run.get(run_id, ()):
        if displayed.widget is not None:
            displayed.widget.send_all(*await run_in_daemon_thread(displayed.refresh))


def revive(run: Run) -> None:
    """Follow a run again that was resumed after its cards had shown its end. On the background loop."""
    for one in _by_run.get(run.run_id, ()):
        one.follow(run)
        follow_on_loop(one)


def show_instead(run_id: str, run: Run) -> None:
    """Show another run in the cards of one, which it repeats. On the background loop."""
    for one in tuple(_by_run.get(run_id, ())):
        if one.in_cell:
            _by_run[run_id].remove(one)
            one.follow(run)
            follow_on_loop(one)


async def say_problem(run_id: str, problem: list[str]) -> None:
    """Show on a run's cards why a click came to nothing."""
    for one in _by_run.get(run_id, ()):
        one.decision_problem = "; ".join(problem)
    await _resend_card(run_id)


def follow_on_loop(one: DisplayedRun) -> None:
    """Keep one up to date that is shown in a way of its own. On the background loop."""
    cards = _by_run.setdefault(one.run.run_id, [])
    if one not in cards:
        cards.append(one)
    _updater.add(one)


def forget(one: DisplayedRun) -> None:
    """Let one go that is no longer shown."""
    cards = _by_run.get(one.run.run_id, [])
    if one in cards:
        cards.remove(one)


async def _end_always(content: Mapping[str, Any]) -> None:
    """Ask a person again for what an agent does by tools that were approved for all calls."""
    run = runtime.current().live(content["run_id"])
    if run is not None:
        runtime.end_standing_approvals(run.record.launch.agent_name)
    await _resend_card(content["run_id"])


_DECISIONS = {
    "approve": Decision(approved=True),
    "always": Decision(approved=True, always=True),
    "deny": Decision(approved=False),
}
add_commands(
    cancel=_cancel,
    resend=_resend,
    approve=_decide,
    always=_decide,
    deny=_decide,
    end_always=_end_always,
    send=_send,
)
