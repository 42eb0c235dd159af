"""The options a person can set (`options.py`) and where each value comes from (`values.py`).

>>> from nbagent import settings
>>> settings.get("max_steps", flag="5")
5
"""

from nbagent.settings.options import OPTIONS, PRICE_PARTS, Option
from nbagent.settings.values import (
    Origin,
    config,
    configure,
    get,
    origin,
    project_root,
    store_path,
    values,
)

__all__ = [
    "OPTIONS",
    "PRICE_PARTS",
    "Option",
    "Origin",
    "config",
    "configure",
    "get",
    "origin",
    "project_root",
    "store_path",
    "values",
]
