"""The local demo model: a real OpenAI-compatible server on loopback that needs no key.

It is a small deterministic script, not a language model, and says so. It runs in a process of its own (`process.py`)
that ends with the kernel, or by hand: `python -m nbagent.demo`. Importing this package starts nothing and loads no
server code.

Files, from the outside in: `__main__`, `process`, `server` (running it); `request`, `chat`, `responses` (the two wire
formats); `replies` (what it answers) and below it `tools`, `fill`, `facts`. Its rules, its facts and the schemas of
requests are data: `data/script.toml`, `data/facts.json`, `data/wire.json`.
"""

from __future__ import annotations

from nbagent.demo.process import DemoProcess, DemoProcessError, demo_base_url, demo_key

__all__ = ["DemoProcess", "DemoProcessError", "demo_base_url", "demo_key"]
