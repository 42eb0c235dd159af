"""Providers that make the models that they serve. Each row's facts are from the pages named above it."""

from __future__ import annotations

import re
from hashlib import blake2b

from nbagent.models.providers import Provider, Rung, x_api_key

JSON_OBJECT_ONLY: tuple[Rung, ...] = ("json_object", "prompt")


def nine_characters(call_id: str) -> str:
    """Return a tool call's id as Mistral takes it: nine letters and digits, the same for the same id."""
    if re.fullmatch(r"[A-Za-z0-9]{9}", call_id):
        return call_id
    return blake2b(call_id.encode("utf-8", "replace"), digest_size=8).hexdigest()[:9]


MAKERS = (
    Provider(
        name="openai",
        label="OpenAI",
        wires=("responses", "chat"),
        base_url="https://api.openai.com/v1",
        base_url_variable="OPENAI_BASE_URL",
        key_variable="OPENAI_API_KEY",
        limit_parameter="max_completion_tokens",
        native_background=True,
        keeps_responses=True,
    ),
    Provider(
        name="openai-chat",
        label="OpenAI-compatible server",
        base_url="https://api.openai.com/v1",
        base_url_variable="OPENAI_BASE_URL",
        key_variable="OPENAI_API_KEY",
        limit_parameter="max_completion_tokens",
        price_key="openai:{}".format,
    ),
    # https://platform.claude.com/docs/en/api/messages/create and .../api/versioning (2026-11-30)
    Provider(
        name="anthropic",
        label="Anthropic",
        wire="nbagent.models.anthropic:AnthropicMessages",
        base_url="https://api.anthropic.com",
        base_url_variable="ANTHROPIC_BASE_URL",
        base_url_path="/v1",
        key_variable="ANTHROPIC_API_KEY",
        auth_headers=x_api_key,
        headers={"anthropic-version": "2026-10-21"},
        schema_rungs=("json_schema", "prompt"),
        usage="always",
    ),
    # https://ai.google.dev/gemini-api/docs/openai (2026-11-30)
    # https://ai.google.dev/gemini-api/docs/thought-signatures (2026-11-30): extra_content goes back on tool turns
    Provider(
        name="gemini",
        label="Google Gemini",
        base_url="https://generativelanguage.googleapis.com/v1beta/openai",
        key_variable="GEMINI_API_KEY",
        sends_finish_reason=False,
        price_key="google:{}".format,
        notes="its streams may end without saying why",
    ),
    # https://docs.mistral.ai/api and https://docs.mistral.ai/capabilities/reasoning (2026-11-30): thinking comes as
    # parts of a content list; fields that it does not know are refused (422 extra_forbidden), among them
    # stream_options, reasoning_content, max_completion_tokens and seed; usage stands in the last chunk, unasked
    Provider(
        name="mistral",
        label="Mistral",
        base_url="https://api.mistral.ai/v1",
        key_variable="MISTRAL_API_KEY",
        usage="always",
        replays_reasoning=False,
        setting_names={"seed": "random_seed"},
        call_ids=nine_characters,
    ),
    # https://docs.x.ai/docs/api-reference and https://docs.x.ai/docs/guides/reasoning (2026-11-30): thoughts come as
    # reasoning_content and are counted beside completion_tokens, in total_tokens alone
    Provider(
        name="xai",
        label="xAI (Grok)",
        wires=("chat", "responses"),
        base_url="https://api.x.ai/v1",
        key_variable="XAI_API_KEY",
        limit_parameter="max_completion_tokens",
        price_key="x-ai:{}".format,
    ),
    Provider(
        name="deepseek",
        label="DeepSeek",
        wires=("chat", "responses"),
        base_url="https://api.deepseek.com",
        key_variable="DEEPSEEK_API_KEY",
        schema_rungs=JSON_OBJECT_ONLY,
        replays_reasoning=True,
        notes="wants its reasoning back on tool turns",
    ),
    # https://platform.kimi.ai/docs/api/chat and /docs/guide/use-kimi-k2-thinking-model (2026-11-30): usage stands in
    # the last choice; a tool turn without its reasoning_content is refused while thinking is on; keys of
    # platform.kimi.com (China) and platform.kimi.ai are not the same
    Provider(
        name="moonshot",
        label="Moonshot AI (Kimi)",
        base_url="https://api.moonshot.{region}/v1",
        region_variables=("MOONSHOT_REGION",),
        regions={"global": "ai", "china": "cn"},
        region="global",
        key_variable="MOONSHOT_API_KEY",
        limit_parameter="max_completion_tokens",
        schema_rungs=JSON_OBJECT_ONLY,
        replays_reasoning=True,
        price_key="moonshotai:{}".format,
        notes="wants its reasoning back on tool turns; a key from China needs MOONSHOT_REGION=china",
    ),
    # https://help.aliyun.com/en/model-studio/compatibility-of-openai-with-dashscope (2026-10-13): each region has its
    # keys, and newer workspaces an address of their own; usage comes in a last chunk without choices, where asked for
    Provider(
        name="dashscope",
        label="Alibaba Cloud Model Studio (Qwen)",
        wires=("chat", "responses"),
        base_url="https://{region}.aliyuncs.com/compatible-mode/v1",
        base_url_variable="DASHSCOPE_BASE_URL",
        region_variables=("DASHSCOPE_REGION",),
        regions={"singapore": "dashscope-intl", "beijing": "dashscope", "virginia": "dashscope-us"},
        key_variable="DASHSCOPE_API_KEY",
        notes="a key is of one region: DASHSCOPE_REGION says which, DASHSCOPE_BASE_URL a workspace's own address",
    ),
    # https://docs.z.ai/api-reference/llm/chat-completion and https://docs.bigmodel.cn/api-reference (2026-11-30):
    # finish reasons sensitive, network_error and model_context_window_exceeded; no JSON Schema
    Provider(
        name="zai",
        label="Z.ai, Zhipu (GLM)",
        base_url="https://{region}/api/paas/v4",
        region_variables=("ZAI_REGION",),
        regions={"global": "api.z.ai", "china": "open.bigmodel.cn"},
        region="global",
        key_variable="ZAI_API_KEY",
        schema_rungs=JSON_OBJECT_ONLY,
        models_path=None,
        notes="a key from China needs ZAI_REGION=china",
    ),
    # https://platform.minimax.io/docs/api-reference/text-openai-api (2026-11-30): with reasoning_split thoughts come
    # in reasoning_details, else in think tags and once more beside them; errors are base_resp in a reply with
    # status 200
    Provider(
        name="minimax",
        label="MiniMax",
        base_url="https://api.{region}/v1",
        region_variables=("MINIMAX_REGION",),
        regions={"global": "minimax.io", "china": "minimaxi.com"},
        region="global",
        key_variable="MINIMAX_API_KEY",
        limit_parameter="max_completion_tokens",
        schema_rungs=JSON_OBJECT_ONLY,
        chat_fields={"reasoning_split": True},
        models_path=None,
        notes="a key from China needs MINIMAX_REGION=china",
    ),
    # https://docs.perplexity.ai/docs/sonar/openai-compatibility and /docs/sonar/features (2026-11-30): each chunk holds
    # the whole message beside its delta, the sources and the usage with its cost; no tools, JSON by schema alone
    Provider(
        name="perplexity",
        label="Perplexity (Sonar)",
        base_url="https://api.perplexity.ai",
        key_variable="PERPLEXITY_API_KEY",
        schema_rungs=("json_schema", "prompt"),
        usage="always",
        models_path=None,
        tells_cost=True,
        notes="without promises: it searches the web, and takes no tools of yours",
    ),
)
