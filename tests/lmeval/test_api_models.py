"""A model behind a chat API: the server is sent the whole chat of a role, turn after turn."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import lm_eval.models  # noqa: F401 - registers the models
import pytest
from lm_eval.tasks import TaskManager
from support import episodes, figure, obedient, simple_evaluate

from playpen_eval.lmeval.tasks_dir import write_tasks_dir


@pytest.fixture
def server() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The address of a chat API on this machine that plays without a mistake, and what it was sent."""
    requests: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            requests.append(request)
            message = {"role": "assistant", "content": obedient(request["messages"])}
            body = json.dumps({"choices": [{"index": 0, "message": message}]}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=http.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{http.server_port}/v1/chat/completions", requests
    http.shutdown()
    http.server_close()


def test_a_chat_api_plays(server: tuple[str, list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    address, requests = server
    results = simple_evaluate(
        "local-chat-completions",
        model_args=f"model=some-model,base_url={address},num_concurrent=4",
        tasks=["playpen_relay"],
        task_manager=TaskManager(include_path=str(write_tasks_dir()), include_defaults=False),
        apply_chat_template=True,
        bootstrap_iters=0,
    )
    assert figure(results, "success") == 100
    played = episodes(results)
    assert len(requests) == sum(len(episode["turns"]) for episode in played)
    assert {episode["template"] for episode in played} == {"chat"}
    longest = max((request["messages"] for request in requests), key=len)
    assert [message["role"] for message in longest] == ["user", "assistant"] * (len(longest) // 2) + ["user"]
    assert len(longest) == max(len(episode["turns"]) for episode in played) - 1
    assert longest[0]["content"].startswith("RULES of the")
