"""Chains: order of the tokens, their rewards, returns and advantages, all computed by hand."""
# pyright: reportMissingImports=false

from __future__ import annotations

import dataclasses
import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made import TalkingSampler, byte_tokenizer
from playpen_eval.train.chains import advantages, chains, returns_to_go, whitened
from playpen_eval.train.chat import load_chat
from playpen_eval.train.rollout import Settings, play
from playpen_eval.train.rows import Row, RowMeta

from playpen_eval.episode import Episode
from playpen_eval.errors import UserError
from playpen_eval.instances import load_instances
from playpen_eval.registry import load_game

META = RowMeta("walk", 1, "walk/1", "e", "train", "walker", "success", 1.0, "e1")
TALK = Row([1, 2], [3, 4, 5, 6], [1, 1, 0, 1], [0, 0, -1, 1], 0.5, META, [-1.0, 2.0])


def step(part: int, prompt: list[int], said: list[int], paid: float, **meta) -> Row:
    about = dataclasses.replace(META, part=part, **meta)
    return Row(prompt, said, [1] * len(said), [0] * len(said), 1.0, about, [paid])


def test_a_turn_is_paid_on_its_last_token():
    (chain,) = chains([TALK])
    assert (chain.row_of, chain.place, chain.rewards) == ([0, 0, 0], [2, 3, 5], [0.0, -1.0, 2.0])
    assert chains([TALK], "outcome")[0].rewards == [0.0, 0.0, 0.5]


def test_rows_of_a_seat_that_forgets_are_one_chain():
    idle = Row([9], [9], [0], [-1], 1.0, META, [])
    rows = [step(2, [1, 2, 3], [7, 8], -2.0), idle, step(1, [1], [5, 6], -1.0), step(3, [4], [5], 0.0)]
    (chain,) = chains(rows)
    assert [row.meta.part for row in chain.rows] == [1, 2, 3]
    assert chain.row_of == [0, 0, 1, 1, 2]
    assert chain.place == [1, 2, 3, 4, 1]
    assert chain.rewards == [0.0, -1.0, 0.0, -2.0, 0.0]
    assert chains(rows[:1] + rows[2:])[0].place == chain.place  # data sets leave the idle row out


def test_a_forgotten_exchange_comes_after_the_turns_that_its_prompt_holds():
    aside = step(1, [1, 2, 3, 4, 8], [7], 0.25)  # after the first of two remembered turns
    last = step(2, [1, 2, 3, 4, 5, 6, 8], [7, 7], 0.5)
    (chain,) = chains([TALK, aside, last])
    assert list(zip(chain.row_of, chain.place)) == [(0, 2), (0, 3), (1, 5), (0, 5), (2, 7), (2, 8)]
    assert chain.rewards == [0.0, -1.0, 0.25, 2.0, 0.0, 0.5]
    assert chains([TALK, step(1, [1, 9], [7], 0.25)])[0].row_of == [1, 0, 0, 0]


def test_seats_and_episodes_are_chains_of_their_own():
    other = dataclasses.replace(TALK, meta=dataclasses.replace(META, seat="guide"))
    again = dataclasses.replace(TALK, meta=dataclasses.replace(META, episode="e2"))
    assert [chain.rows for chain in chains([TALK, other, again])] == [[TALK], [other], [again]]


def test_what_tells_nothing_about_the_learner_is_left_out():
    failed = dataclasses.replace(TALK, meta=dataclasses.replace(META, kind="failed"))
    others_fault = dataclasses.replace(TALK, reward=None)
    silent = dataclasses.replace(TALK, mask=[0] * 4, turn_of=[-1] * 4, turn_rewards=[])
    assert chains([failed]) == chains([others_fault]) == chains([silent]) == []


def test_parts_that_are_missing_or_there_twice_are_refused():
    with pytest.raises(UserError, match=r"episode 'e1' of walk/1, walker: part 2 of 3 is missing"):
        chains([step(1, [1], [2], 0.0), step(3, [1], [2], 0.0)])
    with pytest.raises(UserError, match="part 0 is there twice; episodes of one set need names of their own"):
        chains([TALK, TALK])


