"""What a model of the harness needs as a player: context, cache, batch size, ranks, repeats."""

from __future__ import annotations

import json
from typing import Any

import pytest
from lm_eval.tasks import TaskManager
from support import FakeLM, episodes, evaluate, figure, obedient, simple_evaluate, unreliable

from playpen_eval.lmeval.tasks_dir import write_tasks_dir


def test_a_full_context_ends_the_episode_of_that_role():
    class Small(FakeLM):
        max_length = 400

        def tok_encode(self, string):
            return list(string)

    results = evaluate(Small(), "playpen_relay", gen_kwargs="max_gen_toks=200")
    played = episodes(results)
    full = [episode for episode in played if episode["outcome"]["kind"] == "aborted"]
    assert {episode["outcome"]["kind"] for episode in played} == {"success", "aborted"}
    for episode in full:
        assert episode["outcome"]["reason"] == "the context of 400 tokens is full"
        # The giver's limit of 20 tokens leaves it more room.
        assert episode["outcome"]["faulty_role"] == "taker"
        assert len(episode["replies"]) == len(episode["turns"]) >= 1
    assert figure(results, "aborted") == 100 * len(full) / 10


def test_a_context_smaller_than_a_reply_ends_every_episode():
    class Tiny(FakeLM):
        max_length = 10

        def tok_encode(self, string):
            return list(string)

    lm = Tiny()
    assert figure(evaluate(lm, "playpen_relay"), "aborted") == 100
    assert not lm.batches


def test_an_automatic_batch_size_is_detected_once():
    class Auto(FakeLM):
        batch_size_per_gpu: Any = "auto"
        detected = 0
        seen: set[Any] = set()

        @property
        def batch_size(self):
            return self.batch_size_per_gpu

        def _detect_batch_size(self):
            self.detected += 1
            return 8

        def generate_until(self, requests: list[Any]) -> list[Any]:
            self.seen.add(self.batch_size)
            return super().generate_until(requests)

    lm = Auto()
    evaluate(lm, "playpen_relay")
    assert (lm.detected, lm.seen, lm.batch_size) == (1, {8}, "auto")


def test_the_cache_answers_a_second_run(tmp_path):
    first, second = FakeLM(unreliable), FakeLM(unreliable)
    path = str(tmp_path / "replies")
    played = episodes(evaluate(first, "playpen_relay", use_cache=path))
    assert first.batches
    assert episodes(evaluate(second, "playpen_relay", use_cache=path)) == played
    assert not second.batches


def test_sampled_replies_never_come_from_the_cache(tmp_path):
    for _ in range(2):
        lm = FakeLM()
        evaluate(lm, "playpen_relay", use_cache=str(tmp_path / "replies"), gen_kwargs="do_sample=True,temperature=1.0")
        assert lm.batches


def test_repeats_are_episodes_of_their_own():
    lm = FakeLM()
    counter = iter(range(10**6))
    lm.answer = lambda messages: obedient(messages) if next(counter) % 5 else "no"
    results = evaluate(lm, "playpen_relay", metadata={"playpen_repeats": 4})
    played = episodes(results)
    assert len(played) == 40
    kinds = {tuple(e["outcome"]["kind"] for e in played[i : i + 4]) for i in range(0, 40, 4)}
    assert any(len(set(kind)) > 1 for kind in kinds)
    assert figure(results, "played") == 100 * sum(e["outcome"]["kind"] != "aborted" for e in played) / 40


def test_parallel_ranks_play_every_instance_once():
    torch = pytest.importorskip("torch", reason="the extra hf is not installed")
    gathered: dict[int, list[Any]] = {}

    class Rank(FakeLM):
        def __init__(self, rank: int):
            super().__init__(unreliable)
            self._rank, self._world_size, self._device = rank, 2, "cpu"
            self.calls = 0

        def all_gather(self, tensor):
            return torch.tensor([5, 4])  # --limit 9 on two ranks

        def gather_object(self, obj, dst=0):
            gathered.setdefault(self.rank, []).append(obj)
            self.calls += 1
            return [obj, gathered[1][self.calls - 1]] if self.rank == 0 else None

    second = Rank(1)
    manager = TaskManager(include_path=str(write_tasks_dir()), include_defaults=False)
    assert simple_evaluate(second, tasks=["playpen_relay"], task_manager=manager, bootstrap_iters=0, limit=9) is None
    assert len(second.batches[0]) == 5, "the shorter rank is padded"
    merged = evaluate(Rank(0), "playpen_relay", limit=9)
    plain = evaluate(FakeLM(unreliable), "playpen_relay", limit=9)
    logged = [json.loads(sample["resps"][0][0]) for sample in merged["samples"]["playpen_relay"]]
    assert sorted(logged, key=lambda e: e["id"]) == sorted(episodes(plain), key=lambda e: e["id"])
    for metric in ("played", "quality", "clemscore"):
        assert figure(merged, metric) == pytest.approx(figure(plain, metric))


def test_predictions_alone_have_no_metrics():
    results = evaluate(FakeLM(), "playpen_relay", limit=2, predict_only=True)
    assert figure(results, "bypass") == 999
    assert len(episodes(results)) == 2


# Partners
