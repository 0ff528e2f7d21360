"""The figures of twenty questions and guess my city: returns of all policies.

python games/twenty_questions/scripts/constants.py [EPISODES]
"""

from __future__ import annotations

import statistics
import sys
import time
from random import Random
from typing import Any

from playpen_eval.episode import Episode
from playpen_eval.registry import load_game


def main() -> None:
    """Prints a line a game and policy; what is hidden is taken in turn."""
    episodes = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    for name in ("twenty_questions", "guess_my_city"):
        game: Any = load_game(name)
        hidden = game.names
        for policy in game.policies:
            count, start = len(hidden) if policy == "best" else episodes, time.perf_counter()
            rng = Random(f"{name}/{policy}")
            returns, lengths, solved = [], [], 0
            for number in range(count):
                instance = {game.field: hidden[number % len(hidden)]}
                outcome = Episode(game, instance, game.behave(policy, instance, rng)).outcome
                assert outcome is not None
                returns.append(outcome.metrics["return"] or 0.0)
                lengths.append(outcome.metrics["questions"] or 0)
                solved += outcome.kind == "success"
            speed = 60 * count / (time.perf_counter() - start)
            print(
                f"{name:16} {policy:6} return {statistics.mean(returns):.3f} (sd {statistics.pstdev(returns):.2f})  "
                f"solved {solved / count:.1%}  {statistics.mean(lengths):.2f} questions "
                f"(sd {statistics.pstdev(lengths):.2f})  {speed:,.0f} episodes a minute"
            )


if __name__ == "__main__":
    main()
