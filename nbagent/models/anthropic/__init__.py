"""The wire format of Anthropic: Messages, at its own address and at the servers that speak it too.

messages.py         AnthropicMessages: a request, asked again where the provider paused it
message_body.py     ModelRequest -> body
message_history.py  a session's messages -> the turns of the format
message_stream.py   events, or a whole message -> events of ours (message_blocks.py: the blocks in them)
message_batches.py  many requests in one, answered within a day
output_schema.py    JSON Schema -> the subset that `output_config.format` takes
"""

from nbagent.models.anthropic.messages import AnthropicMessages

__all__ = ["AnthropicMessages"]
