"""The agent loop: ask the model, call the tools it wants, repeat until there is an answer.

`decide.py` says what comes next as a pure function of the state, `perform.py` does it, `ask.py` makes one
model call with its retries, each try through a gate (`gate.py`), `toolcalls.py` one tool call (`execute.py` runs
its function, `tool_results.py` says what the model is told of the result), `approval.py` those that wait for a person;
`continuation.py` joins partial text and what follows it. The loop takes a spec and emits events; it knows
neither the store nor the runtime nor Jupyter. All of it runs on the background thread's event loop.
"""

from nbagent.loop.approval import Decision
from nbagent.loop.ask import answered
from nbagent.loop.decide import Ask, CallTools, Check, Finish, LoopState, next_action
from nbagent.loop.gate import Charge, Gate, OpenGate
from nbagent.loop.perform import Commit, LoopContext, run_loop
from nbagent.loop.toolcalls import current_tool_call, with_tools

__all__ = [
    "Ask",
    "CallTools",
    "Charge",
    "Check",
    "Commit",
    "Decision",
    "Finish",
    "Gate",
    "LoopContext",
    "LoopState",
    "OpenGate",
    "answered",
    "current_tool_call",
    "next_action",
    "run_loop",
    "with_tools",
]