def test_an_unfinished_episode_ends_with_a_state():
    meta = dataclasses.replace(META, kind="unfinished", score=None)
    talk = Row([1, 2], [3, 4, 8, 9], [1, 1, 0, 0], [0, 0, -1, -1], None, meta, [-1.0])
    assert chains([TALK])[0].after is None
    assert chains([talk])[0].after == (0, 6)
    asked = Row([1, 2, 3], [9], [0], [-1], 0.0, dataclasses.replace(meta, part=2), [])
    (chain,) = chains([step(1, [1], [5, 6], -1.0, kind="unfinished"), asked])
    assert (chain.row_of, chain.after) == ([0, 0], (1, 3))
    with pytest.raises(UserError, match="'e1' of walk/1 is unfinished, and its last part does not end with a question"):
        chains([step(1, [1], [5, 6], -1.0, kind="unfinished")])


def test_an_empty_reply_is_paid_with_the_next_token_that_is_paid():
    row = Row([1], [2, 3], [0, 1], [-1, 1], 1.0, META, [-4.0, 0.5, -1.0])
    assert chains([row])[0].rewards == [-4.5]


def test_the_asides_of_a_rollout_are_in_order(relay):
    chat = load_chat(byte_tokenizer())
    instance = {"id": "relay/1", "experiment": "e", "split": "train"}
    episode = Episode(relay, instance)
    rows = play([episode], [relay.roles], TalkingSampler(chat, lambda prompt: "ok"), chat, Settings())
    sender, receiver = chains(rows)
    assert [row.meta.part for row in receiver.rows] == [0, 1]
    assert receiver.row_of[0] == 1  # the aside was asked before anything that is remembered
    assert receiver.row_of == sorted(receiver.row_of, reverse=True)
    assert sum(receiver.rewards) == 1.5
    assert sum(sender.rewards) == 2.25


def test_a_walk_through_the_maze_is_paid_move_by_move():
    game, chat = load_game("maze_fo"), load_chat(byte_tokenizer())
    instance = load_instances(game, "train").instances[0]
    moves = iter(game.behave("best", instance, Random(0)))
    sampler = TalkingSampler(chat, lambda prompt: next(moves))
    episode = Episode(game, instance)
    (chain,) = chains(play([episode], [game.roles], sampler, chat, Settings()))
    count = len(episode.turns)
    assert len(chain.rows) == count
    assert [paid for paid in chain.rewards if paid] == [-1.0] * (count - 1)
    assert episode.outcome is not None
    assert sum(chain.rewards) == episode.outcome.metrics["return"]
    ends = [row + 1 == after for row, after in zip(chain.row_of, chain.row_of[1:])]
    assert all(not paid or end for paid, end in zip(chain.rewards, ends))


def test_returns_and_advantages():
    assert returns_to_go([0.0, -1.0, 0.0, 2.0], 0.5) == [-0.25, -0.5, 1.0, 2.0]
    # errors: 0 + .5 * 2 - 1 = 0, -1 + .5 * 4 - 2 = -1, 2 - 4 = -2; then summed with .5 * .5
    assert advantages([0.0, -1.0, 2.0], [1.0, 2.0, 4.0], 0.5, 0.5) == [-0.375, -1.5, -2.0]
    assert advantages([2.0], [4.0], 0.5, 0.5, after=4.0) == [0.0]


rewards = st.lists(st.floats(-10, 10), min_size=1, max_size=8)


@given(rewards, st.floats(0, 1), st.randoms())
def test_with_lambda_one_an_advantage_is_the_return_minus_the_value(paid, gamma, random):
    values = [random.uniform(-3, 3) for _ in paid]
    found = advantages(paid, values, gamma, 1.0)
    expected = [total - value for total, value in zip(returns_to_go(paid, gamma), values)]
    assert all(math.isclose(*pair, abs_tol=1e-9) for pair in zip(found, expected))


def test_whitening_is_over_the_whole_round():
    found = whitened([[1.0, 3.0], [5.0]])
    flat = [value for one in found for value in one]
    assert [len(one) for one in found] == [2, 1]
    assert abs(sum(flat)) < 1e-9
    assert abs(sum(value**2 for value in flat) / 3 - 1) < 1e-6
    assert whitened([[2.0], [2.0]]) == [[0.0], [0.0]]
    assert whitened([[], []]) == [[], []]
