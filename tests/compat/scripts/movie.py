import os

from agno.agent import Agent, RunOutput
from agno.models.openai import OpenAIChat
from agno.utils.pprint import pprint_run_response
from pydantic import BaseModel, Field


class MovieScript(BaseModel):
    setting: str = Field(..., description="A nice setting for a blockbuster movie.")
    genre: str = Field(..., description="Genre of the movie.")
    characters: list[str] = Field(..., description="Names of characters.")


writer = Agent(
    model=OpenAIChat(id="movie", base_url=os.environ["PROVIDER_URL"], api_key="k", temperature=0.2),
    description="You write movie scripts.",
    instructions=["Keep it short.", "Name two characters."],
    expected_output="A script that can be filmed.",
    output_schema=MovieScript,
    use_json_mode=True,
    markdown=True,
)
response: RunOutput = writer.run("New York")
assert isinstance(response.content, MovieScript)
print(response.content.setting, "|", response.content.genre, "|", ", ".join(response.content.characters))
print(type(response.content).__name__)
pprint_run_response(response, markdown=True)
