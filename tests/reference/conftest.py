"""The scenarios' world: each on every wire format, against the demo model or a provider that a test scripts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator

import pytest

from nbagent import Agent, Limits, RunOutput
from nbagent.demo import DemoProcess
from tests.harness.waiting import PATIENCE_S, until_async
from tests.provider.messages_front import MessagesFront
from tests.provider.server import ScriptedProvider
from tests.reference.wire_formats import WIRES, Wire

Polled = Callable[[Agent, RunOutput], Awaitable[RunOutput]]


@pytest.fixture
def anyio_backend() -> str:
    """Async tests run on asyncio, as a notebook does."""
    return "asyncio"


@pytest.fixture(params=WIRES)
def wire(request: pytest.FixtureRequest) -> Wire:
    """The wire format of this leg."""
    return WIRES[request.param]


@pytest.fixture(scope="session")
def openai_demo_url() -> Iterator[str]:
    """The base URL of a demo server that answers ten times as fast as a believable model."""
    process = DemoProcess(speed=10)
    yield process.start()
    process.stop()


@pytest.fixture(scope="session")
def messages_demo_url(openai_demo_url: str) -> Iterator[str]:
    """The base URL of the same model behind Anthropic's wire format."""
    front = MessagesFront(openai_demo_url)
    yield front.base_url
    front.close()


@pytest.fixture
def demo_url(request: pytest.FixtureRequest) -> str:
    """The base URL of the demo model over this leg's wire format."""
    leg = request.getfixturevalue("wire").name if "wire" in request.fixturenames else "chat"
    return str(request.getfixturevalue("messages_demo_url" if leg == "messages" else "openai_demo_url"))


@pytest.fixture
def agent(wire: Wire, demo_url: str) -> Agent:
    """An agent whose model is the demo model, over this leg's wire format."""
    return Agent(model=wire.model(demo_url, "assistant"))


@pytest.fixture
def scripted(wire: Wire, provider: ScriptedProvider) -> Agent:
    """An agent whose model is the scripted provider, over this leg's wire format; it makes no second try."""
    return Agent(model=wire.model(provider.base_url), limits=Limits(model_retries=0))


@pytest.fixture
def polled() -> Polled:
    """Poll a background run as the reference systems' examples do, until it has ended."""

    async def poll(agent: Agent, out: RunOutput) -> RunOutput:
        deadline = time.monotonic() + PATIENCE_S
        while not out.is_final:
            assert time.monotonic() < deadline, f"the run is still {out.status}"
            await asyncio.sleep(0.01)
            out = await agent.aget_run_output(run_id=out.run_id, session_id=out.session_id)
        return out

    return poll


@pytest.fixture
def until() -> Callable[[Callable[[], bool]], Awaitable[None]]:
    """Wait until something that has no event of its own holds."""
    return until_async
