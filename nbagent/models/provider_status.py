"""The table of providers as a person reads it: what is configured here, and what each can do.

Called by the magics (`%agent models`) on the main thread; it starts nothing and asks nobody. No key is in it.
"""

from __future__ import annotations

import os
from typing import Any

from nbagent.core import masked_url
from nbagent.models.providers import Provider, is_loopback, provider_names, provider_row, wire_label


def provider_status() -> list[dict[str, Any]]:
    """Return one dict for each provider, in the table's order.

    Keys: `provider`, `label`, `wire_formats` (the first is what "provider:model" means), `key_variable` (None where
    there is none), `configured` (True where a call can be tried: its key is set or not needed, and it is known where
    the server is), `base_url` (None where it is not known or not started yet), `schema_rungs` (the ways to ask for
    JSON, best first), `native_background`, `usage` (`include_usage`, `always`, `never`), `notes`.
    """
    rows = (provider_row(name) for name in provider_names())
    return [_entry(row) for row in rows if row is not None]


def _entry(row: Provider) -> dict[str, Any]:
    url = row.url_of(None, os.environ)
    key = bool(row.key_variable and os.environ.get(row.key_variable, "").strip())
    knows_where = not isinstance(row.wires[0], str)  # a class of models may know the address itself
    reachable = url is not None or row.find_base_url is not None or knows_where
    keyless = not row.key_required or (url is not None and is_loopback(url))
    return {
        "provider": row.name,
        "label": row.label,
        "wire_formats": tuple(map(wire_label, row.wires)),
        "key_variable": row.key_variable,
        "configured": reachable and (key or keyless),
        "base_url": masked_url(url) if url is not None else None,
        "schema_rungs": row.schema_rungs,
        "native_background": row.native_background,
        "usage": row.usage,
        "notes": row.notes,
    }
