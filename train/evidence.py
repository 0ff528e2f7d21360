"""Do the offline methods of LMRL-Gym do here what they do in its paper? BC, filtered BC, MC returns and ILQL compared.

    python train/evidence.py maze --seeds 3 -o results/lmrl
    python train/evidence.py wordle --seeds 3 -o results/lmrl

For each seed it makes a small model with random weights (`playpen-eval nano`) and data of the game's behaviour policy
`mix`, clones the behaviour, trains the other methods from that clone, and plays all of them, sampling. What is finished
stays in the work folder, and is not done again. The results are GAME.json, and GAME.md made from it.
"""
# pyright: reportMissingImports=false

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playpen_eval.train.chat import load_chat
from playpen_eval.train.rollout import Settings, play
from playpen_eval.train.sampler import HFSampler

from playpen_eval.cli import main as playpen_eval
from playpen_eval.episode import Episode
from playpen_eval.errors import UserError
from playpen_eval.game import Instance
from playpen_eval.instances import load_instances
from playpen_eval.provenance import provenance
from playpen_eval.registry import load_game

LABELS = {"bc": "BC", "filtered": "%BC", "mc": "MC returns", "ilql": "ILQL"}


@dataclass(frozen=True)
class Task:
    """One game's evidence.

    Attributes:
        game: Its name.
        experiment: The experiment that is the paper's.
        episodes: Of the data.
        size: Of the model.
        filtered: What %BC keeps, as keys of `train sft`.
        repeats: Episodes of each instance in an evaluation.
        max_tokens: Of a reply.
        paper: The paper's returns (table 4), by method and for its `optimal` and `random` or `data` policies.
    """

    game: str
    experiment: str
    episodes: int
    size: str
    filtered: tuple[str, ...]
    repeats: int
    max_tokens: int
    paper: Mapping[str, float]


TASKS = {
    "maze": Task(
        "maze_fo",
        "double_t",
        1200,
        "small",
        ("min_reward=0.000001",),  # wins: all others have no reward, or 0
        8,
        8,
        {"bc": -72.1, "filtered": -56.4, "mc": -48.1, "ilql": -6.97, "best": -6.84, "mix": -83.0},
    ),
    "wordle": Task(
        "lmrl_wordle",
        "loose",
        10000,
        "medium",
        ("top=0.3",),
        8,
        16,
        {"bc": -2.81, "filtered": -2.85, "mc": -2.16, "ilql": -2.04, "best": -1.94, "mix": -4.12},
    ),
}


def instances(task: Task) -> list[Instance]:
    """What is played: in the maze from each of its starts, in wordle the hidden words that are not trained on."""
    game = load_game(task.game)
    splits = ("train", "validation", "test") if task.game == "maze_fo" else ("validation", "test")
    found = [one for split in splits for one in load_instances(game, split).instances]
    return [one for one in found if one["experiment"] == task.experiment]


def evaluate(task: Task, folder: Path, seed: int) -> dict[str, Any]:
    """Plays a model; the result stays beside its folder, of which runs that begin there take a digest."""
    path = folder.with_name(f"{folder.name}-evaluation.json")
    if path.is_file():
        return json.loads(path.read_text(encoding="utf-8"))
    import torch

    torch.set_num_threads(1)
    game, chat = load_game(task.game), load_chat(str(folder))
    episodes = [Episode(game, one) for one in instances(task) for _ in range(task.repeats)]
    settings = Settings(max_new_tokens=task.max_tokens, temperature=1.0, seed=f"evidence/{seed}")
    sampler = HFSampler.load(str(folder), chat.stops, batch_size=len(episodes))
    begun = time.monotonic()
    play(episodes, [game.roles] * len(episodes), sampler, chat, settings, on_round=Round(folder.name))
    played = [
        {
            "instance": one.instance["id"],
            "start": one.instance.get("start"),
            "return": one.outcome.metrics["return"],
            "success": one.outcome.kind == "success",
        }
        for one in episodes
        if one.outcome
    ]
    found = {"seconds": round(time.monotonic() - begun, 1), "episodes": played}
    path.write_text(json.dumps(found) + "\n", encoding="utf-8")
    return found


class Round:
    """Says on stderr how many episodes go on."""

    def __init__(self, name: str):
        self._name = name

    def __call__(self, running: int) -> None:
        """Before each round."""
        if sys.stderr.isatty():
            print(f"\r{self._name}: {running} episodes go on   ", end="", file=sys.stderr)


def do(*words: str) -> None:
    """Runs a command of playpen-eval.

    Raises:
        UserError: It failed.
    """
    print("playpen-eval", *words, file=sys.stderr)
    if playpen_eval(list(words)):
        raise UserError(f"playpen-eval {' '.join(words[:2])} failed; the same command goes on from here")


def train(method: str, recipe: str, model: Path, data: Path, output: Path, seed: int, sets: Sequence[str] = ()) -> None:
    """Trains, or goes on with it."""
    words = ["train", method, "--model", str(model), "--recipe", recipe, "--data", str(data), "-o", str(output)]
    words += [word for one in (f"seed={seed}", *sets) for word in ("--set", one)]
    do(*words, *(["--resume"] if (output / "training.json").is_file() else []))


