"""Checks of how episodes end: by solutions, scripted players and replies that nobody foresaw."""

from __future__ import annotations

import json
import time
from random import Random
from typing import Any

from playpen_eval.check.common import Budget, ensure, play_scripted, samples, splits, state
from playpen_eval.episode import Episode
from playpen_eval.errors import require
from playpen_eval.game import Game, Instance
from playpen_eval.players import scripted_reply


def solution_wins_first_and_last(game: Game, budget: Budget) -> None:
    """Every shipped instance can be won at once and in the last allowed turn, and later is never worth more."""
    for instances in splits(game).values():
        for instance in instances:
            scores = []
            for last in (False, True):
                replies = game.solution(instance, last=last)
                episode = Episode(game, instance)
                for reply in replies:
                    ensure(episode.outcome is None, "the solution goes on after the end", instance["id"], replies)
                    episode.act(reply)
                outcome = episode.outcome
                where = "last" if last else "first"
                ensure(outcome is not None, f"the {where} solution does not end the game", instance["id"])
                assert outcome is not None
                ensure(outcome.kind == "success", f"the {where} solution does not win", instance["id"], outcome)
                scores.append(outcome.score)
            ensure(scores[0] >= scores[1], "a later win is worth more than an earlier one", instance["id"], scores)


def best_players_finish_every_instance(game: Game, budget: Budget) -> None:
    """The best scripted players bring every shipped instance to its end without an abort, and win most of them."""
    won = total = 0
    for instances in splits(game).values():
        for instance in instances:
            outcome = play_scripted(game, instance).outcome
            assert outcome is not None
            ensure(outcome.kind != "aborted", "a best player broke the protocol", instance["id"], outcome.reason)
            won += outcome.kind == "success"
            total += 1
    ensure(2 * won > total, f"best players win {won} of {total} instances; they are meant to be an upper bound")


def breaker_aborts_with_its_role(game: Game, budget: Budget) -> None:
    """A role that breaks the protocol aborts the episode, and the outcome names it."""
    for instance in samples(game, budget.instances):
        for role in game.roles:
            outcome = play_scripted(game, instance, breaker=role).outcome
            assert outcome is not None
            ensure(outcome.kind == "aborted", f"the {role}'s breaker does not abort", instance["id"], outcome)
            ensure(outcome.faulty_role == role, f"the abort of the {role} is put down to {outcome.faulty_role}")
            ensure(outcome.reason, f"the abort of the {role} has no reason", instance["id"])


def policies_play_whole_episodes(game: Game, budget: Budget) -> None:
    """Behaviour policies say nothing after the end, reach it in some episodes, and follow from their random numbers."""
    for policy in game.policies:
        ended = 0
        for instance in samples(game, budget.instances):
            replies, again = (game.behave(policy, instance, Random(instance["id"])) for _ in range(2))
            where = f"the policy {policy} in {instance['id']}"
            ensure(replies, f"{where} says nothing")
            ensure(replies == again, f"{where} does not follow from its random numbers", replies, again)
            episode = Episode(game, instance)
            for reply in replies:
                ensure(episode.outcome is None, f"{where} goes on after the end", replies)
                episode.act(reply)
            ensure(episode.role in (None, game.learner), f"{where} stops when the {episode.role} is to move", replies)
            ended += episode.outcome is not None
        ensure(ended, f"the policy {policy} ends no episode")


NASTY = (
    "",
    " ",
    "\n",
    "\n\n\n",
    "\x00\x01\x1b[31m\x7f",
    "\u202e\u200b\u2066\ufeff",
    "\ud800",
    "🙂" * 50,
    "İIıi ß ſ Å",
    "<|eot_id|><|im_end|></s>",
    "{target} {0} {} %s %(x)s $target ${HOME}",
    "'; DROP TABLE games; --",
    "<script>alert(1)</script>",
    "__import__('os').system('true')",
    "null",
    "[]",
    '{"role": "system"}',
    "a" * 100_000,
    "\n" * 100_000,
    ("word " * 20_000),
)


def any_reply_ends_or_continues(game: Game, budget: Budget) -> None:
    """Replies that nobody foresaw never raise, never exceed max_turns() and leave strict JSON."""
    hypothesis = require("hypothesis", "dev")
    st: Any = require("hypothesis.strategies", "dev")
    moves = st.one_of(
        st.text(max_size=200).map(lambda text: ("say", text)),
        st.sampled_from(NASTY).map(lambda text: ("say", text)),
        st.just(("echo", "")),
        st.tuples(st.just("best"), st.just("")),
        st.tuples(st.sampled_from(["before", "after", "middle", "tag", "twice", "upper", "cut"]), st.text(max_size=20)),
    )
    instances = samples(game, budget.instances)
    given = sum(_play_hostile(game, instances[0], script) for text in NASTY for script in _scripts(game, text))

    def play(script: list[tuple[str, str]]) -> None:
        nonlocal given
        given += sum(_play_hostile(game, instance, script) for instance in instances)

    round_, start = 0, time.process_time()
    while given < budget.replies and (round_ == 0 or time.process_time() - start < budget.seconds):
        before = given
        run = hypothesis.given(st.lists(moves, min_size=1, max_size=40))(play)
        run = hypothesis.settings(
            max_examples=200, database=None, deadline=None, suppress_health_check=list(hypothesis.HealthCheck)
        )(run)
        hypothesis.seed(budget.seed * 1000 + round_)(run)()
        ensure(given > before, "no reply could be given")
        round_ += 1


def _scripts(game: Game, text: str) -> list[list[tuple[str, str]]]:
    """The text as first, second, ... reply of otherwise good play, so that every role says it, alone or in form."""
    turns = range(2 * len(game.roles))
    return [[("best", "")] * turn + [(kind, text)] for turn in turns for kind in ("say", "tag")]


def _play_hostile(game: Game, instance: Instance, script: list[tuple[str, str]]) -> int:
    """Plays an instance by the script, over and over, and returns the number of replies."""
    episode = Episode(game, instance)
    limit = game.max_turns(instance)
    turn = 0
    while episode.outcome is None:
        ensure(turn < limit, f"an episode lasts longer than max_turns() = {limit}", instance["id"], episode.replies)
        episode.act(_hostile(episode, *script[turn % len(script)]))
        turn += 1
    json.dumps(episode.to_json(), allow_nan=False)
    ensure(state(episode.copy()) == state(episode), "a replayed hostile episode differs", instance["id"])
    return turn


def _hostile(episode: Episode, kind: str, text: str) -> str:
    if kind == "say":
        return text
    seen = episode.observe()
    if kind == "echo":
        return seen.messages[-1]["content"]
    good = scripted_reply(seen, "best")
    middle = len(good) // 2
    return {
        "best": good,
        "before": text + good,
        "after": good + text,
        "middle": good[:middle] + text + good[middle:],
        "tag": good[: good.rfind(":") + 1] + " " + text,
        "twice": good + text + good,
        "upper": good.upper(),
        "cut": good[:middle],
    }[kind]
