"""nbagent: agents run in the background of your notebook, and everything they did comes back as typed results and DataFrames.

    %load_ext nbagent                      the magics %%agent_bg, %%agent, %agent and the options %config NBAgent
    from nbagent import Agent, tool        the same from Python

Where things are, from the top down; each module imports only from below itself:

    compat              other systems' words over all of this
    magics kernel       parse a line and call one thing below; what the kernel itself is asked for
    panel               the widget: a view of the runs, and commands
    notebook_tools      what an agent sees of the notebook and runs in it
    worker              `nbagent worker`: processes that take runs from the record, beside any notebook
    maintenance         recorded answers as files, deleting and exporting runs, what is installed and set
    agent team session  Agent, Team: what a user holds; Session: a conversation by its id, and as data
    spending            nb.budget: what all notebooks of a project may spend
    batch               a prompt over a table: thousands of runs as one, and their answers as a DataFrame
    evaluation          the same prompts to several agents: side by side, or scored and compared with an earlier time
    guests              agents of other frameworks, run as our own
    plots               pictures of runs over time, of cost and latency
    frames              DataFrames from the store's SQL: runs, sql, metrics
    runtime             the background thread; launch, queue, cancel, time limits; the live Run
    loop                the agent loop: ask the model, call its tools, repeat; the same for a team's leader
    store               DuckDB: the record of every run
    tracing             OpenTelemetry spans of what runs do
    mcp                 MCP servers as sources of tools
    models              the wire formats, the table of providers
    spec                what one run needs to start anywhere
    tools schemas       function to tool, type to JSON Schema
    template            a prompt filled outside of a run
    prompts             templates, attachments, instructions: what a model is told, as text
    demo                the local demo model: a real server on loopback, no key needed
    events run          the facts a run emits; status, metrics, snapshot: folds over them
    errors settings     the error tree; options and where they come from
    core                JSON, secrets, hints, threads, text for terminals: what every room may use
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from nbagent.agent import Agent
    from nbagent.batch import Batch, cancel_run, gather, get, resume
    from nbagent.errors import (
        BatchError,
        ConfigurationError,
        ModelError,
        NBAgentError,
        RunError,
        RunIdInUseError,
        StoreError,
        WaitTimeout,
    )
    from nbagent.evaluation import (
        Evaluation,
        compare,
        contains,
        diff,
        evaluate,
        exact,
        judge,
        regex,
        stale,
        within,
    )
    from nbagent.frames import metrics, runs, sql, workers
    from nbagent.guests import guest
    from nbagent.maintenance import (
        clear_runs,
        doctor,
        export_answers,
        export_record,
        export_runs,
        import_answers,
        import_record,
        reprice,
        role_sql,
    )
    from nbagent.mcp import MCPServer
    from nbagent.models import Model, OpenAIChat, OpenAIResponses, Provider, register_model, register_provider
    from nbagent.notebook_tools import notebook
    from nbagent.panel import Panel
    from nbagent.plots import plot_cost, plot_latency, plot_timeline
    from nbagent.run import RunMetrics, RunOutput, RunStatus
    from nbagent.runtime import Run
    from nbagent.session import Session
    from nbagent.spec import Limits, ModelSettings
    from nbagent.spending import budget
    from nbagent.team import Team
    from nbagent.tools import tool

__version__ = "0.1.0"

_PUBLIC = {
    "Agent": "agent",
    "Batch": "batch",
    "compare": "evaluation",
    "ConfigurationError": "errors",
    "ModelError": "errors",
    "NBAgentError": "errors",
    "BatchError": "errors",
    "RunError": "errors",
    "RunIdInUseError": "errors",
    "StoreError": "errors",
    "WaitTimeout": "errors",
    "Evaluation": "evaluation",
    "contains": "evaluation",
    "diff": "evaluation",
    "evaluate": "evaluation",
    "exact": "evaluation",
    "judge": "evaluation",
    "regex": "evaluation",
    "stale": "evaluation",
    "within": "evaluation",
    "metrics": "frames",
    "runs": "frames",
    "sql": "frames",
    "workers": "frames",
    "guest": "guests",
    "MCPServer": "mcp",
    "notebook": "notebook_tools",
    "Model": "models",
    "OpenAIChat": "models",
    "OpenAIResponses": "models",
    "Provider": "models",
    "register_model": "models",
    "register_provider": "models",
    "Panel": "panel",
    "plot_cost": "plots",
    "plot_latency": "plots",
    "plot_timeline": "plots",
    "RunMetrics": "run",
    "RunOutput": "run",
    "RunStatus": "run",
    "Run": "runtime",
    "cancel_run": "batch",
    "gather": "batch",
    "get": "batch",
    "resume": "batch",
    "Session": "session",
    "budget": "spending",
    "Limits": "spec",
    "ModelSettings": "spec",
    "Team": "team",
    "tool": "tools",
    "clear_runs": "maintenance",
    "doctor": "maintenance",
    "export_answers": "maintenance",
    "export_record": "maintenance",
    "export_runs": "maintenance",
    "import_answers": "maintenance",
    "import_record": "maintenance",
    "reprice": "maintenance",
    "role_sql": "maintenance",
}

__all__ = [
    "Agent",
    "Batch",
    "BatchError",
    "ConfigurationError",
    "Evaluation",
    "Limits",
    "MCPServer",
    "Model",
    "ModelError",
    "ModelSettings",
    "NBAgentError",
    "OpenAIChat",
    "OpenAIResponses",
    "Panel",
    "Provider",
    "Run",
    "RunError",
    "RunIdInUseError",
    "RunMetrics",
    "RunOutput",
    "RunStatus",
    "Session",
    "StoreError",
    "Team",
    "WaitTimeout",
    "budget",
    "cancel_run",
    "clear_runs",
    "compare",
    "contains",
    "diff",
    "doctor",
    "evaluate",
    "exact",
    "export_answers",
    "export_record",
    "export_runs",
    "gather",
    "get",
    "guest",
    "import_answers",
    "import_record",
    "judge",
    "metrics",
    "notebook",
    "plot_cost",
    "plot_latency",
    "plot_timeline",
    "regex",
    "register_model",
    "register_provider",
    "reprice",
    "resume",
    "role_sql",
    "runs",
    "sql",
    "stale",
    "tool",
    "within",
    "workers",
]


def __getattr__(name: str) -> Any:
    """Import a public name at its first use, so that `import nbagent` costs next to nothing."""
    if name in (
        "events",
        "models",
    ):  # the classes of what a run tells; what models of one's own are made with
        return importlib.import_module(f"nbagent.{name}")
    if name not in _PUBLIC:
        raise AttributeError(f"module 'nbagent' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"nbagent.{_PUBLIC[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "events"})


def _prepare_kernel() -> None:
    """Let cells and lines of IPython show runs that they end in, with or without the extension.

    In a kernel whose displays from threads land in the wrong cell, mend that, too.
    """
    if "IPython" not in sys.modules:
        return
    from nbagent import kernel

    shell = kernel.shell()
    if shell is None:
        return
    kernel.show_values(shell)
    ipykernel = sys.modules.get("ipykernel")
    if ipykernel is not None and ipykernel.version_info[0] < _DISPLAYS_BY_CONTEXT:
        kernel.display_where_printed(shell)


_DISPLAYS_BY_CONTEXT = 7  # ipykernel's version
_prepare_kernel()


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Set the magics up; `%load_ext nbagent` calls this. Silent and idempotent.

    Opens no file and no connection; while no cell runs one thread imports what a first run needs.
    """
    from nbagent.magics import load

    load(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Take back what `%load_ext` set up; runs go on."""
    from nbagent.magics import unload

    unload(shell)
