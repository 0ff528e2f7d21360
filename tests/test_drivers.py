"""Drivers agree with each other, and what counts as a player."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playpen_eval import Ask, Episode, Game, Outcome, lockstep, play_async
from playpen_eval.drivers import by_role
from playpen_eval.episode import Observation
from playpen_eval.errors import UserError
from playpen_eval.players import clean_reply, learner_roles, scripted, scripted_reply, scripted_style


class Auction(Game):
    """Two bid in turns; the length and the order of the asks follow from the replies."""

    name = "auction"
    roles = ("left", "right", "judge")
    learner = "right"

    def play(self, instance):
        bids = 0
        for turn in range(instance["turns"]):
            role = self.roles[(turn + bids) % 2]
            reply = yield Ask(role, f"{instance['id']} turn {turn}, bids {bids}", remember=turn % 3 != 2)
            if reply == "":
                return Outcome.aborted(role, "silence")
            bids += len(reply)
            if bids > 9:
                verdict = yield Ask("judge", reply)
                return Outcome.success(1 / (turn + 1), verdict)
        return Outcome.lose(reason=f"{bids} bids")

    def scripted(self, role, view, style):
        word = {"best": role, "breaker": ""}[style]
        return lambda messages: word and f"{word}{len(messages)}"


def auctions(lengths: Sequence[int]) -> list[Episode]:
    return [Episode(Auction(), {"id": f"auction {i}", "turns": turns}) for i, turns in enumerate(lengths)]


Answer = Callable[[Observation], str]


def from_table(table: Sequence[str]) -> Answer:
    """A player whose reply is a function of all it sees."""
    return lambda seen: table[sum(map(ord, repr((seen.role, seen.messages)))) % len(table)]


def one_by_one(episodes: list[Episode], answer: Answer) -> None:
    for episode in episodes:
        while episode.outcome is None:
            episode.act(answer(episode.observe()))


def in_lockstep(episodes: list[Episode], answer: Answer) -> None:
    lockstep(episodes, lambda batch: [answer(seen) for seen in batch])


def split_by_role(episodes: list[Episode], answer: Answer) -> None:
    def one(batch: Sequence[Observation]) -> list[str]:
        return [answer(seen) for seen in batch]

    def other(batch: Sequence[Observation]) -> list[str]:
        return [answer(seen) for seen in batch]

    lockstep(episodes, by_role({"left": one}, other))


def all_at_once(episodes: list[Episode], answer: Answer) -> None:
    async def reply(seen: Observation) -> str:
        for _ in range(len(seen.messages) % 3):
            await asyncio.sleep(0)
        return answer(seen)

    async def play() -> list[Outcome]:
        return await asyncio.gather(*(play_async(episode, reply) for episode in episodes))

    assert asyncio.run(play()) == [episode.outcome for episode in episodes]


@given(st.lists(st.integers(0, 6), max_size=5), st.lists(st.text(max_size=6), min_size=1, max_size=6))
def test_all_drivers_give_the_same_transcripts(lengths, table):
    results = []
    for play in (one_by_one, in_lockstep, split_by_role, all_at_once):
        episodes = auctions(lengths)
        play(episodes, from_table(table))
        results.append([(episode.turns, episode.outcome) for episode in episodes])
    assert all(outcome is not None for _, outcome in results[0])
    assert results[0] == results[1] == results[2] == results[3]


def test_lockstep_batches_what_still_runs():
    sizes = []

    def generate(batch: Sequence[Observation]) -> list[str]:
        sizes.append(len(batch))
        return ["x"] * len(batch)

    lockstep(auctions([0, 1, 3, 3]), generate)
    assert sizes == [3, 2, 2]


def test_unfinished_episodes_continue():
    episodes = auctions([4, 2])
    episodes[0].act("a")
    one_by_one(episodes[1:], lambda seen: "b")
    lockstep(episodes, lambda batch: ["c"] * len(batch))
    assert [episode.replies for episode in episodes] == [["a", "c", "c", "c"], ["b", "b"]]


def test_nothing_to_play_asks_nobody():
    def generate(batch: Sequence[Observation]) -> list[str]:
        raise AssertionError("asked")

    lockstep([], generate)
    lockstep(auctions([0, 0]), generate)


@pytest.mark.parametrize("replies", [[], ["one"], ["one", "two", "three"]])
def test_a_wrong_number_of_replies_is_refused(replies):
    episodes = auctions([2, 2])
    with pytest.raises(ValueError, match=rf"returned {len(replies)} replies for 2 observations"):
        lockstep(episodes, lambda batch: replies)
    assert all(episode.turns == [] for episode in episodes)


@pytest.mark.parametrize("replies", [[], ["one"], ["one", "two", "three"]])
def test_a_seat_with_a_wrong_number_of_replies_is_refused(replies):
    episodes = auctions([2, 2])
    with pytest.raises(ValueError, match=r".+"):
        lockstep(episodes, by_role({"left": lambda batch: replies}, lambda batch: ["x"] * len(batch)))
    assert all(episode.turns == [] for episode in episodes)


def test_by_role_asks_each_seat_once_a_batch():
    calls: list[tuple[str, list[str]]] = []

    def seat(name: str):
        def generate(batch: Sequence[Observation]) -> list[str]:
            calls.append((name, [seen.role for seen in batch]))
            return [f"{name}{index}" for index in range(len(batch))]

        return generate

    shared = seat("shared")
    generate = by_role({"left": shared, "right": seat("right")}, shared)
    mixed = auctions([5] * 4)
    mixed[1].act("b")  # an odd bid: the left one goes on
    mixed[2].act("bb")  # an even bid: it is the right one's turn
    mixed[3].act("c" * 10)
    assert [episode.role for episode in mixed] == ["left", "left", "right", "judge"]
    replies = generate([episode.observe() for episode in mixed])
    assert sorted(calls) == [("right", ["right"]), ("shared", ["left", "left", "judge"])]
    assert replies == ["shared0", "shared1", "right0", "shared2"]


def test_an_error_of_a_player_comes_through():
    async def reply(seen: Observation) -> str:
        raise ConnectionError("gone")

    with pytest.raises(ConnectionError, match="gone"):
        asyncio.run(play_async(auctions([1])[0], reply))


# Players


def test_scripted_players_play_by_what_they_see():
    episodes = auctions([3])
    lockstep(episodes, scripted())
    assert episodes[0].replies == ["left1", "left3", "judge1"]
    assert scripted_reply(auctions([3])[0].observe(), "breaker") == ""
    lockstep(broken := auctions([3]), scripted("breaker"))
    assert broken[0].outcome == Outcome.aborted("left", "silence")


def test_the_style_of_a_scripted_player():
    assert scripted_style("scripted") == scripted_style("scripted:best") == "best"
    assert scripted_style("scripted:breaker") == "breaker"
    assert scripted_style("self") is None
    assert scripted_style("my/scripted") is None
    assert scripted_style("scripted-model:latest") is None


def test_an_unknown_style_suggests_one():
    with pytest.raises(UserError, match="unknown style of scripted player 'braker'; did you mean 'breaker'"):
        scripted_style("scripted:braker")


def test_the_roles_of_the_learner():
    game = Auction()
    assert learner_roles(game, "self") == ("left", "right", "judge")
    assert learner_roles(game, "scripted") == ("right",)
    assert learner_roles(game, "some/model", "left") == ("left",)
    with pytest.raises(UserError, match="unknown role of auction 'lefty'; did you mean 'left'"):
        learner_roles(game, "scripted", "lefty")
    with pytest.raises(UserError, match="unknown role of auction 'x'"):
        learner_roles(game, "self", "x")


END_TOKENS = [
    "<|eot_id|>",
    "<|im_end|>",
    "</s>",
    "<eos>",
    "<end_of_turn>",
    "<|endoftext|>",
    "<｜end▁of▁sentence｜>",
    "[EOS]",
]


@pytest.mark.parametrize("token", END_TOKENS)
def test_stray_end_tokens_go(token):
    assert clean_reply(f"GUESS: tree{token}") == "GUESS: tree"
    assert clean_reply(f"GUESS: tree\n{token}\n{token} \n") == "GUESS: tree"
    assert clean_reply(token) == ""
    middle = f"GUESS: {token} tree"
    assert clean_reply(middle) == middle
    assert clean_reply(f"{middle}{token}") == middle


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a > b",
        "a >",
        "[1, 2]",
        "say [EOS",
        "<tag>",
        "<html></html>",
        "x</S>s",
        "<|x|>",
        "yes\n",
        "  spaced  \n\n",
        "|>",
    ],
)
def test_ordinary_text_stays(text):
    assert clean_reply(text) == text


@given(st.text(), st.lists(st.sampled_from(END_TOKENS), min_size=1, max_size=3))
def test_end_tokens_leave_what_came_before(text, tokens):
    cleaned = clean_reply(text)
    assert text.startswith(cleaned)
    assert clean_reply(cleaned) == cleaned
    assert clean_reply(text + "".join(tokens)) == clean_reply(text).rstrip()
