"""Time of a step (`Episode.act`) of every game: median and 99th percentile over replies of the best scripted players.

python tests/bench/bench_steps.py [INSTANCES]
"""

from __future__ import annotations

import statistics
import sys
import time

from playpen_eval import Episode
from playpen_eval.instances import load_instances
from playpen_eval.players import scripted_reply
from playpen_eval.registry import shipped_games

BOUND = 5000
"""Microseconds that the median step of any game may take."""


def steps(name: str, count: int) -> list[float]:
    """Microseconds of every step of some shipped instances; the replies are made outside of the measured time."""
    game = shipped_games()[name]
    times = []
    for instance in load_instances(game, "test").instances[:count]:
        episode = Episode(game, instance)
        while episode.outcome is None:
            reply = scripted_reply(episode.observe(), "best")
            start = time.perf_counter()
            episode.act(reply)
            times.append(1e6 * (time.perf_counter() - start))
    return times


def main() -> None:
    """Prints a line a game, and marks a median above the bound."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    for name in shipped_games():
        times = sorted(steps(name, count))
        median = statistics.median(times)
        mark = "  MISSED" if median > BOUND else ""
        late = times[int(0.99 * len(times))]
        print(f"{name:28} {len(times):5} steps  median {median:7.1f} us  99% {late:8.1f} us{mark}")


if __name__ == "__main__":
    main()
