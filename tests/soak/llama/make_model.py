"""Make a small GGUF file of the llama architecture: random weights, a tokenizer of bytes and a few words.

`python make_model.py FILE`, in a Python that has `gguf` and `numpy`. What such a model says is noise; the server
around it, its streaming, grammars and tool calls, is the real one.
"""

from __future__ import annotations

import sys

import gguf
import numpy as np

LAYERS, WIDTH, HEADS, INNER, CONTEXT = 2, 64, 4, 128, 4096
WORDS = [
    "▁the",
    "▁a",
    "▁of",
    "▁is",
    "▁city",
    "▁and",
    "▁price",
    "▁user",
    "▁assistant",
    "▁one",
    "▁two",
    "▁three",
]
TEMPLATE = (
    "{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)


def _vocabulary() -> tuple[list[bytes], list[float], list[int]]:
    kinds = gguf.TokenType
    tokens = [b"<unk>", b"<s>", b"</s>"]
    types = [kinds.UNKNOWN, kinds.CONTROL, kinds.CONTROL]
    tokens += [f"<0x{byte:02X}>".encode() for byte in range(256)]
    types += [kinds.BYTE] * 256
    plain = ["▁", *(chr(code) for code in range(33, 127)), *WORDS]
    tokens += [token.encode() for token in plain]
    types += [kinds.NORMAL] * len(plain)
    return tokens, [-float(at) for at in range(len(tokens))], [int(kind) for kind in types]


def make_model(path: str, seed: int = 7) -> None:
    """Write the model to `path`; about 0.5 MB."""
    tokens, scores, types = _vocabulary()
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("noise")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(tokens))
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores(scores)
    writer.add_token_types(types)
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_chat_template(TEMPLATE)
    for name, shape in _shapes(len(tokens)):
        writer.add_tensor(name, _weights(name, shape, seed))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _shapes(vocabulary: int) -> list[tuple[str, tuple[int, ...]]]:
    shapes: list[tuple[str, tuple[int, ...]]] = [
        ("token_embd.weight", (vocabulary, WIDTH)),
        ("output_norm.weight", (WIDTH,)),
        ("output.weight", (vocabulary, WIDTH)),
    ]
    for layer in range(LAYERS):
        shapes += [(f"blk.{layer}.{norm}_norm.weight", (WIDTH,)) for norm in ("attn", "ffn")]
        shapes += [(f"blk.{layer}.attn_{part}.weight", (WIDTH, WIDTH)) for part in ("q", "k", "v", "output")]
        shapes += [(f"blk.{layer}.ffn_{part}.weight", (INNER, WIDTH)) for part in ("gate", "up")]
        shapes.append((f"blk.{layer}.ffn_down.weight", (WIDTH, INNER)))
    return shapes


def _weights(name: str, shape: tuple[int, ...], seed: int) -> np.ndarray:
    if name.endswith("norm.weight"):
        return np.ones(shape, dtype=np.float32)
    random = np.random.default_rng([seed, *name.encode()])
    return (random.standard_normal(shape) * 0.2).astype(np.float32)


if __name__ == "__main__":
    make_model(sys.argv[1])
