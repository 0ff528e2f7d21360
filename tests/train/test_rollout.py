"""Rollouts: rows from sampled ids, seats, partners, failures, rewards."""
# pyright: reportMissingImports=false

from __future__ import annotations

import dataclasses

import pytest
from made import NEWLINE, TalkingSampler, byte_tokenizer
from playpen_eval.train.chat import load_chat
from playpen_eval.train.data.dialogues import Dialogue, Fingerprint, replayed
from playpen_eval.train.players import Failure, endpoint_player, sampler_player, scripted_player
from playpen_eval.train.rewards import Shaping, turn_credit
from playpen_eval.train.rollout import Settings, one_part_each, play, seating
from playpen_eval.train.rows import row_from_chat

from playpen_eval import Episode, load_game
from playpen_eval.endpoint import Endpoint
from playpen_eval.errors import UserError
from playpen_eval.instances import load_instances

INSTANCE = {"id": "relay/1/train/default/0-0", "experiment": "default", "split": "train"}
SETTINGS = Settings(max_new_tokens=20, seed="s")


@pytest.fixture
def chat():
    return load_chat(byte_tokenizer(NEWLINE))


def said(chat, row):
    return chat.tokenizer.decode([token for token, mask in zip(row.completion_ids, row.mask) if mask])


def text(chat, row):
    return chat.tokenizer.decode(row.prompt_ids) + "|" + chat.tokenizer.decode(row.completion_ids)


def test_self_play_gives_a_row_per_seat(relay, chat):
    sampler = TalkingSampler(chat, lambda prompt: "word")
    rows = play([Episode(relay, INSTANCE)], [relay.roles], sampler, chat, SETTINGS)
    assert [(row.meta.seat, row.meta.part, row.meta.kind) for row in rows] == [
        ("sender", 0, "success"), ("receiver", 0, "success"), ("receiver", 1, "success"),
    ]  # fmt: skip
    sender, receiver, aside = rows
    head = "<s><|user|>rules<|end|>\n<|assistant|>fine<|end|>\n<|user|>"
    assert (
        text(chat, sender)
        == f"{head}send<|end|>\n<|assistant|>|word<|end|>\n<|user|>again<|end|>\n<|assistant|>word<|end|>"
    )
    # The exchange that was forgotten is in no other context, and its limit of 3 tokens cut the reply.
    assert text(chat, aside) == f"{head}aside<|end|>\n<|assistant|>|wor<|end|>"
    assert text(chat, receiver) == f"{head}word<|end|>\n<|assistant|>|word<|end|>"
    assert said(chat, sender) == "word<|end|>word<|end|>"
    assert aside.mask == [1, 1, 1, 0]  # nobody sampled the end token
    assert sender.logprobs is not None
    assert [value for value, mask in zip(sender.logprobs, sender.mask) if not mask] == [0.0] * sender.mask.count(0)
    assert sender.turn_rewards == [0.25, 2.0]
    assert (aside.turn_rewards, receiver.turn_rewards) == ([0.5], [1.0])
    for row in rows:
        row.validate()


def test_a_row_is_what_the_model_saw(relay, chat):
    sampler = TalkingSampler(chat, lambda prompt: "word")
    rows = play([Episode(relay, INSTANCE)], [("sender",)], sampler, chat, SETTINGS, scripted(["x", "word"]))
    whole = chat.tokenizer.decode(rows[0].prompt_ids + rows[0].completion_ids)
    assert whole == sampler.prompts[-1] + "word<|end|>"


def test_sampled_and_written_rows_are_the_same(relay, chat):
    sampler = TalkingSampler(chat, lambda prompt: "word")
    rows = [
        row for row in play([Episode(relay, INSTANCE)], [relay.roles], sampler, chat, SETTINGS) if not row.meta.part
    ]
    _, logs = replayed(relay, INSTANCE, ["word", "wor", "word", "word"], relay.roles)
    for row in rows:
        side = Dialogue(row.meta, Fingerprint("", ""), None, logs[row.meta.seat].steps, [0.0] * 2)
        _, messages, learn, _ = next(side.chats())
        written = row_from_chat(chat, messages, learn, row.meta)
        assert (written.prompt_ids, written.completion_ids) == (row.prompt_ids, row.completion_ids)
        assert (written.mask, written.turn_of) == (row.mask, row.turn_of)


