import os

from agno.agent import Agent
from agno.models.openai import OpenAIChat
from agno.tools import Toolkit, tool


class ShopTools(Toolkit):
    def __init__(self, currency: str, **kwargs) -> None:
        self.currency = currency
        super().__init__(name="shop_tools", tools=[self.price_of, self.stock_of], **kwargs)

    def price_of(self, article: str) -> str:
        """Get the price of an article.

        Args:
            article (str): The article's name.
        """
        return f"{article} costs 5 {self.currency}"

    def stock_of(self, article: str) -> int:
        """Get how many pieces of an article there are."""
        return len(article)


@tool(show_result=False, description="Say when the shop opens.")
def opening_hours(day: str = "today") -> str:
    return f"{day}: 9 to 17"


agent = Agent(
    name="Clerk",
    model=OpenAIChat(id="clerk", base_url=os.environ["PROVIDER_URL"], api_key="k"),
    tools=[ShopTools("euros"), opening_hours],
    instructions="Answer from the tools.",
    tool_call_limit=5,
)
agent.print_response("What does tea cost, and when do you open?", stream=True)
response = agent.run("What does tea cost, and when do you open?")
for execution in response.tools:
    print(execution.tool_name, execution.tool_args, execution.result, execution.tool_call_error)
