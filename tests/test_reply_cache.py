"""A partner's replies in a file: what they are found by, processes side by side, files that are broken."""
# pyright: reportMissingImports=false

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from playpen_eval.train.players import Asked, Failure

from playpen_eval.episode import Observation
from playpen_eval.errors import UserError
from playpen_eval.registry import load_game
from playpen_eval.reply_cache import ReplyCache

GAME = load_game("taboo")


def seen(text: str, max_tokens: int | None = None) -> Observation:
    return Observation("guesser", [{"role": "user", "content": text}], max_tokens, GAME, {})


def opened(path: Path, model: str = "m", temperature: float = 0.0, max_tokens: int = 300) -> ReplyCache:
    return ReplyCache(path, model, temperature, max_tokens)


def test_a_reply_is_found_again(tmp_path):
    path = tmp_path / "replies.jsonl"
    cache = opened(path)
    key = cache.key(seen("\ud800 who?\n"))
    assert cache.get(key) is None
    assert cache.add(key, "me\n\ud800") == "me\n\ud800"
    cache.close()
    assert opened(path).get(key) == "me\n\ud800"


@pytest.mark.parametrize("other", [{"model": "n"}, {"temperature": 0.1}, {"max_tokens": 9}])
def test_a_reply_belongs_to_its_settings(tmp_path, other):
    path = tmp_path / "replies.jsonl"
    assert opened(path).key(seen("a")) != opened(path, **other).key(seen("a"))


def test_a_reply_belongs_to_its_messages_and_limit(tmp_path):
    cache = opened(tmp_path / "replies.jsonl")
    assert len({cache.key(one) for one in (seen("a"), seen("b"), seen("a", 20))}) == 3
    assert cache.key(seen("a", 300)) == cache.key(seen("a"))


def test_of_two_runs_at_once_the_first_to_write_decides(tmp_path):
    path = tmp_path / "replies.jsonl"
    one, other = opened(path), opened(path)
    assert one.add("a", "first") == "first"
    assert other.add("a", "second") == "first"
    assert other.add("b", "third") == "third"
    assert one.add("c", "fourth") == "fourth"
    assert one.get("b") == "third"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert rows == [{"key": key, "reply": said} for key, said in zip("abc", ("first", "third", "fourth"), strict=True)]


def test_a_line_that_a_killed_process_left_is_cut_off(tmp_path):
    path = tmp_path / "replies.jsonl"
    path.write_text('{"key": "a", "reply": "x"}\n{"key": "b", "rep')
    cache = opened(path)
    assert (cache.get("a"), cache.get("b")) == ("x", None)
    cache.add("c", "y")
    assert path.read_text() == '{"key": "a", "reply": "x"}\n{"key": "c", "reply": "y"}\n'


def test_a_whole_line_without_its_end_is_kept(tmp_path):
    path = tmp_path / "replies.jsonl"
    path.write_text('{"key": "a", "reply": "x"}')
    cache = opened(path)
    cache.add("c", "y")
    assert path.read_text() == '{"key": "a", "reply": "x"}\n{"key": "c", "reply": "y"}\n'


@pytest.mark.parametrize(
    "line", ["", "{}", "[]", '{"key": "a", "reply": null}', '{"key": 1, "reply": "x"}', "\udcff", "[" * 100_000]
)
def test_a_broken_line_is_named(tmp_path, line):
    path = tmp_path / "replies.jsonl"
    content = f'{{"key": "a", "reply": "x"}}\n{line}\n'.encode("utf-8", "surrogateescape")
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"replies\.jsonl:2 is no reply of a partner"):
        opened(path)
    assert path.read_bytes() == content


def test_a_file_that_cannot_be_written(tmp_path):
    with pytest.raises(UserError, match="cannot write the partner's replies"):
        opened(tmp_path / "nowhere" / "replies.jsonl")
    for path in (tmp_path, Path("/dev/zero")):  # a device would be read without end
        with pytest.raises(UserError, match=f"go to a file, and {path} is none"):
            opened(path)


def test_batches_ask_for_what_is_new_and_keep_no_failure(tmp_path):
    asked_for: list[str] = []

    def player(asked: Any) -> list[str | Failure]:
        asked_for.extend(texts := [one.observation.messages[0]["content"] for one in asked])
        return [Failure("gone") if text == "bad" else f"{text} {len(asked_for)}" for text in texts]

    cached = opened(tmp_path / "replies.jsonl").player(player)

    def ask(*texts: str) -> list[str | Failure]:
        return list(cached([Asked(seen(text), "0") for text in texts]))

    assert ask("a", "bad", "a") == ["a 3", Failure("gone"), "a 3"]
    assert ask("a", "b") == ["a 3", "b 4"]
    assert asked_for == ["a", "bad", "a", "b"]
    assert ask("a") == ["a 3"]
