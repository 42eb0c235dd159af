"""`%config NBAgent.option = value` that fails its cell where the value does not fit. Main thread.

IPython's own %config logs what an option says of a value, lets the cell go on, keeps the bad value for the
next load, and expands braces in the line. Lines that set an option of ours are done here, all others by
IPython.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from IPython.core.magic import no_var_expand
from traitlets.config import Config

from nbagent import settings
from nbagent.errors import UnknownOptionError, did_you_mean
from nbagent.settings import OPTIONS

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.core.magic import Magics

_DEPTH = 2  # frames between the user's and `var_expand`, when it is called below


def load(shell: InteractiveShell, options: Magics) -> None:
    """Take over %config for the options of this object."""
    lines = shell.magics_manager.magics["line"]
    ours = f"{type(options).__name__}."

    @no_var_expand
    def config(line: str) -> Any:
        if line.lstrip().startswith(ours) and "=" in line:
            return _set(shell, options, line.strip())
        from IPython.core.magics.config import ConfigMagics

        by_ipython = ConfigMagics(shell).magics["line"]["config"]  # type: ignore[no-untyped-call]
        return by_ipython(shell.var_expand(line, _DEPTH))  # type: ignore[no-untyped-call]

    previous = lines["config"]
    config.__doc__ = previous.__doc__
    config.previous = previous  # type: ignore[attr-defined]
    lines["config"] = config


def unload(shell: InteractiveShell) -> None:
    """Give %config back, unless somebody else has it now."""
    lines = shell.magics_manager.magics["line"]
    if lines["config"].__module__ == __name__:
        lines["config"] = lines["config"].previous


def _set(shell: InteractiveShell, options: Magics, line: str) -> None:
    """Set what the line sets, or nothing. Raises UnknownOptionError."""
    given = Config()
    exec(f"given.{line}", shell.user_ns, {"given": given})  # noqa: S102 - the user's own line, as IPython does it
    section = type(options).__name__
    for name, value in given[section].items():
        if name not in OPTIONS:
            raise UnknownOptionError(
                f"%config {section} has no option {name!r}{did_you_mean(name, OPTIONS)}",
                f"%config {section} lists what it has",
            )
        setattr(options, name, value)  # a value that does not fit raises here, and leaves the old one
        if settings.is_server_url(value):
            given[section][name] = getattr(options, name)  # without its password in what is printed
    shell.config.merge(given)
