"""The figures of text navigation: share solved and turns of all policies.

python games/textnav/scripts/constants.py [EPISODES]
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
    """Prints a line a policy; the starts are taken in turn."""
    game: Any = load_game("textnav_po")
    rooms = importlib.import_module("playpen_eval.games.textnav.world").ROOMS
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 40_000
    for policy in game.policies:
        rng = Random(policy)
        returns, steps = [], []
        for number in range(count if policy != "best" else len(rooms)):
            instance = game.generate("default", rng) | {"start": rooms[number % len(rooms)]}
            outcome = Episode(game, instance, game.behave(policy, instance, rng)).outcome
            assert outcome is not None
            returns.append(outcome.metrics["return"] or 0.0)
            steps.append(outcome.metrics["steps"] or 0)
        print(
            f"{policy:8} return {statistics.mean(returns):.4f} (sd {statistics.pstdev(returns):.3f})  "
            f"{statistics.mean(steps):.2f} turns, {min(steps):.0f} to {max(steps):.0f}"
        )


if __name__ == "__main__":
    main()
