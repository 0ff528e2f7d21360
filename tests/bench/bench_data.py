"""Episodes a minute that `playpen-eval data GAME --policy mix` writes, on one core, end to end.

python tests/bench/bench_data.py [--games maze_fo lmrl_wordle] [--episodes 10000] [--repeats 3]

Beside it the bare play: the same replies given to the same episodes, and nothing written down; the ratio tells what
records, encoding and files cost, and is of use on a machine whose speed is not known. All times are CPU time of the
process. The list of instances is filled before, for its cost does not grow with the episodes.
"""

from __future__ import annotations

import argparse
import importlib
import itertools
import statistics
import tempfile
import time
from pathlib import Path
from random import Random
from typing import Any

from playpen_eval.episode import Episode
from playpen_eval.registry import load_game

BAR = 50_000
"""Episodes a minute."""


def bare(game: Any, drawn: list[Any]) -> float:
    """Seconds of play alone."""
    start = time.process_time()
    for instance, repeat in drawn:
        Episode(game, instance, game.behave("mix", instance, Random(f"{instance['id']}#{repeat}")))
    return time.process_time() - start


def written(behaviour: Any, module: Any, drawn: list[Any], path: Path) -> float:
    """Seconds of the whole making."""
    module.Behaviour.draw = lambda *_: (iter(drawn), {})
    start = time.process_time()
    module.make_from_policy(path, behaviour, module.Policy(), resume=False, progress=lambda _: None)
    return time.process_time() - start


def main() -> None:
    """Prints a line a game and format."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--games", nargs="+", default=["maze_fo", "lmrl_wordle"])
    parser.add_argument("--episodes", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    module: Any = importlib.import_module("playpen_eval.train.data.behaviour")
    draw = module.Behaviour.draw
    for name in args.games:
        behaviour = module.Behaviour(load_game(name), "mix", args.episodes)
        drawn = list(itertools.islice(draw(behaviour, module.Policy())[0], args.episodes))
        for ending in ("jsonl", "parquet"):
            speeds, ratios = [], []
            for repeat in range(args.repeats):
                alone = bare(behaviour.game, drawn)
                with tempfile.TemporaryDirectory() as folder:
                    whole = written(behaviour, module, drawn, Path(folder) / f"{repeat}.{ending}")
                speeds.append(60 * args.episodes / whole)
                ratios.append(whole / alone)
            speed = statistics.median(speeds)
            print(
                f"{name:16} {ending:8} {speed:10,.0f} episodes a minute   bare play x {statistics.median(ratios):.2f}"
                f"{'   MISSED' if speed < BAR else ''}"
            )


if __name__ == "__main__":
    main()
