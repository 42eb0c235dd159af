"""What `nbagent worker --demo` serves: an agent and a team on the demo model, which needs no key.

>>> from nbagent.worker.demo_agents import desk
>>> desk.name
'desk'
"""

from __future__ import annotations

from nbagent.agent import Agent
from nbagent.team import Team
from nbagent.tools import tool


@tool(idempotent=True)
def price(ticker: str) -> float:
    """The price of a share in US dollars, made up."""
    return 100.0 + sum(map(ord, ticker.upper())) % 100


desk = Agent(model="demo:assistant", name="desk", tools=[price])
newsroom = Team(
    model="demo:assistant",
    name="newsroom",
    members=[
        Agent(name="writer", instructions="Write two sentences."),
        Agent(name="editor", instructions="Name one thing to improve."),
    ],
)
