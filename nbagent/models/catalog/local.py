"""Servers on your own machine, and the demo model. Each row's facts are from the pages named above it."""

from __future__ import annotations

from nbagent.models.providers import Provider


def _demo_key() -> str:
    """Return the key that the demo server of this process takes."""
    from nbagent.demo import demo_key

    return demo_key()


def _demo_base_url() -> str:
    """Start the demo server's process where it does not run yet; blocks for up to a few seconds."""
    from nbagent.demo import demo_base_url

    return demo_base_url()


LOCAL = (
    Provider(
        name="ollama",
        label="Ollama",
        wires=("chat", "responses"),
        base_url="http://localhost:11434/v1",
        base_url_variable="OLLAMA_BASE_URL",
        key_variable="OLLAMA_API_KEY",
        key_required=False,
        reasoning_field="reasoning",
    ),
    # https://lmstudio.ai/docs/developer/openai-compat and /docs/developer/api-changelog (2026-11-30): /v1/responses
    # since 0.3.29; response_format is json_schema or text, never json_object
    Provider(
        name="lm-studio",
        label="LM Studio",
        wires=("chat", "responses"),
        base_url="http://localhost:1234/v1",
        base_url_variable="LM_STUDIO_BASE_URL",
        key_variable="LM_API_TOKEN",
        key_required=False,
        schema_rungs=("json_schema", "prompt"),
    ),
    Provider(
        name="vllm",
        label="vLLM",
        wires=("chat", "responses"),
        base_url="http://localhost:8000/v1",
        base_url_variable="VLLM_BASE_URL",
        key_variable="VLLM_API_KEY",
        key_required=False,
        reasoning_field="reasoning",
        native_background=True,
        notes="native background only where the server was started with its response store",
    ),
    # https://docs.sglang.io/docs/basic_usage/openai_api_completions and /docs/advanced_features/separate_reasoning
    # (2026-11-30): reasoning_content where the server was started with a reasoning parser, else think tags
    Provider(
        name="sglang",
        label="SGLang",
        base_url="http://localhost:30000/v1",
        base_url_variable="SGLANG_BASE_URL",
        key_variable="SGLANG_API_KEY",
        key_required=False,
    ),
    # llama.cpp's own server, tried as of its build 11549 (2026-11-30): it takes several requests at a time, tells usage
    # in a stream that is asked for it, and holds json_schema by a grammar. What it takes as Responses or Messages
    # leaves a schema out without a word
    Provider(
        name="llama-cpp",
        label="llama.cpp (llama-server)",
        base_url="http://localhost:8080/v1",
        base_url_variable="LLAMA_CPP_BASE_URL",
        key_variable="LLAMA_API_KEY",
        key_required=False,
    ),
    Provider(
        name="llama-cpp-python",
        label="llama-cpp-python's server",
        base_url="http://localhost:8000/v1",
        base_url_variable="LLAMA_CPP_PYTHON_BASE_URL",
        key_variable="LLAMA_CPP_PYTHON_API_KEY",
        key_required=False,
        schema_rungs=("json_object_schema", "json_object", "prompt"),
        usage="never",
        requests_at_once=1,
        notes="asked one thing at a time: by its default a new request ends the one before it",
    ),
    Provider(
        name="demo",
        label="demo model on this machine, its answers are canned",
        wires=("chat", "responses"),
        find_base_url=_demo_base_url,
        find_key=_demo_key,
        key_required=False,
        native_background=True,
        keeps_responses=True,
        is_free=True,
    ),
)
