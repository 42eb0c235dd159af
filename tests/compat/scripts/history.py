import os

from agno.agent import Agent
from agno.db.sqlite import SqliteDb
from agno.models.openai import OpenAIChat

agent = Agent(
    model=OpenAIChat(id="parrot", base_url=os.environ["PROVIDER_URL"], api_key="k"),
    db=SqliteDb(db_file="tmp/agent.db"),
    session_id="chat",
    add_history_to_context=True,
    num_history_runs=2,
    user_id="ada",
)
agent.print_response("My name is Ada.")
agent.print_response("What is my name?")
agent.print_response("And in another chat?", session_id="second")