def one_seed(name: str, task: Task, work: Path, seed: int, methods: Sequence[str]) -> dict[str, Any]:
    """Everything of one seed: method -> its evaluation."""
    work.mkdir(parents=True, exist_ok=True)
    start, data = work / "nano", work / "mix.jsonl"
    if not (start / "nano.json").is_file():
        do("nano", str(start), "--games", task.game, "--seed", str(seed), "--size", task.size)
    if not data.with_name(data.name + ".manifest.json").is_file():
        words = ["--experiments", task.experiment, "--seed", f"evidence/{seed}", "--resume"]
        do("data", task.game, "--policy", "mix", "-n", str(task.episodes), "-o", str(data), *words)
    for method in ("bc", *methods):
        if method in ("bc", "filtered"):
            sets = task.filtered if method == "filtered" else ()
            train("sft", f"lmrl-{name}-laptop-bc", start, data, work / method, seed, sets)
        else:
            train(method, f"lmrl-{name}-laptop-{method}", work / "bc", data, work / method, seed)
    return {method: evaluate(task, work / method, seed) for method in ("bc", *methods)}


def summary(found: Sequence[Mapping[str, Any]], method: str) -> dict[str, Any]:
    """Mean over seeds with a 95% interval by Student's t: seeds differ more than episodes do."""
    from scipy.stats import t

    runs = [one[method]["episodes"] for one in found if method in one]
    means = [math.fsum(episode["return"] for episode in run) / len(run) for run in runs]
    count, mean = len(means), math.fsum(means) / len(means)
    half = None
    if count > 1:
        deviation = math.sqrt(math.fsum((one - mean) ** 2 for one in means) / (count - 1))
        half = float(t.ppf(0.975, count - 1)) * deviation / math.sqrt(count)  # type: ignore[arg-type]
    far = [episode["success"] for run in runs for episode in run if episode["start"] == [1, 1]]
    return {
        "return": mean,
        "half_width": half,
        "by_seed": means,
        "success": sum(episode["success"] for run in runs for episode in run) / sum(map(len, runs)),
        "from_1_1": sum(far) / len(far) if far else None,
        "episodes": sum(map(len, runs)),
    }


def policies(task: Task, repeats: int = 40) -> dict[str, float]:
    """Mean returns of the game's own players on the same instances: the best one and one that acts at random."""
    from random import Random

    game, rng = load_game(task.game), Random("evidence/policies")
    found: dict[str, float] = {}
    for policy in ("best", "random"):
        count = 1 if policy == "best" else repeats
        played = [Episode(game, one, game.behave(policy, one, rng)) for one in instances(task) for _ in range(count)]
        found[policy] = math.fsum(one.outcome.metrics["return"] or 0.0 for one in played if one.outcome) / len(played)
    return found


def table(result: Mapping[str, Any]) -> str:
    """The result in Markdown."""
    far = any(one["from_1_1"] is not None for one in result["methods"].values())
    head = ["method", "return (95% interval)", "success", *(["from (1, 1)"] if far else []), "LMRL-Gym (GPT-2)"]
    lines = ["| " + " | ".join(head) + " |", "| " + " | ".join("---" for _ in head) + " |"]
    for method, one in result["methods"].items():
        half = one["half_width"]
        cells = [LABELS[method], f"{one['return']:.2f}" + (f" ± {half:.2f}" if half is not None else "")]
        cells += [f"{one['success']:.0%}", *([f"{one['from_1_1']:.0%}"] if far else [])]
        lines.append("| " + " | ".join([*cells, str(result["paper"].get(method, ""))]) + " |")
    for policy, value in result["policies"].items():
        cells = [f"policy `{policy}`", f"{value:.2f}", "", *([""] if far else []), str(result["paper"].get(policy, ""))]
        lines.append("| " + " | ".join(cells) + " |")
    seeds, episodes = result["seeds"], result["episodes_each"]
    played = f"{len(seeds)} seeds of {episodes} episodes"
    note = f"{result['game']}, {played}, sampled at temperature 1; intervals over seeds."
    return "\n".join([*lines, "", note]) + "\n"


def main() -> int:
    """Runs it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("--seeds", type=int, default=3, help="how many, from 0 (default: %(default)s)")
    parser.add_argument("--methods", nargs="+", choices=list(LABELS)[1:], default=list(LABELS)[1:], help="beside bc")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="for the results")
    parser.add_argument("--work", type=Path, metavar="DIR", help="models and data (default: out/lmrl)")
    args = parser.parse_args()
    task, work = TASKS[args.task], args.work or Path("out/lmrl")
    found = []
    try:
        for seed in range(args.seeds):
            found.append(one_seed(args.task, task, work / args.task / f"seed-{seed}", seed, args.methods))
            result = {
                "game": task.game,
                "experiment": task.experiment,
                "seeds": list(range(len(found))),
                "episodes_each": len(found[0]["bc"]["episodes"]),
                "methods": {method: summary(found, method) for method in ("bc", *args.methods)},
                "policies": policies(task),
                "paper": dict(task.paper),
                "made_with": provenance(),
            }
            args.output.mkdir(parents=True, exist_ok=True)
            path = args.output / f"{task.game}.json"
            path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
            path.with_suffix(".md").write_text(table(result), encoding="utf-8")
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(table(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
