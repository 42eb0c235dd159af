"""The built front end and its sources against Python: names on both sides of the wire, size, nothing fetched."""

from __future__ import annotations

import gzip
import re
from importlib import import_module

import pytest

from nbagent.panel import commands
from nbagent.panel.card.data import RunSnapshot, card_row
from nbagent.panel.details.data import details_of
from nbagent.panel.table.row import COLUMNS
from nbagent.panel.widget import STATIC
from nbagent.run import RunOutput, RunStatus
from tests.harness.environment import REPOSITORY

SOURCE = REPOSITORY / "frontend" / "src"
KILOBYTES = 30
EMPTY_OUTPUT = RunOutput(run_id="r", session_id="s", status=RunStatus.pending)


def protocol() -> str:
    """The types of the page's side."""
    return (SOURCE / "protocol.ts").read_text(encoding="utf-8")


def fields_of(interface: str) -> list[str]:
    """The names in a TypeScript interface, in their order."""
    found = re.search(rf"export interface {interface} \{{(.*?)\n\}}", protocol(), re.DOTALL)
    assert found, interface
    return re.findall(r"^  (\w+)\??:", found[1], re.MULTILINE)


def union_of(name: str) -> set[str]:
    """The strings of a TypeScript union."""
    found = re.search(rf"export type {name} =(.*?);", protocol(), re.DOTALL)
    assert found, name
    return set(re.findall(r'"(\w+)"', found[1]))


KERNEL_SAYS = {
    "CardRow": list(card_row(RunSnapshot.of_output(EMPTY_OUTPUT))),
    "RunRow": list(COLUMNS),
    "Details": list(details_of(EMPTY_OUTPUT)),
}


@pytest.mark.parametrize("interface", KERNEL_SAYS)
def test_the_page_knows_what_the_kernel_tells(interface):
    """A card's row, a line of the table and an opened run's details have the same names on both sides."""
    assert sorted(fields_of(interface)) == sorted(KERNEL_SAYS[interface])


def test_the_page_knows_every_status():
    """Each status of a run, and that of a batch which ended in several ways."""
    assert union_of("Status") == {status.value for status in RunStatus} | {"incomplete"}


def test_each_command_of_the_page_is_performed_by_the_kernel():
    """The commands that the page can send are those that are taken."""
    for module in ("card.display", "table.row_commands", "details.view", "details.experiments"):
        import_module(f"nbagent.panel.{module}")
    assert union_of("Command") == set(commands._commands)


def test_the_bundle_is_small_and_fetches_nothing():
    """Script and styles together are at most 30 kB gzipped; no address in them is loaded."""
    parts = [(STATIC / name).read_text(encoding="utf-8") for name in ("panel.js", "panel.css")]
    assert sum(len(gzip.compress(part.encode(), 9)) for part in parts) <= KILOBYTES * 1024
    assert re.findall(r"\bimport\s*\(|\bfetch\s*\(|XMLHttpRequest|@import|url\(", "".join(parts)) == []


def test_text_becomes_markup_in_one_place_only():
    """No source makes markup of text, the answer's sanitised Markdown apart."""
    found = [
        f"{path.name}: {line.strip()}"
        for path in sorted(SOURCE.rglob("*.ts"))
        for line in path.read_text(encoding="utf-8").splitlines()
        if re.search(r"unsafe(HTML|SVG|Static)|innerHTML|outerHTML|insertAdjacentHTML|document\.write", line)
    ]
    assert found == ['card.ts: .innerHTML=${row.html ?? ""}']
