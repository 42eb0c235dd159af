"""What agno's agents are given: models with their settings, pictures and files."""

from __future__ import annotations

from typing import Any

import nbagent as nb
from nbagent.errors import ConfigurationError

_MODEL_SETTINGS = {
    "temperature": "temperature",
    "top_p": "top_p",
    "seed": "seed",
    "max_tokens": "max_output_tokens",
    "max_completion_tokens": "max_output_tokens",
    "max_output_tokens": "max_output_tokens",
    "reasoning_effort": "reasoning_effort",
}


class CompatModel:
    """What both wire formats share: agno gives a model its settings, nbagent an agent."""

    def __init__(self, id: str, **options: Any) -> None:  # noqa: A002 - agno's word
        given = {name: options.pop(name) for name in list(options) if name in _MODEL_SETTINGS}
        self.compat_settings = {_MODEL_SETTINGS[name]: value for name, value in given.items()}
        super().__init__(id=id, **options)  # type: ignore[call-arg] # that of the wire format beside it


class OpenAIChat(CompatModel, nb.OpenAIChat):
    """A model on Chat Completions: `OpenAIChat(id="gpt-5-mini", base_url=..., api_key=..., temperature=...)`."""

    def __init__(self, id: str = "gpt-5-mini", **options: Any) -> None:  # noqa: A002 - agno's word
        super().__init__(id, **options)


class OpenAIResponses(CompatModel, nb.OpenAIResponses):
    """A model on the Responses API."""

    def __init__(self, id: str = "gpt-5-mini", **options: Any) -> None:  # noqa: A002 - agno's word
        super().__init__(id, **options)


class Media:
    """A picture or file: `Image(filepath="a.png")` or `Image(content=b"...")`."""

    def __init__(
        self, *, filepath: Any = None, content: bytes | None = None, url: str | None = None, **more: Any
    ) -> None:
        del more  # what agno knows of it beside
        if url is not None or (filepath is None and content is None):
            raise ConfigurationError(
                f"{type(self).__name__}(url={url!r}): nbagent downloads nothing",
                f"give the file itself: {type(self).__name__}(filepath=...) or content=b'...'",
            )
        self.source = str(filepath) if filepath is not None else content


class Image(Media):
    """A picture that goes with the prompt."""


class File(Media):
    """A file that goes with the prompt."""
