"""What both wire formats of OpenAI share: the headers that its SDK takes from the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping

from nbagent.models.endpoint import custom_headers
from nbagent.models.openai.batch_api import OpenAIBatches
from nbagent.models.wire.streamed_model import StreamedModel

_FROM_ENVIRONMENT = {"openai-organization": "OPENAI_ORG_ID", "openai-project": "OPENAI_PROJECT_ID"}


class OpenAICompatibleModel(StreamedModel):
    """A model behind an endpoint that speaks one of OpenAI's wire formats."""

    def batches(self) -> OpenAIBatches:
        """Return the batch files of the provider."""
        return OpenAIBatches(self)

    @staticmethod
    def environment_headers() -> Mapping[str, str]:
        """Return the headers that OpenAI's SDK takes from the environment: what is set for it holds here too."""
        headers = {name: os.environ.get(variable, "").strip() for name, variable in _FROM_ENVIRONMENT.items()}
        return {name: value for name, value in headers.items() if value} | custom_headers(
            "OPENAI_CUSTOM_HEADERS"
        )
