# ruff: noqa: T201 - a magic talks to the person by printing under its cell
"""The magics: parse a line, call one thing below, return what it gives. On the kernel's main thread.

`%%agent_bg` launches and returns at once, `%%agent` does the same in the foreground, `%agent` looks at runs
and stops them (`subcommands.py`), `%%after` runs a cell once runs have ended (`after/`), `%config NBAgent` sets
options. Arguments are read in `parsers.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from IPython.core.magic import Magics, cell_magic, line_cell_magic, magics_class, no_var_expand
from traitlets import TraitType

from nbagent import kernel, settings
from nbagent.core import magics_loaded, says_magic
from nbagent.errors import (
    ConfigurationError,
    PromptError,
    replace_traceback,
)
from nbagent.magics import config_magic, map_option
from nbagent.magics.after import after, say_gone
from nbagent.magics.agent_module import agent_module
from nbagent.magics.caller_names import visible_names
from nbagent.magics.completion import completer
from nbagent.magics.launch_options import agent_overrides, contexts_named, launched_agent, with_notebook
from nbagent.magics.namespace import evaluate, find_run, session
from nbagent.magics.parsers import AFTER, AGENT, AGENT_BG, AGENT_MODULE, Line, agent_line
from nbagent.magics.streaming import follow_on_card, stream
from nbagent.magics.subcommands import VERBS
from nbagent.magics.unreported_runs import mark_reported
from nbagent.notebook_tools import cell_record

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from nbagent.agent import Agent
    from nbagent.batch import Batch
    from nbagent.runtime import Run


class Value(TraitType[Any, Any]):
    """A trait of `%config NBAgent` that the settings check and keep; a bad value leaves the old one."""

    default_value = None
    allow_none = True

    def validate(self, _obj: Any, value: Any) -> Any:
        """Hand the value over to the settings. Raises UnknownOptionError."""
        settings.configure(str(self.name), value)
        known = settings.config.get(str(self.name))
        return known if isinstance(known, settings.ServerUrl) else value  # the one that shows no password


_OPTIONS = {
    name: Value(help=f"{option.doc} Default: {option.default}.").tag(config=True)
    for name, option in settings.OPTIONS.items()
}


@magics_class
class NBAgent(type("NBAgentOptions", (Magics,), _OPTIONS)):  # type: ignore[misc]  # traits made from the table
    """Agents in the background of your notebook."""

    def __init__(self, shell: InteractiveShell) -> None:
        super().__init__(shell)
        # a trait set to None is not validated: taking a setting back is heard here
        self.observe(lambda change: settings.configure(change["name"], change["new"]), list(settings.OPTIONS))

    @no_var_expand
    @cell_magic
    @says_magic
    def agent_bg(self, line: str, cell: str) -> None:
        """Launch an agent on the cell's text; the prompt is back at once.

        %%agent_bg [AGENT] [-m MODEL] [-o NAME] [--schema TYPE] [--tools A,B] [--notebook [--read A,df*]]
                   [--members A,B]
                   [--mode coordinate|route|broadcast] [--session ID] [--run-id ID]
                   [--if-exists error|attach] [--timeout SECONDS] [-i TEXT] [-c VAR|FILE|COLUMN] [-q]
                   [--temperature X] [--reasoning-effort WORD] [--max-output-tokens N] [--max-total-tokens N]
                   [--max-steps N] [--max-cost DOLLARS] [--cache off|use|refresh|replay] [--dry-run]
                   [--map TABLE [-j N] [--group N] [--dedupe] [--on-error continue|stop] [--fresh]] [--on kernel|workers]

        The text is a Jinja2 template: {{ x }} is a variable of the notebook. AGENT is an Agent or Team of the
        notebook; without one the flags and `%config NBAgent` describe it, and --members makes a team of
        agents of the notebook. The line is taken as it stands: IPython expands no $x and no {x} in it, a
        backslash at its end takes the next line in, and # begins a comment. Running the cell again cancels
        its earlier run. --session names a Session of the notebook, or is an id. -c sends a variable (a
        figure, a DataFrame, any value) or a file with the prompt, and may come several times. --cache use
        gives the newest earlier answer to the same and asks only where there is none, refresh asks anew,
        replay never asks. --dry-run shows the prompt as it would be sent, its tokens and what it can cost,
        and sends nothing. --map sends it once for each row of a table, list or generator, N at a time, as a
        batch ({{ row.column }}); --max-cost and --max-total-tokens then bound the whole of it, and -c names a
        column whose files, pictures or tables go with each row. --on workers has workers of the record do it,
        which outlive this kernel.

        In [1]: country = "France"

        In [2]: %%agent_bg -o answer
           ...: What is the capital of {{ country }}?
        nbagent run 'answer' on demo:assistant: ...

        In [3]: answer.result(timeout=60).content
        Out[3]: 'The capital of France is Paris.'
        """
        options, cell = AGENT_BG.parse_cell(line, cell)
        say_gone()
        map_option.check(options)
        if options.dry_run:
            self._dry_run(options, cell)
            return
        if options.map is not None:
            batch = self._map(options, cell)
            if not options.quiet:
                map_option.say(batch, options)
            return
        run = self._launch(options, cell)
        if not options.quiet:
            from nbagent.panel import show_card

            show_card(run)

    @no_var_expand
    @line_cell_magic
    @says_magic
    def agent(self, line: str, cell: str | None = None) -> Any:
        """Run an agent in the foreground (`%%agent`, flags as in `%%agent_bg?`), or look after runs (`%agent`).

        %agent                          the panel: all runs, live
        %agent list [--here]            this store's runs as a DataFrame; `--here`: of this kernel alone; [--since 12h|TIME]
        %agent show [RUN]               the card of a run (default: the latest)
        %agent wait [RUN ...]           wait for these runs, or for all not waited for yet [--timeout SECONDS]
        %agent cancel RUN ... | --all   stop them
        %agent approve [RUN]            let the calls that wait for a person run, or one of them [--call ID]
        %agent deny [RUN]               refuse them; the model is told why [--why TEXT] [--call ID]
        %agent resume RUN ...           go on with stopped runs from their last finished step [--from-partial]
        %agent retry RUN ... | --stale  start their work anew, as new runs; of those that would be asked otherwise now
        %agent metrics [BY]             tokens, cost and speed by model (default), member, session, agent or tool
        %agent models [PROVIDER]        the providers: what is configured, and what each can do; or the models that one
                                        serves: its own list, asked for now
        %agent budget [5/day|none/day]  what all kernels may spend a day, a month (5/month) or at all (5) [--unknown refuse]
        %agent record export|import FILE   the answers of this kernel's runs (or of --all) as a file, for --cache replay
        %agent record export|import FILE.duckdb   the whole record: to a new file, or from one into a server's record
        %agent clear [--older-than 7d] [--status S] [--session ID] [--all]   delete runs; asks first, or --yes
        %agent export FILE              a table of the record [--format parquet|csv|jsonl] [--table model_calls|...]
        %agent sql SELECT ...           ask the record; it cannot be changed by it
        %agent doctor                   versions, record, keys that are set, what the kernel can do

        RUN is a run id or a label (the NAME of `-o NAME`), TIME a local time or date, as in "2026-11-21
        09:00". In the foreground the text streams into the run's card, in a terminal onto the screen; Stop
        cancels the run, and a run that fails fails the cell.

        In [1]: %%agent -o italy
           ...: What is the capital of Italy?
        The capital of Italy is Rome.

        In [2]: %agent wait italy
        1 run: 1 completed

        In [3]: %agent metrics agent
        Out[3]:
          agent_name ...
        0      agent ...
        """
        say_gone()
        if cell is not None:
            options, cell = AGENT.parse_cell(line, cell)
            map_option.check(options)
            if options.dry_run:
                return self._dry_run(options, cell)
            if options.map is not None:
                return map_option.foreground(self._map(options, cell))
            return self._foreground(options, cell)
        verb, arguments = agent_line(line)
        return VERBS[verb](self.shell, arguments)

    @no_var_expand
    @cell_magic
    @says_magic
    def after(self, line: str, cell: str) -> None:
        """Run the cell once, when the runs that the line names have ended; the prompt is back at once.

        %%after NAME ...

        NAME is a variable that holds a run, a batch or an evaluation, or a run's label or id; a name that has been
        given to a newer run meanwhile is waited for, too. The cell runs between two others, never in the middle of
        one, with its output below itself; how the runs ended is for the cell to look at. Running it again replaces
        what waits; a kernel that ends takes it along, and the next one says so. Without a front end that names its
        cells (nbclient, papermill, a terminal) it waits in its place.

        In [1]: %%agent_bg -o peru
           ...: What is the capital of Peru?
        nbagent run 'peru' on demo:assistant: ...

        In [2]: %%after peru
           ...: print(peru.content)
        The capital of Peru is Lima.
        """
        options, cell = AFTER.parse_cell(line, cell)
        say_gone()
        after(self.shell, options.runs, cell)

    @no_var_expand
    @cell_magic
    @says_magic
    def agent_module(self, line: str, cell: str) -> None:
        """Write the cell into a module and import it: what it makes can be imported by workers and other notebooks.

        %%agent_module FILE

        FILE, such as agents.py, is beside the notebook, or where else Python imports from. It has the cell's text, after
        the imports that it takes from the notebook; what another cell has made otherwise has to be made in this one. The
        names are those of the module from then on; running the cell again writes and imports it anew. A file that
        something else has written is left alone.

        In [1]: %%agent_module agents.py
           ...: import nbagent as nb
           ...: desk = nb.Agent(model="demo:assistant", name="desk")
        agents.py: module agents with desk

        In [2]: desk.run("What is the capital of Peru?").content
        Out[2]: 'The capital of Peru is Lima.'
        """
        options, cell = AGENT_MODULE.parse_cell(line, cell)
        agent_module(options.file, cell, self.shell.user_ns)

    # -------------------------------------------------------------- launching

    @property
    def _names(self) -> Mapping[str, Any]:
        return visible_names(self.shell.user_ns)

    def _prompt(self, cell: str) -> str:
        from nbagent.prompts import render

        prompt = render(cell.strip("\n"), self._names)
        if not prompt.strip():
            raise PromptError("the cell holds no prompt", "write what the agent should do below the magic")
        return prompt

    def _dry_run(self, options: Line, cell: str) -> None:
        names = self._names
        if options.map is not None:
            print(map_option.forecast(self._agent(options), options, cell, names))
            return
        forecast = self._agent(options).forecast(
            self._prompt(cell),
            session_id=options.session,
            output_schema=evaluate(options.schema, names, "schema") if options.schema else None,
            files=contexts_named(options.context, names),
        )
        print(forecast)

    def _launch(self, options: Line, cell: str) -> Run:
        names = self._names
        prompt = self._prompt(cell)
        if (
            options.run_id
            and options.if_exists == "attach"
            and (joined := find_run(options.run_id)) is not None
        ):
            return self._assign(options, joined)
        agent = self._agent(options)
        contexts = contexts_named(options.context, names)
        cell_id = kernel.current_cell_id()
        if cell_id:
            self._supersede(cell_id)
        if contexts and not options.quiet:
            print(f"context: {', '.join(map(str, contexts))}")
        run = agent.start(
            prompt,
            files=contexts,
            session=session(options.session, names),
            run_id=options.run_id,
            output_schema=evaluate(options.schema, names, "schema") if options.schema else None,
            timeout=settings.get("timeout", options.timeout) if options.timeout is not None else None,
            cache=options.cache,
            label=options.output,
            cell_id=cell_id,
            on=options.on,
        )
        return self._assign(options, run)

    def _map(self, options: Line, cell: str) -> Batch:
        batch = map_option.launch(self._agent(options), options, cell, self._names)
        if options.output:
            self.shell.user_ns[options.output] = batch
        return batch

    def _assign(self, options: Line, run: Run) -> Run:
        if options.output:
            self.shell.user_ns[options.output] = run
        return run

    def _agent(self, options: Line) -> Agent:
        """Return the agent that the line names, with the line's own model, tools and instructions where given."""
        from dataclasses import replace

        names = self._names
        agent = launched_agent(options, names)
        changes: dict[str, Any] = {}
        if options.model:
            changes["model"] = options.model
        if options.instructions is not None:
            changes["instructions"] = options.instructions
        if options.tools:
            changes["tools"] = [evaluate(name, names, "tool") for name in options.tools.split(",") if name]
        if options.notebook or options.read is not None:
            changes["tools"] = with_notebook(changes.get("tools", agent.tools), options)
        changes |= agent_overrides(agent, map_option.of_run(options))
        if not changes:
            return agent
        changed = replace(agent, **changes)
        changed.changed_from = agent if options.members is None else None
        return changed

    def _supersede(self, cell_id: str) -> None:
        from nbagent import runtime

        for run_id in runtime.supersede(cell_id):
            print(f"cancelled this cell's earlier run {run_id}")

    def _foreground(self, options: Line, cell: str) -> None:
        run = self._launch(options, cell)
        on_card = kernel.in_kernel() and not options.quiet
        try:
            follow_on_card(run) if on_card else stream(run)
        except KeyboardInterrupt as stop:
            run.cancel()
            replace_traceback(stop, "the run was cancelled; what it had written is kept")
            raise
        mark_reported([run])
        output = run.result()
        if not on_card and not isinstance(output.content, str):
            from IPython.display import display

            display(run.to_frame())  # type: ignore[no-untyped-call]


def load(shell: InteractiveShell) -> None:
    """Register the magics; a second call does nothing."""
    if "agent_bg" not in shell.magics_manager.magics["cell"]:
        try:
            shell.register_magics(NBAgent)
        except ConfigurationError as error:  # a bad value of a configuration file's
            print(f"{error}\nall options of %config NBAgent are taken back")
            shell.config.pop("NBAgent", None)
            shell.register_magics(NBAgent)
        config_magic.load(shell, shell.magics_manager.registry["NBAgent"])
    completer.load(shell)
    kernel.load(shell)
    cell_record().start(shell)
    magics_loaded(there=True)


def unload(shell: InteractiveShell) -> None:
    """Take the magics back; runs go on."""
    for kind in ("line", "cell"):
        for name in ("agent", "agent_bg", "agent_module", "after"):
            shell.magics_manager.magics[kind].pop(name, None)
    config_magic.unload(shell)
    completer.unload(shell)
    magics_loaded(there=False)
    cell_record().stop()
    kernel.unload(shell)
