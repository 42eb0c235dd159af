"""The wire formats of OpenAI, which most servers speak: Chat Completions and Responses.

base.py              what both share: headers from the environment (the rest: ../wire/)
chat.py              OpenAIChat; ModelRequest -> body
chat_stream.py       its chunks -> events
responses.py         OpenAIResponses; ModelRequest -> body
responses_stream.py  its events -> events of ours (response_items.py: the items in them)
background.py        a response that lives at its provider
batch_api.py         files of requests that the provider answers within a day
strict_schema.py     JSON Schema -> the strict subset
"""
