"""What training rests on, measured with a tiny model and a game that it can learn, on one core.

1. The mask: GRPO with it, and with the others' words trained as if the learner had said them.
2. Lockstep: seconds of a batch of episodes side by side, against the same episodes one by one.
3. Game logic: its share of a step of GRPO.

python tests/bench/bench_train.py [--model DIR --games taboo privateshared] [--seeds 3] [--steps 30]
"""
# pyright: reportMissingImports=false

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

SHARE, RATIO = 0.02, 5.0
"""Bars: game logic in a step at most, lockstep against one by one at least."""

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "train"))


def train(model: Path, output: Path, games: list[str], steps: int, seed: int, masked: bool) -> list[dict[str, Any]]:
    """Runs GRPO; returns its log.

    Args:
        model: Where it starts.
        output: A new folder.
        games: What is played.
        steps: Of the optimizer.
        seed: Of everything.
        masked: False to train all tokens after the first prompt.
    """
    import playpen_eval.train.trl_rollout as hook
    from playpen_eval.train import grpo
    from playpen_eval.train.config import GRPO
    from playpen_eval.train.session import LOG
    from playpen_eval.train.trl_rollout import Rollouts

    class Unmasked(Rollouts):
        def __call__(self, prompts: list[Any], trainer: Any) -> dict[str, Any]:
            made = super().__call__(prompts, trainer)
            return made | {"env_mask": [[1] * len(ids) for ids in made["completion_ids"]]}

    hook.Rollouts = Rollouts if masked else Unmasked  # type: ignore[misc]
    try:
        config = GRPO(
            games=dict.fromkeys(games, 1.0),
            adapter="none",
            partner="scripted",
            learning_rate=3e-3 if games == ["echo"] else 5e-4,
            batch_size=96,
            group_size=8,
            max_steps=steps,
            max_length=256,
            max_new_tokens=24,
            generate_batch=96,
            save_every=10_000,
            patience=10_000,
            forgotten="draw",
            seed=seed,
            threads=1,
        )
        grpo.train(config, str(model), output)
        lines = [json.loads(line) for line in (output / LOG).read_text(encoding="utf-8").splitlines()]
        return [line for line in lines if "reward" in line]
    finally:
        hook.Rollouts = Rollouts  # type: ignore[misc]


def ablation(model: Path, games: list[str], steps: int, seeds: int, folder: Path) -> list[dict[str, Any]]:
    """Prints reward with and without the mask, and returns all lines of the masked logs."""
    kept = []
    for masked in (True, False):
        for seed in range(seeds):
            log = train(model, folder / f"{masked}-{seed}", games, steps, seed, masked)
            last = log[-5:]
            figures = [f"{name} {statistics.mean(line[name] for line in last):.3f}" for name in ("reward", "entropy")]
            begin = f"{statistics.mean(line['reward'] for line in log[:2]):.3f}"
            print(f"{'with' if masked else 'without'} mask, seed {seed}: reward {begin} -> {', '.join(figures)}")
            kept += log if masked else []
    return kept


def together(model: Path, games: list[str], episodes: int = 64) -> None:
    """Prints the seconds of a batch and of the same episodes one by one."""
    from playpen_eval.train.chat import load_chat
    from playpen_eval.train.config import GRPO
    from playpen_eval.train.mix import load_pools
    from playpen_eval.train.players import scripted_player
    from playpen_eval.train.rollout import Settings, play
    from playpen_eval.train.sampler import HFSampler

    from playpen_eval.episode import Episode

    chat = load_chat(str(model))
    sampler = HFSampler.load(str(model), chat.stops, batch_size=episodes)
    pools = load_pools(GRPO(games=dict.fromkeys(games, 1.0)))
    game, instances = pools[0]

    def seconds(size: int) -> float:
        fresh = [Episode(game, instances[place % len(instances)]) for place in range(episodes)]
        start = time.perf_counter()
        for first in range(0, episodes, size):
            batch = fresh[first : first + size]
            seats = [(game.learner,)] * len(batch)
            settings = Settings(max_new_tokens=24, max_context=256, seed=str(first))
            play(batch, seats, sampler, chat, settings, scripted_player())
        return time.perf_counter() - start

    seconds(episodes)
    batch, alone = (statistics.median(seconds(size) for _ in range(3)) for size in (episodes, 1))
    mark = "" if alone / batch >= RATIO else "  MISSED"
    print(f"lockstep: {episodes} episodes of {game.name} in {batch:.3f} s, one by one {alone:.3f} s", end="")
    print(f", ratio {alone / batch:.1f}{mark}")


def shares(log: list[dict[str, Any]], games: list[str]) -> None:
    """Prints the parts of a step, as medians."""
    names = ("generate", "partner", "template", "game", "update")
    parts = {name: statistics.median(line[f"seconds/{name}"] for line in log) for name in names}
    whole = sum(parts.values())
    print("a step: " + ", ".join(f"{name} {1000 * value:.1f} ms" for name, value in parts.items()))
    logic = statistics.median(rules(games) for _ in range(5))
    mark = "" if logic / whole <= SHARE else "  MISSED"
    print(f"game logic: {1000 * logic:.1f} ms, {100 * logic / whole:.2f}% of a step{mark}", end="")
    own = parts["partner"] + parts["template"] + parts["game"]
    print(f"; with rows, template and scripted partner {1000 * own:.1f} ms, {100 * own / whole:.2f}%")


def rules(games: list[str]) -> float:
    """Seconds in the games' own steps for as many episodes as a step of training has, all turns asked and answered."""
    from playpen_eval.train.config import GRPO
    from playpen_eval.train.mix import load_pools

    from playpen_eval.drivers import lockstep
    from playpen_eval.episode import Episode
    from playpen_eval.players import scripted

    pools = load_pools(GRPO(games=dict.fromkeys(games, 1.0)))
    chosen = [pools[number % len(pools)] for number in range(96)]
    episodes = [Episode(game, instances[place % len(instances)]) for place, (game, instances) in enumerate(chosen)]
    lockstep(episodes, scripted())
    start = time.perf_counter()
    for episode in episodes:
        again = Episode(episode.game, episode.instance)
        for reply in episode.replies:
            again.observe()
            again.act(reply)
    return time.perf_counter() - start


def main() -> None:
    """Measures, and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="a small model that plays; by default a tiny one and a tiny game")
    parser.add_argument("--games", nargs="+", default=["echo"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=30)
    args = parser.parse_args()
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    import torch
    from tiny import make_game, make_model

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if args.games == ["echo"]:
            os.environ["PLAYPEN_GAMES_DIR"] = str(make_game(folder / "games"))
        model = args.model or make_model(folder / "model")
        log = ablation(model, args.games, args.steps, args.seeds, folder)
        shares(log, args.games)
        together(model, args.games)
        print(json.dumps({"torch": torch.__version__, "model": args.model and args.model.name}))


if __name__ == "__main__":
    main()
