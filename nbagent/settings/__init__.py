"""The options a person can set (`options.py`) and where each value comes from (`resolve.py`).

>>> from nbagent import settings
>>> settings.get("max_steps", flag="5")
5
"""

from nbagent.settings.options import OPTIONS, PRICE_PARTS, Option
from nbagent.settings.resolve import (
    Origin,
    config,
    configure,
    get,
    one_look,
    project_root,
    source_of,
    store_folder,
    store_path,
    store_place,
    values,
)
from nbagent.settings.server_url import ServerUrl, is_server_url, server_url

__all__ = [
    "OPTIONS",
    "PRICE_PARTS",
    "Option",
    "Origin",
    "ServerUrl",
    "config",
    "configure",
    "get",
    "is_server_url",
    "one_look",
    "project_root",
    "server_url",
    "source_of",
    "store_folder",
    "store_path",
    "store_place",
    "values",
]
