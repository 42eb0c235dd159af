"""The magics: a line is parsed, then one thing below is called for each verb. On the kernel's main thread.

commands.py         %%agent_bg, %%agent, %agent           config_magic.py     %config NBAgent
parsers.py          which flags there are, as data        launch_options.py   flags to agent, limits, attachments
map_option.py       --map: a cell as a batch              subcommands.py      list, show, wait, cancel, resume ...
approvals.py        approve and deny                      maintenance.py      record, clear, export, sql, doctor
namespace.py        names in the notebook                 caller_names.py     names that a prompt may use
after/              %%after: a cell that runs when runs have ended
agent_module/       %%agent_module: a cell as a module that workers can import
streaming.py        a foreground run's text               unreported_runs.py  the runs that a bare wait waits for
completion/         Tab: completer.py, values.py, deadline_cache.py
"""

from nbagent.magics.commands import NBAgent, load, unload

__all__ = ["NBAgent", "load", "unload"]
