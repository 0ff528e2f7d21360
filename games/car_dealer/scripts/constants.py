"""The figures of the car dealer: returns of all policies in all experiments.

python games/car_dealer/scripts/constants.py [EPISODES]
"""

from __future__ import annotations

import statistics
import sys
from random import Random
from typing import Any

from playpen_eval.episode import Episode
from playpen_eval.registry import load_game


def main() -> None:
    """Prints a line an experiment and policy; cards are drawn anew. `scaled` is as AVERAGE and BEST in game.py."""
    game: Any = load_game("car_dealer")
    episodes = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    for experiment in game.experiments:
        for policy in game.policies:
            rng, sold = Random(f"{experiment}/{policy}"), 0
            returns, scaled, scores, messages = [], [], [], []
            for _ in range(episodes):
                instance = game.generate(experiment, rng)
                replies = game.behave(policy, instance, rng)
                outcome = Episode(game, instance, replies).outcome
                assert outcome is not None
                paid = outcome.metrics["return"] or 0.0
                returns.append(paid)
                scaled.append(1000 * paid / instance["budget"] if instance["reward"] == "revenue" else paid)
                messages.append(len(replies))
                scores.append(outcome.score or 0.0)
                sold += outcome.kind == "success"
            mean, deviation = statistics.mean, statistics.pstdev
            print(
                f"{experiment:11} {policy:6} return {mean(returns):.3f} (sd {deviation(returns):.2f})  "
                f"scaled {mean(scaled):.4f}  score {mean(scores):.3f}  "
                f"sold {sold / episodes:.1%}  "
                f"{mean(messages):.1f} messages (sd {deviation(messages):.1f})"
            )


if __name__ == "__main__":
    main()
