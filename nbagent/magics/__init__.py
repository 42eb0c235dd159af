"""The magics: `lines.py` knows which flags there are, `commands.py` calls one thing below for each. Main thread."""

from nbagent.magics.commands import NBAgent, load, unload

__all__ = ["NBAgent", "load", "unload"]
