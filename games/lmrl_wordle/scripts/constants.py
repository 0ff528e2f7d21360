"""The figures of the wordle: returns of all policies on the list under both rules.

python games/lmrl_wordle/scripts/constants.py [EPISODES]
"""

from __future__ import annotations

import importlib
import statistics
import sys
from random import Random
from typing import Any

from playpen_eval.episode import Episode
from playpen_eval.registry import load_game


def main() -> None:
    """Prints a line a rule and policy; the words are taken in turn."""
    game: Any = load_game("lmrl_wordle")
    episodes = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    words: Any = importlib.import_module("playpen_eval.games.lmrl_wordle.words").WORDS
    for rule in game.experiments:
        for policy in game.policies:
            count = len(words) if policy == "best" else episodes
            rng = Random(f"{rule}/{policy}")
            returns, solved, turns = [], 0, 0
            for number in range(count):
                instance = {"target": words[number % len(words)], "feedback": rule}
                outcome = Episode(game, instance, game.behave(policy, instance, rng)).outcome
                assert outcome is not None
                returns.append(outcome.metrics["return"] or 0.0)
                solved += outcome.kind == "success"
                turns += outcome.metrics["guesses"] or 0
            print(
                f"{rule:9} {policy:8} return {statistics.mean(returns):.3f} (sd {statistics.pstdev(returns):.2f})  "
                f"solved {solved / count:.1%}  {turns / count:.2f} guesses"
            )


if __name__ == "__main__":
    main()
