import os

from agno.agent import Agent
from agno.db.postgres import PostgresDb
from agno.models.openai import OpenAIChat

agent = Agent(
    model=OpenAIChat(id="parrot", base_url=os.environ["PROVIDER_URL"], api_key="k"),
    db=PostgresDb(db_url="postgresql+psycopg://ai:ai@localhost:5532/ai"),
    session_id="chat",
    add_history_to_context=True,
    num_history_runs=2,
    user_id="ada",
)
agent.print_response("My name is Ada.")
agent.print_response("What is my name?")
agent.print_response("And in another chat?", session_id="second")
