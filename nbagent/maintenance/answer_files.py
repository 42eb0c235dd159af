"""Recorded answers as a file to commit beside a notebook: JSON lines, a header first, then one answer a line.

The lines are sorted by agent, prompt and key, and nothing in them depends on the export, so that the file
changes only where an answer does. A provider's key is in no row of the record; should an answer or a tool
have said one that is set here, it is taken out. A file is read whole before anything of it is imported.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from nbagent import runtime
from nbagent.core import by_place, check_path, dump_json, load_json
from nbagent.errors import RecordingError, UnknownNameError
from nbagent.models import provider_names, provider_row
from nbagent.store import all_answers, import_recordings, overwrite, recorded_output, recordings_of

VERSION = 1
KEY_CHARS = 8  # a shorter value is no secret, and may be a word
_HEADER = "nbagent_answers"


def export_answers(path: str | os.PathLike[str], *, everything: bool = False) -> int:
    """Write the answers of this kernel's runs, or of all runs of the record, to a file; return how many.

    Each answer that a run was given counts with those it asked for itself; of one key the newest. An existing
    file is replaced, whole or not at all. Raises UnknownNameError where there is no answer, RecordingError
    where the file cannot be written, and StoreError.

    >>> output = Agent(model="demo:assistant").run("What is the capital of Peru?")
    >>> nb.export_answers("answers.jsonl", everything=True) > 0
    True
    """
    check_path(path)
    store = runtime.current().store
    found = recordings_of(all_answers(store, owner=None if everything else store.owner))
    if not found:
        whose = "the record" if everything else "this kernel"
        raise UnknownNameError(
            f"{whose} has no completed run to export",
            "run the notebook first"
            if everything
            else by_place(
                python="run the notebook first, or say everything=True",
                magic="run the notebook first, or say --all",
            ),
        )
    lines = [{_HEADER: VERSION}, *found]
    text = b"".join(dump_json(line, sort_keys=True) + b"\n" for line in lines)
    try:
        with overwrite(Path(path).expanduser()) as temporary:
            temporary.write_bytes(_without_keys(text))
    except OSError as error:
        raise RecordingError(
            f"{str(path)!r} cannot be written: {error.strerror}", "give another path"
        ) from None
    return len(found)


def import_answers(path: str | os.PathLike[str]) -> int:
    """Make the answers of a file the newest ones of this record, all or none; return how many.

    From then on `cache="use"` and `"replay"` give them; importing a file again changes nothing. Raises
    RecordingError, which names the line, and StoreError.

    >>> agent = Agent(model="demo:assistant")
    >>> first = agent.run("What is the capital of Chile?")
    >>> nb.export_answers("answers.jsonl", everything=True) == nb.import_answers("answers.jsonl")
    True
    >>> agent.start("What is the capital of Chile?", cache="replay").result(timeout=30).content
    'The capital of Chile is Santiago.'
    """
    check_path(path)
    try:
        text = Path(path).expanduser().read_bytes()
    except OSError as error:
        raise RecordingError(
            f"{str(path)!r} cannot be read: {error.strerror}", "give the path of a file that was exported"
        ) from None
    lines = [(number, line) for number, line in enumerate(text.split(b"\n"), start=1) if line.strip()]
    _check_header(path, lines[0][1] if lines else b"")
    found = {one["cache_key"]: one for one in (_read(path, *numbered) for numbered in lines[1:])}
    return import_recordings(runtime.current().store, list(found.values())) if found else 0


def _without_keys(text: bytes) -> bytes:
    rows = [provider_row(name) for name in provider_names()]
    variables = {row.key_variable for row in rows if row is not None and row.key_variable}
    for variable in sorted(variables):
        key = os.environ.get(variable, "").strip()
        if len(key) >= KEY_CHARS:
            text = text.replace(key.encode(), b"[key]")
    return text


def _check_header(path: str | os.PathLike[str], line: bytes) -> None:
    try:
        version = load_json(line)[_HEADER]
    except (ValueError, TypeError, KeyError, IndexError):
        raise RecordingError(
            f"{str(path)!r} line 1 is no header of recorded answers: {line[:60].decode(errors='replace')!r}",
            f'it should be {{"{_HEADER}":{VERSION}}}; nothing was imported',
        ) from None
    if version != VERSION:
        raise RecordingError(
            f"{str(path)!r} has version {version!r} of recorded answers, this nbagent reads {VERSION}",
            "update nbagent-jupyter, or export the file again; nothing was imported",
        )


def _read(path: str | os.PathLike[str], number: int, line: bytes) -> dict[str, Any]:
    what = "it is no JSON"
    try:
        data = load_json(line)
        what = ""
        recorded_output(data)
    except (ValueError, TypeError) as error:
        what = what or str(error)
        raise RecordingError(
            f"{str(path)!r} line {number} is no recorded answer: {what}",
            "correct or remove the line, or export the file again; nothing was imported",
        ) from None
    recording: dict[str, Any] = data
    return recording
