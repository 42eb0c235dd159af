import os

from agno.agent import Agent
from agno.db.sqlite import SqliteDb
from agno.models.openai import OpenAIChat
from agno.run import RunContext


def add_item(run_context: RunContext, item: str) -> str:
    """Add an item to the shopping list."""
    run_context.session_state["shopping_list"].append(item)
    return f"The shopping list is now {run_context.session_state['shopping_list']}"


agent = Agent(
    model=OpenAIChat(id="shopper", base_url=os.environ["PROVIDER_URL"], api_key="k"),
    session_state={"shopping_list": []},
    db=SqliteDb(db_file="agents.db"),
    tools=[add_item],
    instructions="Current state (shopping list) is: {shopping_list}",
    markdown=True,
)
agent.print_response("Add milk")
agent.print_response("Add eggs", stream=True)
print(f"Session state: {agent.get_session_state()}")
response = agent.run("Add tea", session_id="other", session_state={"shopping_list": ["rice"]})
print(response.session_state, agent.get_session_state(session_id="other"))