def scripted(replies):
    """A partner that says these replies, the same in all episodes of a batch."""
    left = iter(replies)

    def partner(asked):
        reply = next(left)
        return [reply for _ in asked]

    return partner


def test_the_partners_words_never_carry_loss(relay, chat):
    sampler = TalkingSampler(chat, lambda prompt: "word")
    rows = play(
        [Episode(relay, INSTANCE)], [("receiver",)], sampler, chat, SETTINGS, scripted(["secret<|end|>", "bye"])
    )
    assert [row.meta.seat for row in rows] == ["receiver", "receiver"]
    for row in rows:
        assert "secret" not in said(chat, row)
    # Its control token is text in the learner's context.
    assert "secret< |end|><|end|>" in text(chat, rows[0])


def test_failures_of_the_partner_give_no_reward(relay, chat):
    sampler = TalkingSampler(chat, lambda prompt: "word")

    def broken(asked):
        return [Failure("the server is gone") for _ in asked]

    row, *_ = play([Episode(relay, INSTANCE)], [("receiver",)], sampler, chat, SETTINGS, broken)
    assert (row.reward, row.meta.kind, row.meta.score, sum(row.mask), len(row.completion_ids)) == (
        None,
        "failed",
        None,
        0,
        1,
    )
    row.validate()
    row, *_ = play([Episode(relay, INSTANCE)], [("sender",)], sampler, chat, SETTINGS, broken)
    assert (row.reward, row.meta.kind) == (None, "failed")
    assert said(chat, row) == "word<|end|>"


def test_an_abort_is_the_fault_of_one_seat(relay, chat):
    sampler = TalkingSampler(chat, lambda prompt: "stop" if "again" in prompt else "word")
    settings = dataclasses.replace(SETTINGS, shaping=Shaping(abort=-1.0))
    rows = play([Episode(relay, INSTANCE)], [relay.roles], sampler, chat, settings)
    assert {row.meta.seat: row.reward for row in rows} == {"sender": -1.0, "receiver": None}


def test_a_full_context_is_the_learners_abort(relay, chat):
    sampler = TalkingSampler(chat, lambda prompt: "word")
    settings = dataclasses.replace(SETTINGS, max_context=50)
    [row] = play([Episode(relay, INSTANCE)], [("sender",)], sampler, chat, settings, scripted(["a", "b"]))
    assert (row.meta.kind, row.meta.score, row.reward) == ("aborted", None, 0.0)
    assert said(chat, row) == "word<|end|>"


def test_a_partners_full_context_tells_nothing(relay, chat):
    sampler = TalkingSampler(chat, lambda prompt: "word")
    partner = sampler_player(sampler, chat, max_context=10)
    [row] = play([Episode(relay, INSTANCE)], [("sender",)], sampler, chat, SETTINGS, partner)
    assert (row.meta.kind, row.reward) == ("aborted", None)


@pytest.mark.parametrize(("shaping", "reward"), [
    (Shaping(), 0.5), (Shaping("success"), 0.0), (Shaping("none", credit=1.0), -0.75), (Shaping(length=0.01), 0.4),
])  # fmt: skip
def test_shaping(relay, chat, shaping, reward):
    sampler = TalkingSampler(chat, lambda prompt: "word")
    settings = dataclasses.replace(SETTINGS, shaping=shaping)
    [row] = play([Episode(relay, INSTANCE)], [("sender",)], sampler, chat, settings, scripted(["x", "other"]))
    assert row.meta.kind == "lose"
    assert row.reward == pytest.approx(reward)


