"""Episodes in lockstep through the harness's own evaluate()."""

from __future__ import annotations

import json
import logging
import re
from typing import Any

import pytest
from lm_eval.api.model import LM
from support import FakeLM, episodes, evaluate, figure, obedient, unreliable

from playpen_eval.episode import Episode
from playpen_eval.lmeval.driver import REQUEST_TYPE, install, playpen_dialogue
from playpen_eval.lmeval.player import PLAIN_STOP
from playpen_eval.registry import load_game


def test_the_harness_still_dispatches_by_the_name_of_the_request_type():
    install()
    assert getattr(LM, REQUEST_TYPE) is playpen_dialogue
    lm = FakeLM()
    results = evaluate(lm, "playpen_relay", limit=1)
    assert lm.batches, "lm_eval no longer calls the model's method named by the request type"
    assert figure(results, "success") == 100
    (episode,) = episodes(results)
    assert list(episode) == [
        "game",
        "version",
        "id",
        "replies",
        "turns",
        "outcome",
        "learner_roles",
        "partner",
        "template",
    ]
    assert (episode["game"], episode["version"], episode["partner"]) == ("relay", 3, "self")
    assert (episode["learner_roles"], episode["template"]) == (["giver", "taker"], "chat")


def test_the_record_rebuilds_the_episode():
    game = load_game("relay")
    results = evaluate(FakeLM(unreliable), "playpen_relay")
    for sample, episode in zip(results["samples"]["playpen_relay"], episodes(results), strict=True):
        again = Episode(game, json.loads(sample["doc"]["instance"]), episode["replies"])
        assert again.outcome is not None
        assert again.outcome.to_dict() == episode["outcome"]
        assert [[turn.role, turn.text, turn.reply] for turn in again.turns] == episode["turns"]


def test_lockstep_plays_as_one_by_one_does():
    together, alone = FakeLM(unreliable), FakeLM(unreliable)
    played = episodes(evaluate(together, "playpen_relay"))
    single = [episodes(evaluate(alone, "playpen_relay", samples={"playpen_relay": [i]}))[0] for i in range(10)]
    assert played == single
    assert {episode["outcome"]["kind"] for episode in played} == {"success", "lose", "aborted"}
    longest = max(len(episode["replies"]) for episode in played)
    assert len(together.batches) == longest
    assert len(alone.batches) == sum(len(episode["replies"]) for episode in played) > longest


def test_all_tasks_of_a_run_share_the_batches():
    lm = FakeLM()
    evaluate(lm, "playpen_relay_giver", "playpen_relay_taker", "playpen_solo")
    assert len(lm.batches[0]) == 30


def test_every_turn_tells_the_whole_history_of_its_role_alone():
    lm = FakeLM()
    evaluate(lm, "playpen_relay")
    assert max(map(len, lm.asked)) == 5
    for messages in lm.asked:
        assert [message["role"] for message in messages] == (["user", "assistant"] * 9)[: len(messages)]
        assert len(messages) % 2
        assert messages[0]["content"].startswith("RULES of the ")
        assert sum("RULES" in message["content"] for message in messages) == 1


def test_a_game_s_own_limit_of_tokens_counts():
    def limits(**more: Any) -> set[tuple[str, int]]:
        lm = FakeLM()
        evaluate(lm, "playpen_relay", **more)
        roles = {prompt: json.loads(prompt)[0]["content"].split()[3] for batch in lm.batches for prompt, _ in batch}
        return {(roles[prompt], settings["max_gen_toks"]) for batch in lm.batches for prompt, settings in batch}

    assert limits() == {("giver.", 20), ("taker.", 300)}
    assert limits(gen_kwargs="max_gen_toks=10") == {("giver.", 20), ("taker.", 10)}


def test_backends_may_change_the_settings_they_get():
    class Greedy(FakeLM):
        def generate_until(self, requests: list[Any]) -> list[Any]:
            replies = super().generate_until(requests)
            for request in requests:
                assert request.args[1].pop("until") == []
            return replies

    assert figure(evaluate(Greedy(), "playpen_relay"), "success") == 100


def test_progress_bars_of_single_turns_are_off():
    class Bars(FakeLM):
        bars: list[bool] = []

        def generate_until(self, requests, disable_tqdm=False):
            self.bars.append(not disable_tqdm)
            return super().generate_until(requests)

    lm = Bars()
    evaluate(lm, "playpen_relay")
    assert lm.bars
    assert not any(lm.bars)


def test_a_model_without_template_is_told_as_plain_text():
    class Base(FakeLM):
        def generate_until(self, requests: list[Any]) -> list[Any]:
            self.batches.append([request.args for request in requests])
            return [" " + obedient([{"role": "user", "content": request.args[0]}]) for request in requests]

        def apply_chat_template(self, chat_history, add_generation_prompt=True):
            return LM.apply_chat_template(self, chat_history)

    lm = Base()
    results = evaluate(lm, "playpen_relay")
    assert {episode["template"] for episode in episodes(results)} == {"plain"}
    assert figure(results, "success") == 100
    prompt, settings = lm.batches[-1][0]
    assert re.fullmatch(r"User: RULES.*\nAssistant: SAY: \d+\nUser: .*\nAssistant: .*\nUser: .*\nAssistant:", prompt)
    assert settings["until"] == [PLAIN_STOP]


@pytest.mark.parametrize("text", [None, "", "\ud800", "\x00{{7*7}}{% raw %}</s>", "SAY: " + "9" * 5000, "[" * 3000])
def test_hostile_text_never_raises(text):
    results = evaluate(FakeLM(lambda messages: text), "playpen_relay", limit=2)
    for episode in episodes(results):
        assert episode["outcome"]
        for reply in episode["replies"]:
            reply.encode("utf-8")


def test_end_tokens_of_a_server_are_cut_off():
    results = evaluate(FakeLM(lambda messages: obedient(messages) + "<|im_end|>"), "playpen_relay")
    assert not any("im_end" in reply for episode in episodes(results) for reply in episode["replies"])


def test_a_system_instruction_is_refused_loudly(caplog):
    with caplog.at_level(logging.WARNING, "lm_eval.playpen"):
        lm = FakeLM()
        evaluate(lm, "playpen_relay", limit=1, system_instruction="Be brief.")
    assert "--system_instruction does not reach" in caplog.text
    assert "Be brief." not in json.dumps(lm.asked)


def test_progress_is_logged_where_the_harness_shows_it(caplog):
    with caplog.at_level(logging.INFO, "lm_eval.playpen"):
        evaluate(FakeLM(), "playpen_relay")
    assert "turn 1: 10 of 10 episodes go on" in caplog.text


def test_the_harness_cache_of_requests_is_not_used():
    # Its key ignores the partner: the second run would play the first one's requests.
    evaluate(FakeLM(), "playpen_relay_taker", cache_requests=True)
    results = evaluate(FakeLM(), "playpen_relay_taker", cache_requests=True, metadata={"partner": "scripted:breaker"})
    assert {episode["partner"] for episode in episodes(results, "playpen_relay_taker")} == {"scripted:breaker"}
