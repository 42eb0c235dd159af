"""The local demo model: a real OpenAI-compatible server on loopback that needs no key.

It is a small deterministic program, not a language model, and says so. It runs in a process of its
own (`process.py`) that ends with the kernel, or by hand: `python -m nbagent.demo`. Importing this
package starts nothing and loads no server code.

Modules, from the outside in: `__main__`, `process`, `server` (running it); `chat`, `responses`,
`response_plan`, `jobs`, `wire`, `reading`, `responses_reading` (the wire); `personas`, `faults` (how
its models behave); `brain` and below it `conversation`, `questions`, `arithmetic`, `prose`, `recall`,
`tool_choice`, `tool_arguments`, `schema_fill`, `schema_values`, `extraction` (what it answers);
`facts`, `geography` (what it knows).
"""

from __future__ import annotations

from nbagent.demo.process import DemoProcess, DemoProcessError, demo_base_url, demo_key

__all__ = ["DemoProcess", "DemoProcessError", "demo_base_url", "demo_key"]
