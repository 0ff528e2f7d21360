"""The figures of both wordles: returns of all policies on the list, by rule.

python games/lmrl_wordle/scripts/constants.py [EPISODES]
"""

from __future__ import annotations

import statistics
import sys
from random import Random
from typing import Any

from playpen_eval.episode import Episode
from playpen_eval.registry import load_game


def main() -> None:
    """Prints a line a game, rule and policy; the words are taken in turn."""
    episodes = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    for name in ("lmrl_wordle", "lmrl_wordle_short"):
        game: Any = load_game(name)
        for rule in game.experiments:
            for policy in game.policies:
                count = len(game.lexicon.words) if policy == "best" else episodes
                print(f"{name:17} {rule:8} {policy:7} {figures(game, rule, policy, count)}", flush=True)


def figures(game: Any, rule: str, policy: str, count: int) -> str:
    """Of so many episodes."""
    rng, words = Random(f"{rule}/{policy}"), game.lexicon.words
    returns, solved, turns = [], 0, 0
    for number in range(count):
        instance = {"target": words[number % len(words)], "feedback": rule}
        outcome = Episode(game, instance, game.behave(policy, instance, rng)).outcome
        assert outcome is not None
        returns.append(outcome.metrics["return"] or 0.0)
        solved += outcome.kind == "success"
        turns += outcome.metrics["guesses"] or 0
    mean, deviation = statistics.mean(returns), statistics.pstdev(returns)
    return f"return {mean:.3f} (sd {deviation:.2f})  solved {solved / count:.1%}  {turns / count:.2f} guesses"


if __name__ == "__main__":
    main()
