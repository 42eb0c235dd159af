import os

from agno.agent import Agent
from agno.db.in_memory import InMemoryDb
from agno.models.openai import OpenAIChat
from agno.tools import tool


@tool(requires_confirmation=True)
def transfer(amount: int) -> str:
    """Transfer money.

    Args:
        amount (int): How much.
    """
    return f"sent {amount}"


agent = Agent(
    model=OpenAIChat(id="bank", base_url=os.environ["PROVIDER_URL"], api_key="k"),
    tools=[transfer],
    db=InMemoryDb(),
)
for agreed in (True, False):
    run_response = agent.run("Send 5")
    print(
        "paused", run_response.is_paused, [one.tool_name for one in run_response.tools_requiring_confirmation]
    )
    for requirement in run_response.active_requirements:
        if requirement.needs_confirmation:
            print("asks for", requirement.tool_execution.tool_args)
            if agreed:
                requirement.confirm()
            else:
                requirement.reject("too much")
    run_response = agent.continue_run(run_id=run_response.run_id, requirements=run_response.requirements)
    print(run_response.content)
