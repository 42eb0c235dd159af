"""The two wire formats of OpenAI, which most servers speak: Chat Completions and Responses."""
