import asyncio
import base64
import os
from pathlib import Path

from agno.agent import Agent
from agno.media import Image
from agno.models.openai import OpenAIChat

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
Path("pixel.png").write_bytes(PIXEL)
agent = Agent(model=OpenAIChat(id="seer", base_url=os.environ["PROVIDER_URL"], api_key="k"), markdown=True)
agent.print_response("What is this?", images=[Image(filepath="pixel.png")])
asyncio.run(agent.aprint_response("And this?", images=[Image(content=PIXEL)], stream=True))
