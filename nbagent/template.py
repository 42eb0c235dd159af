"""Fill a prompt's template outside of a run, as `%%agent` and `map` do: strict, sandboxed Jinja. Any thread."""

from nbagent.prompts import render, variables_in

__all__ = ["render", "variables_in"]
