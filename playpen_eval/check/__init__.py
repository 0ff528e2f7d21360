"""The conformance suite: what every game promises, tested on any game.

From the command line `playpen-eval check GAME`; from the pytest suite of a game's author:

    @pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
    def test_conformance(check):
        check(load_game("mygame"), Budget())
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from playpen_eval.check.common import Budget, CheckFailedError
from playpen_eval.check.content import (
    declares_what_the_engine_needs,
    instances_come_from_the_generator,
    secrets_stay_secret,
    splits_share_no_content,
)
from playpen_eval.check.play import (
    any_reply_ends_or_continues,
    best_players_finish_every_instance,
    breaker_aborts_with_its_role,
    policies_play_whole_episodes,
    solution_wins_first_and_last,
)
from playpen_eval.check.purity import (
    copies_and_json_continue_alike,
    interleaved_episodes_do_not_meet,
    observing_changes_nothing,
    other_processes_agree,
    touches_nothing_outside,
)
from playpen_eval.game import Game

__all__ = ["CHECKS", "Budget", "CheckFailedError", "Result", "run_checks"]

CHECKS: tuple[Callable[[Game, Budget], None], ...] = (
    declares_what_the_engine_needs,
    instances_come_from_the_generator,
    splits_share_no_content,
    solution_wins_first_and_last,
    best_players_finish_every_instance,
    breaker_aborts_with_its_role,
    policies_play_whole_episodes,
    observing_changes_nothing,
    interleaved_episodes_do_not_meet,
    copies_and_json_continue_alike,
    touches_nothing_outside,
    other_processes_agree,
    secrets_stay_secret,
    any_reply_ends_or_continues,
)


class Result(NamedTuple):
    """What one check found: its name, None or why it failed, and seconds."""

    check: str
    failure: str | None
    seconds: float


def run_checks(game: Game, budget: Budget | None = None) -> Iterator[Result]:
    """Runs every check on a game; a failing one does not stop the others."""
    for check in CHECKS:
        start = time.perf_counter()
        failure = None
        try:
            check(game, budget or Budget())
        except Exception as error:  # a game under test may raise anything; that is a finding, too
            kind = "" if isinstance(error, CheckFailedError) else f"{type(error).__name__}: "
            failure = f"{kind}{error}"
        yield Result(check.__name__, failure, time.perf_counter() - start)
