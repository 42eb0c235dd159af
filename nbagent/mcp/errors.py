"""What goes wrong with MCP servers, and the check that the package `mcp` is there. Called on any thread."""

from __future__ import annotations

import importlib.metadata
import re

from nbagent.errors import ConfigurationError, NBAgentError

_MAJOR_MIN = 2
_SECRET_NAME = re.compile(r"key|token|secret|passw|auth|credential", re.IGNORECASE)
_SHORT = 6  # characters; a shorter value is a word such as "on"


class MCPServerError(NBAgentError):
    """A server that does not start, does not answer, or ended."""


class MCPToolError(NBAgentError):
    """A tool of a server failed; the message is the server's own, for the model."""


def require_sdk() -> None:
    """Raise ConfigurationError unless a usable `mcp` is installed; imports nothing of it."""
    try:
        version = importlib.metadata.version("mcp")
    except importlib.metadata.PackageNotFoundError:
        raise ConfigurationError(
            "MCP servers need the package 'mcp', which is not installed", 'pip install "nbagent-jupyter[mcp]"'
        ) from None
    major = version.partition(".")[0]
    if not major.isdecimal() or int(major) < _MAJOR_MIN:
        raise ConfigurationError(
            f"MCP servers need mcp {_MAJOR_MIN} or newer, and {version} is installed",
            'pip install -U "nbagent-jupyter[mcp]"',
        )


def is_secret_name(name: str) -> bool:
    """Say whether what goes by this name (a variable, a flag) is likely to be a key or a password."""
    return _SECRET_NAME.search(name) is not None


def without(text: str, secrets: frozenset[str]) -> str:
    """Return `text` with every one of `secrets` masked, words too short to be one left alone."""
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _SHORT:
            text = text.replace(secret, "[secret]")
    return text
