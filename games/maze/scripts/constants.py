"""The figures of the maze games: optimal and random returns, the data's shares of moves, and the mean on the scale.

python games/maze/scripts/constants.py
"""

from __future__ import annotations

import importlib
import statistics
from collections import Counter
from random import Random
from typing import Any

WALKS = 400
"""Walks of the data for each start."""


def main() -> None:
    """Prints a line a maze and the mean over mazes."""
    mazes: Any = importlib.import_module("playpen_eval.games.maze.mazes")
    policies: Any = importlib.import_module("playpen_eval.games.maze.policies")
    averages = []
    for name, layout in mazes.LAYOUTS.items():
        maze = mazes.KNOWN[name]
        goal = {"map": [*layout.rows], "goal": [*layout.goal]}
        walks, reached = [], 0
        for start in maze.starts():
            instance = goal | {"start": [*start]}
            for number in range(WALKS):
                walk = policies.mix(instance, Random(f"{name}/{start}/{number}"))
                cell = start
                for said in walk:
                    cell = maze.steps[cell][said.removeprefix("move ")]
                reached += cell == maze.goal
                walks.append(walk)
        counts = Counter(said.removeprefix("move ") for walk in walks for said in walk)
        shares = {move: counts[move] / counts.total() for move in mazes.MOVES}
        even = dict.fromkeys(mazes.MOVES, 1 / len(mazes.MOVES))
        best = statistics.mean(1 - maze.distance[start] for start in maze.starts())
        random = statistics.mean(policies.expected_returns(maze, even).values())
        averages.append(statistics.mean(policies.expected_returns(maze, shares).values()))
        lengths = [len(walk) for walk in walks]
        print(
            f"{name:9} {len(maze.starts())} starts  optimal {best:.2f}  random {random:.2f}  average {averages[-1]:.2f}"
            f"  data: {statistics.mean(lengths):.1f} moves (sd {statistics.pstdev(lengths):.1f}), "
            f"goal {reached / len(walks):.1%}, " + ", ".join(f"{move} {share:.3f}" for move, share in shares.items())
        )
    print(f"AVERAGE = {statistics.mean(averages):.1f}")


if __name__ == "__main__":
    main()
