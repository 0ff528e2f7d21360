"""Runs without a harness: folders that a second run continues, and a model behind an endpoint."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from playpen_eval.cli import main
from playpen_eval.registry import ENV

ROOT = Path(__file__).parent.parent

GAME = """
from playpen_eval import Ask, Game, Outcome

class Chain(Game):
    name, roles = "chain", ("first", "second")
    sizes = {"train": 1, "validation": 1, "test": 6}
    def play(self, instance):
        said = instance["word"]
        for turn in range(4):
            role = self.roles[turn % 2]
            said = yield Ask(role, f"{role}: {said}", max_tokens=20 if turn else None)
        return Outcome.success(len(said) % 5 / 4)
    def generate(self, experiment, rng):
        return {"word": f"w{rng.randrange(10**6)}"}
"""


def play(request: dict[str, Any]) -> str:
    """A model whose replies follow from all that it is sent."""
    return f"{request['model']} {sum(map(ord, json.dumps(request['messages'])))}"


class Server:
    """A chat endpoint; `respond` gives text, (status, body), or None to hang up."""

    def __init__(self):
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.respond: Any = play
        self.together, self.open, self.most_open = 1, 0, 0
        self.changed = threading.Condition()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version, wbufsize = "HTTP/1.1", -1

            def log_message(self, *_: object) -> None: ...

            def do_POST(self) -> None:
                server.answer(self)

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/v1"
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        request = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
        with self.changed:
            self.requests.append(request)
            self.headers.append({**handler.headers, "path": handler.path})
            self.open += 1
            self.most_open = max(self.most_open, self.open)
            self.changed.notify_all()
            # Nothing is answered before so many requests were open at once.
            self.changed.wait_for(lambda: self.most_open >= self.together, timeout=5)
        try:
            answer = self.respond(request)
        finally:
            with self.changed:
                self.open -= 1
        if answer is None:
            handler.close_connection = True
            return
        status, body = (200, completion(answer)) if isinstance(answer, str) else answer
        data = (body if isinstance(body, str) else json.dumps(body)).encode()
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)


def completion(content: Any, **more: Any) -> dict[str, Any]:
    return {"choices": [{"message": {"role": "assistant", "content": content}}], **more}


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.http.shutdown()
    server.http.server_close()


@pytest.fixture(autouse=True)
def _surroundings(tmp_path, monkeypatch):
    (tmp_path / "games" / "chain").mkdir(parents=True)
    (tmp_path / "games" / "chain" / "game.py").write_text(GAME)
    monkeypatch.setenv(ENV, str(tmp_path / "games"))
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setattr("playpen_eval.endpoint.wait_exponential_jitter", lambda **_: lambda state: 0)


def run(out: Path, server: Server, *more: str) -> int:
    return main(["run", "chain", "--model", "m", "--base-url", server.url, "-o", str(out), *more])


def episodes(out: Path) -> dict[str, Any]:
    """The episodes of a run without what depends on the clock; each is there once."""
    rows = [json.loads(line) for line in (out / "episodes.jsonl").read_text().splitlines()]
    found = {row["id"]: {name: value for name, value in row.items() if name != "seconds"} for row in rows}
    assert len(found) == len(rows)
    return found


def test_a_run_plays_every_instance(tmp_path, server, capsys):
    assert run(tmp_path / "out", server, "--json") == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["games"]["chain"]["n"] == 6
    rows = episodes(tmp_path / "out")
    assert sorted(rows) == [f"chain/1/test/default/0-{index}" for index in range(6)]
    assert all(row["roles"] == ["first", "second"] * 2 and len(row["replies"]) == 4 for row in rows.values())
    assert len(server.requests) == 24


def test_a_finished_run_asks_no_model(tmp_path, server, capsys):
    run(tmp_path / "out", server)
    table, before = capsys.readouterr().out, (tmp_path / "out" / "episodes.jsonl").read_bytes()
    server.requests.clear()
    assert run(tmp_path / "out", server) == 0
    assert server.requests == []
    assert capsys.readouterr().out == table
    assert (tmp_path / "out" / "episodes.jsonl").read_bytes() == before


def test_a_larger_limit_continues(tmp_path, server):
    assert run(tmp_path / "out", server, "--limit", "2") == 0
    first = episodes(tmp_path / "out")
    assert len(first) == 2
    assert run(tmp_path / "out", server) == 0
    assert len(server.requests) == 24
    assert first.items() <= episodes(tmp_path / "out").items()


def test_a_run_goes_on_after_a_failure(tmp_path, server, capsys):
    run(tmp_path / "whole", server)
    server.requests.clear()
    server.respond = lambda request: play(request) if len(server.requests) <= 10 else (404, "gone")
    assert run(tmp_path / "out", server, "--concurrency", "1") == 2
    assert "answered 404: gone" in capsys.readouterr().err
    assert len(episodes(tmp_path / "out")) == 2
    server.respond = play
    assert run(tmp_path / "out", server) == 0
    assert episodes(tmp_path / "out") == episodes(tmp_path / "whole")


@pytest.mark.parametrize(("kill", "status"), [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_a_run_goes_on_after_a_kill(kill, status, tmp_path, server):
    run(tmp_path / "whole", server)
    server.requests.clear()
    reached, release = threading.Event(), threading.Event()

    def hang(request: dict[str, Any]) -> str:
        if len(server.requests) > 13:
            reached.set()
            release.wait(60)
        return play(request)

    server.respond = hang
    out = tmp_path / "out"
    command = [sys.executable, "-m", "playpen_eval", "run", "chain", "--model", "m", "--base-url", server.url]
    child = subprocess.Popen(
        [*command, "-o", str(out), "--concurrency", "2"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert reached.wait(60)
    child.send_signal(kill)
    _, errors = child.communicate(timeout=60)
    release.set()
    assert child.returncode == status
    assert "Traceback" not in errors
    assert 0 < len(episodes(out)) < 6
    server.respond = play
    assert run(out, server) == 0
    assert episodes(out) == episodes(tmp_path / "whole")


def test_a_half_written_line_is_played_again(tmp_path, server):
    run(tmp_path / "out", server)
    whole, path = episodes(tmp_path / "out"), tmp_path / "out" / "episodes.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:3]) + lines[3][:40])
    server.requests.clear()
    assert run(tmp_path / "out", server) == 0
    assert len(server.requests) == 12
    assert episodes(tmp_path / "out") == whole


@pytest.mark.parametrize("key", ["", "sk-secret"])
def test_what_a_request_holds(key, tmp_path, server, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", key)
    assert run(tmp_path / "out", server, "--limit", "1", "--temperature", "0.5", "--max-tokens", "30") == 0
    row = next(iter(episodes(tmp_path / "out").values()))
    first = server.requests[0].pop("messages")
    assert server.requests[0] == {"model": "m", "temperature": 0.5, "max_tokens": 30}
    assert [message["role"] for message in first] == ["user"]
    assert server.requests[2]["messages"] == [
        *first,
        {"role": "assistant", "content": row["replies"][0]},
        {"role": "user", "content": f"first: {row['replies'][1]}"},
    ]
    assert [request["max_tokens"] for request in server.requests] == [30, 20, 20, 20]
    assert {headers["path"] for headers in server.headers} == {"/v1/chat/completions"}
    assert {headers.get("Authorization") for headers in server.headers} == {f"Bearer {key}" if key else None}
    assert not key or not any(key in path.read_text() for path in (tmp_path / "out").iterdir())


@pytest.mark.parametrize("trouble", [(429, "slow down"), (500, "oops"), (503, "<html>"), None])
def test_passing_trouble_is_tried_again(trouble, tmp_path, server):
    run(tmp_path / "whole", server)
    server.requests.clear()
    server.respond = lambda request: play(request) if server.requests.count(request) > 2 else trouble
    assert run(tmp_path / "out", server) == 0
    assert len(server.requests) == 3 * 24
    assert episodes(tmp_path / "out") == episodes(tmp_path / "whole")


@pytest.mark.parametrize(("answer", "tries", "message"), [
    ((429, "slow down"), 6, "answered 429: slow down"),
    ((404, "no such model"), 1, "answered 404: no such model"),
    ((401, "who are you"), 1, "answered 401: who are you"),
    ((200, "<html>hello</html>"), 1, "did not answer with JSON: '<html>hello</html>'"),
    ((200, []), 1, "not a chat completion"),
    ((200, {"choices": []}), 1, "not a chat completion"),
    ((200, {"error": "x"}), 1, "not a chat completion: {'error': 'x'}"),
    ((200, completion(["text"])), 1, "the message content is no text"),
])  # fmt: skip
def test_an_answer_that_cannot_be_used_ends_the_run(answer, tries, message, tmp_path, server, capsys):
    server.respond = lambda request: answer
    assert run(tmp_path / "out", server, "--concurrency", "1") == 2
    assert message in capsys.readouterr().err
    assert len(server.requests) == tries
    assert episodes(tmp_path / "out") == {}


@pytest.mark.parametrize(("content", "reply"), [
    (None, ""),
    ("a reply</s>", "a reply"),
    # Cut inside an emoji; what is left of it cannot be sent on.
    ("half \ud83d", "half ?"),
    ("\x00\x1b\u2028 </x>", "\x00\x1b\u2028 </x>"),
])  # fmt: skip
def test_any_content_is_a_reply(content, reply, tmp_path, server):
    server.respond = lambda request: (200, completion(content, usage=None))
    assert run(tmp_path / "out", server) == 0
    assert len(server.requests) == 24
    assert all(row["replies"] == [reply] * 4 for row in episodes(tmp_path / "out").values())


@pytest.mark.parametrize(("url", "message"), [
    ("127.0.0.1:1/v1", "does not begin with http:// or https://"),
    ("http://127.0.0.1:1/v1", "http://127.0.0.1:1/v1/chat/completions cannot be reached"),
    ("http://127.0.0.1:99999/v1", "99999"),
    ("http://[::1/v1", "http://[::1/v1"),
])  # fmt: skip
def test_an_address_without_a_server(url, message, tmp_path, capsys):
    assert main(["run", "chain", "--model", "m", "--base-url", url, "-o", str(tmp_path / "out")]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("concurrency", [1, 3, 6])
def test_calls_overlap(concurrency, tmp_path, server):
    server.together = concurrency
    assert run(tmp_path / "out", server, "--concurrency", str(concurrency)) == 0
    assert server.most_open == concurrency


def test_learner_and_partner_have_endpoints_of_their_own(tmp_path, server):
    other = Server()
    more = ["--partner", "p", "--partner-base-url", other.url, "--role", "first"]
    assert run(tmp_path / "out", server, *more) == 0
    other.http.shutdown()
    assert {request["model"] for request in server.requests} == {"m"}
    assert {request["model"] for request in other.requests} == {"p"}
    for row in episodes(tmp_path / "out").values():
        assert [reply.split()[0] for reply in row["replies"]] == ["m", "p"] * 2


def test_a_partner_repeats_its_replies_from_a_file(tmp_path, server):
    more = ["--partner", "p", "--role", "first", "--partner-cache", str(tmp_path / "p.jsonl")]
    assert run(tmp_path / "out", server, *more) == 0
    asked = [request["model"] for request in server.requests]
    assert (asked.count("m"), asked.count("p")) == (12, 12)
    server.requests.clear()
    server.respond = lambda request: play(request) if request["model"] == "m" else (500, "the partner is gone")
    assert run(tmp_path / "again", server, *more) == 0
    assert {request["model"] for request in server.requests} == {"m"}
    assert episodes(tmp_path / "again") == episodes(tmp_path / "out")
    assert len((tmp_path / "p.jsonl").read_text().splitlines()) == 12


def test_replies_to_another_temperature_are_not_repeated(tmp_path, server):
    more = ["--partner", "p", "--role", "first", "--partner-cache", str(tmp_path / "p.jsonl")]
    assert run(tmp_path / "out", server, *more) == 0
    assert run(tmp_path / "warm", server, *more, "--temperature", "0.5") == 0
    assert [request["model"] for request in server.requests].count("p") == 24


@pytest.mark.parametrize("partner", ["self", "scripted", "scripted:breaker", "local:model"])
def test_only_a_partner_behind_an_endpoint_needs_a_cache(partner, tmp_path, server, capsys):
    assert run(tmp_path / "out", server, "--partner", partner, "--partner-cache", str(tmp_path / "p.jsonl")) == 2
    assert f"--partner-cache is for a partner behind an endpoint, not for {partner!r}" in capsys.readouterr().err


def test_a_broken_cache_ends_a_run_and_is_left_alone(tmp_path, server, capsys):
    path = tmp_path / "p.jsonl"
    path.write_text("a note of mine")
    assert run(tmp_path / "out", server, "--partner", "p", "--partner-cache", str(path)) == 2
    assert f"{path}:1 is no reply of a partner" in capsys.readouterr().err
    assert path.read_text() == "a note of mine"
    assert server.requests == []
