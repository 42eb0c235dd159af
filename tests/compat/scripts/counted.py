import os

from agno.agent import Agent
from agno.db.in_memory import InMemoryDb
from agno.models.openai import OpenAIChat


def get_weather(city: str) -> str:
    """Get the weather of a city."""
    return f"{city} is sunny"


agent = Agent(
    model=OpenAIChat(id="weather", base_url=os.environ["PROVIDER_URL"], api_key="k"),
    tools=[get_weather],
    db=InMemoryDb(),
    markdown=True,
)
run_response = agent.run("Is it nice in Rome?")
for message in run_response.messages:
    if message.role == "assistant":
        if message.tool_calls:
            print("calls", [call["function"]["name"] for call in message.tool_calls])
        else:
            print("says", message.content)
        print("message", message.metrics.to_dict()["total_tokens"])
metrics = run_response.metrics.to_dict()
print("run", metrics["input_tokens"], metrics["output_tokens"], metrics["total_tokens"])
print("first token", run_response.metrics.time_to_first_token > 0, run_response.metrics.duration > 0)
print("session", agent.get_session_metrics().to_dict()["total_tokens"])
