"""A server that speaks Anthropic's Message Batches as documented: created, looked at, results as JSON lines. Scripted.

`MessageBatchesApi.answer` goes into `provider.otherwise`. A batch ends when `may_end` says so.
"""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

from tests.batch.review_provider import answer_to
from tests.provider import messages_wire
from tests.provider.server import Request
from tests.provider.steps import Head, Raw, Script, answer

CREATED, ENDED = "2026-11-30T10:00:00.123456Z", "2026-11-30T10:01:00Z"
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class MessageBatchesApi:
    """Holds batches; `fails` gives the result of a prompt that is not answered, None for an answer."""

    def __init__(self, *, fails: Callable[[str], dict[str, Any] | None] = lambda _: None) -> None:
        self.batches: dict[str, list[dict[str, Any]]] = {}
        self.cancelled: list[str] = []
        self.asked: Counter[str] = Counter()
        self.may_end = threading.Event()
        self.created = threading.Event()
        self._fails = fails

    def answer(self, request: Request) -> Script:
        """Answer one request; on the provider's thread."""
        path = request.path.removeprefix("/v1/messages")
        if "anthropic-version" not in request.headers or "x-api-key" not in request.headers:
            return messages_wire.error(401, "who are you?", kind="authentication_error")
        if (request.method, path) == ("POST", "/batches"):
            return self._create(request.body["requests"])
        if found := re.fullmatch(r"/batches/([\w-]+)(/cancel|/results)?", path):
            if found[2] == "/results":
                return self._results(found[1])
            if found[2] == "/cancel":
                assert request.method == "POST"
                self.cancelled.append(found[1])
            return answer(200, self._batch(found[1]))
        return messages_wire.error(404, f"no {request.method} {path}", kind="not_found_error")

    def _create(self, requests: list[dict[str, Any]]) -> Script:
        batch_id = f"msgbatch_{len(self.batches)}"
        ids = [one["custom_id"] for one in requests]
        assert len(set(ids)) == len(ids)
        assert all(_ID.fullmatch(one) for one in ids)
        for one in requests:
            assert one["params"]["max_tokens"] > 0
            assert "stream" not in one["params"]
            self.asked[_prompt(one)] += 1
        self.batches[batch_id] = requests
        self.created.set()
        return answer(200, self._batch(batch_id))

    def _batch(self, batch_id: str) -> dict[str, Any]:
        ended = self.may_end.is_set() or batch_id in self.cancelled
        return {
            "id": batch_id,
            "type": "message_batch",
            "processing_status": "ended" if ended else "in_progress",
            "request_counts": {"processing": 0, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0},
            "created_at": CREATED,
            "ended_at": ENDED if ended else None,
            "expires_at": "2026-12-01T10:00:00Z",
            "cancel_initiated_at": None,
            "archived_at": None,
            "results_url": f"https://elsewhere.invalid/{batch_id}/results" if ended else None,
        }

    def _results(self, batch_id: str) -> Script:
        lines = []
        for one in reversed(self.batches[batch_id]):  # answers come in any order
            result = self._fails(_prompt(one)) or {"type": "succeeded", "message": self._message(one)}
            lines.append(json.dumps({"custom_id": one["custom_id"], "result": result}).encode() + b"\n")
        body = b"".join(lines)
        kind = {"content-type": "application/x-jsonl"}
        return (Head(200, kind), *(Raw(body[at : at + 1000]) for at in range(0, len(body), 1000)))

    def _message(self, one: dict[str, Any]) -> dict[str, Any]:
        typed = "output_config" in one["params"]
        text = json.dumps(answer_to(_prompt(one))) if typed else f"<{_prompt(one)}>"
        return messages_wire.message({"type": "text", "text": text}, stop="end_turn")


def _prompt(one: dict[str, Any]) -> str:
    return str(one["params"]["messages"][-1]["content"][0]["text"])
