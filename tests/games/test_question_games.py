"""What LMRL-Gym's two question games promise alike: data as good as the paper's, policies that repeat."""

from __future__ import annotations

import importlib
import statistics
from collections.abc import Callable, Sequence
from random import Random
from typing import Any, NamedTuple

import pytest

from playpen_eval.drivers import lockstep
from playpen_eval.episode import Episode
from playpen_eval.game import Outcome
from playpen_eval.instances import load_instances
from playpen_eval.players import scripted
from playpen_eval.registry import load_game

cities, guide, objects = (
    importlib.import_module(f"playpen_eval.games.twenty_questions.{name}") for name in ("cities", "guide", "objects")
)


class Case(NamedTuple):
    """A game and what it promises.

    Attributes:
        game: The game.
        field: What is hidden.
        names: All that can be hidden.
        some: One that policies are tried with, and one that the oracle is asked about.
        answer: The scripted oracle: hidden thing and question -> reply.
        mean: The paper's mean return, and how far the data may be from it.
        near: How far the mean return of the data may be from the game's `average`.
        success: The paper's share of successes, and how far the data may be from it.
    """

    game: Any
    field: str
    names: Sequence[str]
    some: tuple[str, str]
    answer: Callable[[str, str], str]
    mean: tuple[float, float]
    near: float
    success: tuple[float, float]

    def outcomes(self, policy: str, count: int) -> list[Outcome]:
        """Of so many episodes, in which everything is hidden in turn."""
        rng, found = Random(policy), []
        for number in range(count):
            instance = {self.field: self.names[number % len(self.names)]}
            outcome = Episode(self.game, instance, self.game.behave(policy, instance, rng)).outcome
            assert outcome is not None
            found.append(outcome)
        return found


OBJECT = Case(
    game=load_game("twenty_questions"),
    field="object",
    names=objects.NAMES,
    some=("hammer", "piano"),
    answer=objects.answer,
    mean=(-17.3, 0.3),
    near=0.25,
    success=(0.31, 0.06),
)
CITY = Case(
    game=load_game("guess_my_city"),
    field="city",
    names=cities.NAMES,
    some=("Lima", "Lima"),
    answer=guide.answer,
    mean=(-18.8, 0.15),
    near=0.08,
    success=(0.53, 0.04),
)
each_game = pytest.mark.parametrize("case", [OBJECT, CITY], ids=lambda case: case.game.name)
each_policy = pytest.mark.parametrize(
    ("case", "policy"),
    [pytest.param(one, policy, id=f"{one.field}-{policy}") for one in (OBJECT, CITY) for policy in one.game.policies],
)


@each_game
def test_the_data_are_about_as_good_as_the_papers(case: Case):
    found = case.outcomes("mix", 4000)
    mean = statistics.mean(outcome.metrics["return"] or 0.0 for outcome in found)
    assert mean == pytest.approx(case.mean[0], abs=case.mean[1])
    assert mean == pytest.approx(case.game.average, abs=case.near)
    share = sum(outcome.kind == "success" for outcome in found) / 4000
    assert share == pytest.approx(case.success[0], abs=case.success[1])


@each_game
def test_the_best_guesser_finds_everything(case: Case):
    found = case.outcomes("best", len(case.names))
    assert {outcome.kind for outcome in found} == {"success"}
    mean = statistics.mean(outcome.metrics["return"] or 0.0 for outcome in found)
    assert mean == pytest.approx(case.game.best, abs=0.005)


@each_game
def test_the_scripted_pair_plays_as_the_policy(case: Case):
    for instance in load_instances(case.game, "test").instances:
        episode = Episode(case.game, instance)
        lockstep([episode], scripted())
        assert episode.replies == case.game.behave("best", instance, Random(0))


@each_policy
def test_the_same_seed_gives_the_same_transcript(case: Case, policy: str):
    instance = {case.field: case.some[0]}
    first, again, other = (case.game.behave(policy, instance, Random(seed)) for seed in (1, 1, 2))
    assert first == again
    assert (first == other) == (policy == "best")


@each_policy
def test_the_oracles_replies_of_a_policy_are_those_of_the_script(case: Case, policy: str):
    name = case.some[1]
    replies = case.game.behave(policy, {case.field: name}, Random(3))
    for question, said in zip(replies[::2], replies[1::2], strict=False):
        assert case.answer(name, question) == said
