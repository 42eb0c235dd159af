"""Keys, kept out of whatever a person sees or the store keeps.

Used wherever text from a provider becomes a message: providers quote the key they refuse, in part or whole.
"""

from __future__ import annotations

import re

from nbagent.core import mask

_KEY_SHAPES = re.compile(
    r"\b(?:sk|gsk|rk|pk|xai|nvapi|hf|AIza)[-_]?[A-Za-z0-9*][\w*.\-]{7,}"  # keys by their well-known beginnings
    r"|(?<![\w.\-])[\w.\-]*+\*{3,}[\w.\-*]*"  # keys that a provider has masked in part; linear, however long a word is
    r"|(?<=Bearer )\S+"
)


def redact(text: str, key: str | None) -> str:
    """Return `text` without `key` and without anything that looks like a key."""
    if key and len(key) > 3:  # noqa: PLR2004 - a shorter one is a word such as 'x'
        text = text.replace(key, "[key]")
    return mask(_KEY_SHAPES.sub("[key]", text))
