"""Runs as the store's file has them, with their answers in the types that the notebook or a module defines."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from nbagent.run import RunOutput
from nbagent.schemas import rebuild
from nbagent.store import Store, load_run


def load_typed(store: Store, key: str) -> RunOutput | None:
    """Read a run by its id or label, members included; None if there is none. Raises StoreError. Any thread."""
    output = load_run(store, key)
    return None if output is None else _typed(output, vars(sys.modules["__main__"]))


def _typed(output: RunOutput, names: Mapping[str, Any]) -> RunOutput:
    """Return a stored run whose content, and that of those under it, is of the type that `names` or a module define."""
    update: dict[str, Any] = {}
    if output.output_valid and output.content is not None:
        update["content"] = rebuild(output.content_type, output.content, names)
    if output.member_responses:
        update["member_responses"] = tuple(_typed(one, names) for one in output.member_responses)
    return output.model_copy(update=update) if update else output
