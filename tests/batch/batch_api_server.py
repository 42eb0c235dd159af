"""A server that speaks OpenAI's Batch API as documented: files, batches, JSONL in and out. Scripted, on loopback.

`BatchApi.answer` goes into `provider.otherwise`. A batch ends when `finish` says so; until then it is in progress.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from tests.batch.review_provider import answer_to
from tests.provider.server import Request
from tests.provider.steps import Script, answer, error

Line = dict[str, Any]


def completion(body: Mapping[str, Any]) -> dict[str, Any]:
    """The chat completion that a line is answered with."""
    prompt = body["messages"][-1]["content"]
    text = json.dumps(answer_to(prompt)) if "response_format" in body else f"<{prompt}>"
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": f"{body['model']}-2026-11-01",  # providers answer with the dated name
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18},
    }


class BatchApi:
    """Holds files and batches; `fails` gives the error of a prompt that the provider refuses, None for an answer."""

    def __init__(self, *, fails: Callable[[str], Line | None] = lambda _: None) -> None:
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, dict[str, Any]] = {}
        self.asked: Counter[str] = Counter()
        self.may_end = threading.Event()
        self.created = threading.Event()
        self.looked = threading.Event()
        self._fails = fails

    def answer(self, request: Request) -> Script:
        """Answer one request; on the provider's thread."""
        path = request.path.removeprefix("/v1")
        if (request.method, path) == ("POST", "/files"):
            return self._upload(request)
        if (request.method, path) == ("POST", "/batches"):
            return self._create(request.body)
        if found := re.fullmatch(r"/files/([\w-]+)/content", path):
            return answer(200, self.files[found[1]])
        if found := re.fullmatch(r"/batches/([\w-]+)(/cancel)?", path):
            return self._look(found[1], cancel=bool(found[2]))
        return error(404, f"no {request.method} {path}")

    def lines(self, batch_id: str) -> list[Line]:
        """The requests of a batch."""
        content = self.files[self.batches[batch_id]["input_file_id"]]
        return [json.loads(line) for line in content.splitlines()]

    def _upload(self, request: Request) -> Script:
        boundary = (
            b"--" + re.search(r"boundary=(\S+)", request.headers["content-type"])[1].strip('"').encode()
        )
        parts = [part for part in request.raw_body.split(boundary) if b"filename=" in part]
        assert b'name="purpose"' in request.raw_body
        file_id = f"file-{len(self.files)}"
        self.files[file_id] = parts[0].partition(b"\r\n\r\n")[2].removesuffix(b"\r\n")
        size = len(self.files[file_id])
        return answer(
            200,
            {
                "id": file_id,
                "object": "file",
                "bytes": size,
                "created_at": 1,
                "filename": "rows.jsonl",
                "purpose": "batch",
                "status": "processed",
            },
        )

    def _create(self, body: Mapping[str, Any]) -> Script:
        batch_id = f"batch_{len(self.batches)}"
        assert body["completion_window"] == "24h"
        now = int(time.time())
        self.batches[batch_id] = {
            "id": batch_id,
            "object": "batch",
            "status": "validating",
            "created_at": now,
            **body,
        }
        for line in self.lines(batch_id):
            assert (line["method"], line["url"]) == ("POST", body["endpoint"])
            assert "stream" not in line["body"]
            self.asked[line["body"]["messages"][-1]["content"]] += 1
        self.created.set()
        return answer(200, self.batches[batch_id])

    def _look(self, batch_id: str, *, cancel: bool) -> Script:
        batch = self.batches[batch_id]
        if cancel:
            batch["status"] = "cancelling"
        elif batch["status"] == "validating":
            batch["status"] = "in_progress"
        elif batch["status"] == "in_progress" and self.may_end.is_set():
            self._finish(batch)
        self.looked.set()
        return answer(200, batch)

    def _finish(self, batch: dict[str, Any]) -> None:
        good, bad = [], []
        for line in reversed(self.lines(batch["id"])):  # answers come in any order
            failed = self._fails(line["body"]["messages"][-1]["content"])
            given = {"id": f"batch_req_{line['custom_id']}", "custom_id": line["custom_id"]}
            if failed is None:
                response = {"status_code": 200, "request_id": "req_1", "body": completion(line["body"])}
                good.append({**given, "response": response, "error": None})
            else:
                bad.append({**given, **failed})
        batch |= {"status": "completed", "completed_at": batch["created_at"] + 60}
        for name, lines in (("output_file_id", good), ("error_file_id", bad)):
            if lines:
                batch[name] = f"file-{len(self.files)}"
                self.files[batch[name]] = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
