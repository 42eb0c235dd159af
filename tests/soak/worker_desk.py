"""What the workers of `test_worker_deaths.py` serve: three tools, of which one must not be called twice, each long enough to be cut off in."""

from __future__ import annotations

import asyncio

import nbagent as nb
from tests.workers.served import Planner, _held, note


@nb.tool(idempotent=True)
async def look(tag: str) -> str:
    """Look; again does no harm."""
    note("look", tag)
    await asyncio.sleep(0.02)
    return "seen"


@nb.tool
async def buy(tag: str) -> str:
    """Buy, which must not happen twice."""
    note("buy", tag)
    await asyncio.sleep(0.04)
    note("bought", tag)
    return "bought"


@nb.tool(idempotent=True)
async def check(tag: str) -> str:
    """Look whether it was bought."""
    note("check", tag)
    await asyncio.sleep(0.02)
    return "checked"


@nb.tool(idempotent=True)
async def hold(tag: str) -> str:
    """Wait until the soak lets it go on."""
    return await _held("hold", tag)


desk = nb.Agent(model=Planner(), name="desk", tools=[look, buy, check, hold])
