"""The agent loop: ask the model, call the tools it wants, repeat until there is an answer.

policy.py          next_action: what comes next, a pure function of the state
agent_loop.py      run_loop: does that until the attempt ends; LoopContext, what it is given from outside
model_call.py      one model call with its tries; `gate.py` what each passes first
reply_ends.py      what the end of a reply means
resume_text.py     a cut text and its continuation, joined
tool_call.py       one tool call: check, run, result; `tool_execution.py` runs its function
tool_results.py    what the model is told of a result
approval.py        calls that wait for a person
team_loop.py       run_team: a leader's loop with a tool for each member

The loop takes a spec and emits events; it knows neither the store nor the runtime nor Jupyter. All of it runs
on the background thread's event loop.
"""

from nbagent.loop.agent_loop import Durability, LoopContext, run_loop
from nbagent.loop.approval import Decision
from nbagent.loop.gate import Charge, Gate, OpenGate
from nbagent.loop.model_call import answered
from nbagent.loop.policy import AskModel, CallTools, Check, Finish, LoopState, next_action
from nbagent.loop.team_loop import Answer, StartChild, run_team, tool_names
from nbagent.loop.tool_call import approved_arguments, current_tool_call, with_tools
from nbagent.loop.tool_results import ToolResult

__all__ = [
    "Answer",
    "AskModel",
    "CallTools",
    "Charge",
    "Check",
    "Decision",
    "Durability",
    "Finish",
    "Gate",
    "LoopContext",
    "LoopState",
    "OpenGate",
    "StartChild",
    "ToolResult",
    "answered",
    "approved_arguments",
    "current_tool_call",
    "next_action",
    "run_loop",
    "run_team",
    "tool_names",
    "with_tools",
]
