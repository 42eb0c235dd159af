"""Providers that serve the models of others, and clouds. Each row's facts are from the pages named above it."""

from __future__ import annotations

from nbagent.models.catalog.makers import JSON_OBJECT_ONLY
from nbagent.models.providers import Provider


def _routed(model: str) -> str:
    """Return the price list's name for `model:host`: it has a list of prices for each host behind the router."""
    name, _, host = model.rpartition(":")
    return f"huggingface_{host}:{name}" if name else f"huggingface:{model}"


def _as_listed(model: str) -> str:
    """Return the price list's name for a model by pydantic-ai's: its systems have mostly the list's own names."""
    system, _, name = model.partition(":")
    system = _SYSTEMS.get(system, "google" if system.startswith("google") else system)
    return f"{system.removesuffix('-responses').removesuffix('-chat')}:{name}"


_SYSTEMS = {"bedrock": "aws", "xai": "x-ai", "grok": "x-ai"}

HOSTS = (
    Provider(
        name="azure",
        label="Azure OpenAI",
        wires=("responses", "chat"),
        base_url_variable="AZURE_OPENAI_ENDPOINT",
        base_url_path="/openai/v1",
        key_variable="AZURE_OPENAI_API_KEY",
        limit_parameter="max_completion_tokens",
        native_background=True,
        keeps_responses=True,
    ),
    # https://docs.aws.amazon.com/bedrock/latest/userguide/inference-chat-completions.html and .../endpoints.html
    # (2026-11-30): a Bedrock API key as bearer token; AWS_REGION, AWS_DEFAULT_REGION and AWS_BEDROCK_BASE_URL are what
    # https://github.com/openai/openai-node/blob/HEAD/bedrock.md reads; gpt-oss thinks in <reasoning> at the start of its
    # text (https://github.com/CherryHQ/cherry-studio/issues/10225, 2026-11-30)
    Provider(
        name="bedrock",
        label="Amazon Bedrock, its OpenAI-compatible endpoint",
        wires=("chat", "responses"),
        base_url="https://bedrock-runtime.{region}.amazonaws.com/openai/v1",
        base_url_variable="AWS_BEDROCK_BASE_URL",
        region_variables=("AWS_REGION", "AWS_DEFAULT_REGION"),
        key_variable="AWS_BEARER_TOKEN_BEDROCK",
        limit_parameter="max_completion_tokens",
        reasoning_tag="reasoning",
        price_key="aws:{}".format,
        notes="the models that the endpoint serves; not Bedrock's own API",
    ),
    # https://docs.together.ai/docs/openai-api-compatibility and /docs/inference/responses-api (2026-11-30)
    Provider(
        name="together",
        label="Together AI",
        wires=("chat", "responses"),
        base_url="https://api.together.ai/v1",
        key_variable="TOGETHER_API_KEY",
        reasoning_field="reasoning",
    ),
    # https://docs.fireworks.ai/tools-sdks/openai-compatibility and /guides/response-api (2026-11-30): usage stands in the
    # last chunk, unasked
    Provider(
        name="fireworks",
        label="Fireworks AI",
        wires=("chat", "responses"),
        base_url="https://api.fireworks.ai/inference/v1",
        key_variable="FIREWORKS_API_KEY",
    ),
    # https://inference-docs.cerebras.ai/resources/openai and /capabilities/structured-outputs (2026-11-30): no JSON Schema
    # together with tools; reasoning comes in `reasoning`
    Provider(
        name="cerebras",
        label="Cerebras",
        base_url="https://api.cerebras.ai/v1",
        key_variable="CEREBRAS_API_KEY",
        limit_parameter="max_completion_tokens",
        schema_with_tools=False,
        reasoning_field="reasoning",
        notes="no schema together with tools: it goes into the prompt then",
    ),
    # https://huggingface.co/docs/inference-providers/index (2026-11-30): "model:host" picks who serves it
    Provider(
        name="huggingface",
        label="Hugging Face Inference Providers",
        wires=("chat", "responses"),
        base_url="https://router.huggingface.co/v1",
        key_variable="HF_TOKEN",
        price_key=_routed,
        notes='a model\'s id may name its host: "openai/gpt-oss-120b:groq"',
    ),
    Provider(
        name="siliconflow",
        label="SiliconFlow",
        base_url="https://api.siliconflow.cn/v1",
        base_url_variable="SILICONFLOW_BASE_URL",
        key_variable="SILICONFLOW_API_KEY",
        schema_rungs=JSON_OBJECT_ONLY,
    ),
    Provider(
        name="groq",
        label="Groq",
        wires=("chat", "responses"),
        base_url="https://api.groq.com/openai/v1",
        key_variable="GROQ_API_KEY",
        schema_with_tools=False,
        notes="no schema together with tools: it goes into the prompt then",
        reasoning_field="reasoning",
        replays_reasoning=False,
        limit_parameter="max_completion_tokens",
    ),
    # https://openrouter.ai/docs/api/reference/overview (2026-11-30): usage and its cost come with every stream
    Provider(
        name="openrouter",
        label="OpenRouter",
        wires=("chat", "responses"),
        base_url="https://openrouter.ai/api/v1",
        key_variable="OPENROUTER_API_KEY",
        reasoning_field="reasoning",
        usage="always",
        tells_cost=True,
    ),
    # https://pydantic.dev/docs/ai/models/overview (2026-11-30): the id is pydantic-ai's own "provider:model"
    Provider(
        name="pydantic-ai",
        label="pydantic-ai's models, each through its own client",
        wire="nbagent.models.pydantic_ai:PydanticAIModel",
        key_required=False,
        models_path=None,
        price_key=_as_listed,
        notes="wants the extra pydantic-ai; keys and addresses are found as pydantic-ai finds them",
    ),
    # https://docs.api.nvidia.com/nim/reference/llm-apis (2026-11-30)
    Provider(
        name="nvidia",
        label="NVIDIA API catalog",
        base_url="https://integrate.api.nvidia.com/v1",
        key_variable="NVIDIA_API_KEY",
        notes="without promises: what a request may hold differs from model to model",
    ),
    # https://docs.github.com/en/rest/models/inference and .../catalog (2026-11-30): a token with the models scope
    Provider(
        name="github",
        label="GitHub Models",
        base_url="https://models.github.ai/inference",
        key_variable="GITHUB_TOKEN",
        models_path="https://models.github.ai/catalog/models",
        notes="without promises: small limits, and what a request may hold differs from model to model",
    ),
)
