"""The agent loop: ask the model, call the tools it wants, repeat until there is an answer.

`decide.py` says what comes next as a pure function of the state, `perform.py` does it, `ask.py` makes one
model call with its retries, each try through a gate (`gate.py`), `toolcalls.py` one tool call (`execute.py` runs
its function, `tool_results.py` says what the model is told of the result), `approval.py` those that wait for a person;
`continuation.py` joins partial text and what follows it. The loop takes a spec and emits events; it knows
neither the store nor the runtime nor Jupyter. All of it runs on the background thread's event loop.
"""

from nbagent.loop.agent_loop import Durability, LoopContext, run_loop
from nbagent.loop.approval import Decision
from nbagent.loop.gate import Charge, Gate, OpenGate
from nbagent.loop.model_call import answered
from nbagent.loop.policy import AskModel, CallTools, Check, Finish, LoopState, next_action
from nbagent.loop.team_loop import Answer, run_team, tool_names
from nbagent.loop.tool_call import current_tool_call, with_tools

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
    "answered",
    "current_tool_call",
    "next_action",
    "run_loop",
    "run_team",
    "tool_names",
    "with_tools",
]