def test_credit_goes_to_the_turn_before(relay):
    episode = Episode(relay, INSTANCE, ["a", "b", "a", "c"])
    assert turn_credit(episode, "sender") == [0.25, 2.0]
    assert turn_credit(episode, "receiver") == [0.5, 1.0]


def test_lockstep_batches(chat):
    game = load_game("taboo")
    instances = load_instances(game, "train").instances[:6]
    sampler = TalkingSampler(chat, lambda prompt: "GUESS: zebra")
    episodes = [Episode(game, instance) for instance in instances]
    rows = play(episodes, [("guesser",)] * 6, sampler, chat, SETTINGS, scripted_player())
    assert sampler.calls[0] == 6
    assert len(sampler.calls) <= 3
    assert [row.meta.instance for row in rows] == [instance["id"] for instance in instances]
    assert {row.meta.episode for row in rows} == {f"s/{index}" for index in range(6)}


def test_an_unfinished_episode_goes_on(relay, chat):
    sampler = TalkingSampler(chat, lambda prompt: "word")
    episode = Episode(relay, INSTANCE, ["word", "x", "word"])
    row, *_ = play([episode], [("sender",)], sampler, chat, SETTINGS, scripted([]))
    assert chat.tokenizer.decode(row.prompt_ids).endswith(
        "<|assistant|>word<|end|>\n<|user|>again<|end|>\n<|assistant|>"
    )
    assert said(chat, row) == "word<|end|>"
    assert row.turn_rewards == [2.0]


def test_seats(relay):
    assert seating(relay, "fixed", 0) == ("receiver",)
    assert seating(relay, "fixed", 0, "sender") == ("sender",)
    assert [seating(relay, "alternating", index) for index in range(3)] == [("sender",), ("receiver",), ("sender",)]
    assert seating(relay, "self", 0) == relay.roles
    with pytest.raises(UserError, match="no role 'x'"):
        seating(relay, "fixed", 0, "x")


def test_a_role_of_nobody(relay, chat):
    with pytest.raises(UserError, match="nobody plays sender"):
        play([Episode(relay, INSTANCE)], [("receiver",)], TalkingSampler(chat, str), chat, SETTINGS)


def test_one_part_of_each_seat(relay, chat):
    sampler = TalkingSampler(chat, lambda prompt: "word")
    rows = play([Episode(relay, INSTANCE) for _ in range(40)], [relay.roles] * 40, sampler, chat, SETTINGS)
    chosen = one_part_each(rows, "x")
    assert len(chosen) == 80
    parts = [row.meta.part for row in chosen if row.meta.seat == "receiver"]
    assert 5 < sum(parts) < 35
    assert one_part_each(rows, "x") == chosen


def test_an_endpoint_that_is_not_there(relay, chat):
    endpoint = Endpoint("m", "http://127.0.0.1:9/v1", attempts=1)
    sampler = TalkingSampler(chat, lambda prompt: "word")
    rows = play([Episode(relay, INSTANCE)], [("sender",)], sampler, chat, SETTINGS, endpoint_player(endpoint))
    assert [(row.meta.kind, row.reward) for row in rows] == [("failed", None)]


@pytest.mark.parametrize(("name", "reply", "rows", "total"), [
    ("maze_fo", "move up", 101, -101), ("lmrl_wordle", "shape", 1, -6),
])  # fmt: skip
def test_rows_carry_what_a_game_pays_for_each_turn(chat, name, reply, rows, total):
    game = load_game(name)
    instance = load_instances(game, "test").instances[0] | ({"target": "above"} if name == "lmrl_wordle" else {})
    instance |= {"start": [1, 1]} if name == "maze_fo" else {}
    found = play([Episode(game, instance)], [game.roles], TalkingSampler(chat, lambda prompt: reply), chat, SETTINGS)
    assert len(found) == rows
    assert sum(sum(row.turn_rewards) for row in found) == total
    # Of a game that forgets, every turn is a row of its own, and they come in order.
    assert [row.turn_rewards for row in found][-1][-1] == (-2 if name == "maze_fo" else -1)
