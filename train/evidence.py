"""Do the methods of LMRL-Gym do here what they do in its paper? BC, filtered BC, MC returns, ILQL, PPO, online BC.

    python train/evidence.py maze -o results/lmrl
    python train/evidence.py wordle-short -o results/lmrl
    python train/evidence.py wordle -o results/lmrl

For each seed it makes a small model with random weights (`playpen-eval nano`) and data of the game's behaviour policy
`mix`, clones the behaviour, trains the other methods from that clone, and plays all of them, sampling. What is finished
stays in the work folder, and is not done again, so `--seeds 0` and `--seeds 1` can run side by side before the whole
(each with another -o). The results are GAME.json, and GAME.md made from it.
"""
# pyright: reportMissingImports=false

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from statistics import fmean, stdev
from typing import Any

from playpen_eval.train.chat import load_chat
from playpen_eval.train.data.manifest import sha256_of
from playpen_eval.train.rollout import Settings, play
from playpen_eval.train.sampler import HFSampler

from playpen_eval.cli import main as playpen_eval
from playpen_eval.episode import Episode
from playpen_eval.errors import UserError
from playpen_eval.game import Instance
from playpen_eval.instances import load_instances
from playpen_eval.provenance import provenance
from playpen_eval.registry import load_game

LABELS = {
    "bc": "BC",
    "longer": "BC, longer",
    "filtered": "%BC",
    "mc": "MC returns",
    "ilql": "ILQL",
    "ppo": "PPO",
    "online-bc": "online %BC",
}
ONLINE = ("ppo", "online-bc")
UNFILTERED = ("min_reward=null", "top=null")
"""Makes filtered BC what it has to beat: the clone goes on as long, from all episodes."""

Choice = Callable[[Instance], bool]


@dataclass(frozen=True)
class Task:
    """One game's evidence.

    Attributes:
        game: Its name.
        experiment: The experiment that is the paper's.
        episodes: Of the data.
        size: Of the model.
        splits: Instances that are played.
        columns: What is told, over which of them.
        repeats: Episodes of each instance in an evaluation.
        max_tokens: Of a reply.
        paper: The paper's returns (table 4), by method and for its `best` policy, if it has the task.
        methods: Those beside bc.
    """

    game: str
    experiment: str
    episodes: int
    size: str
    splits: tuple[str, ...]
    columns: Mapping[str, Choice]
    repeats: int
    max_tokens: int
    paper: Mapping[str, float]
    methods: tuple[str, ...]


MAZE = Task(
    game="maze_fo",
    experiment="double_t",
    episodes=1200,
    size="small",
    splits=("train", "validation", "test"),
    columns={"all starts": lambda _: True, "start (1, 1)": lambda one: one["start"] == [1, 1]},
    repeats=8,
    max_tokens=8,
    paper={
        "bc": -72.1,
        "filtered": -56.4,
        "mc": -48.1,
        "ilql": -6.97,
        "ppo": -37.7,
        "online-bc": -71.7,
        "best": -6.84,
    },
    methods=("longer", "filtered", "mc", "ilql", "ppo", "online-bc"),
)

WORDLE = Task(
    game="lmrl_wordle",
    experiment="loose",
    episodes=50000,
    size="small",
    splits=("train", "test"),
    columns={
        "words of the data": lambda one: one["split"] == "train",
        "other words": lambda one: one["split"] == "test",
    },
    repeats=8,
    max_tokens=16,
    paper={
        "bc": -2.81,
        "filtered": -2.85,
        "mc": -2.16,
        "ilql": -2.04,
        "ppo": -2.63,
        "online-bc": -2.15,
        "best": -1.94,
    },
    methods=("longer", "filtered", "mc", "ilql"),
)

TASKS = {
    "maze": MAZE,
    "wordle": WORDLE,
    "wordle-short": replace(WORDLE, game="lmrl_wordle_short", episodes=30000, repeats=40, paper={}),
}


def instances(task: Task, splits: Sequence[str]) -> list[Instance]:
    """Shipped instances of the experiment."""
    game = load_game(task.game)
    found = [one for split in splits for one in load_instances(game, split).instances]
    return [one for one in found if one["experiment"] == task.experiment]


def evaluate(task: Task, folder: Path, seed: int) -> dict[str, Any]:
    """Plays a model; the result stays beside its folder, and is taken from there while the weights are the same."""
    path, weights = folder.with_name(f"{folder.name}-evaluation.json"), sha256_of(folder / "model.safetensors")
    if path.is_file():
        found = json.loads(path.read_text(encoding="utf-8"))
        if found.get("weights") == weights:
            return found
    import torch

    torch.set_num_threads(1)
    game, chat = load_game(task.game), load_chat(str(folder))
    episodes = [Episode(game, one) for one in instances(task, task.splits) for _ in range(task.repeats)]
    settings = Settings(max_new_tokens=task.max_tokens, temperature=1.0, seed=f"evidence/{seed}")
    sampler = HFSampler.load(str(folder), chat.stops, batch_size=len(episodes))
    begun = time.monotonic()
    play(episodes, [game.roles] * len(episodes), sampler, chat, settings, on_round=Round(folder.name))
    played = [
        {
            "instance": one.instance["id"],
            "return": one.outcome.metrics["return"],
            "success": one.outcome.kind == "success",
        }
        for one in episodes
        if one.outcome
    ]
    found = {"weights": weights, "seconds": round(time.monotonic() - begun, 1), "episodes": played}
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


def train(method: str, recipe: str, model: Path, data: Path | None, output: Path, *sets: str) -> None:
    """Trains, or goes on with it."""
    words = ["train", method, "--model", str(model), "--recipe", recipe, "-o", str(output)]
    words += ["--data", str(data)] if data else []
    words += [word for one in sets for word in ("--set", one)]
    do(*words, *(["--resume"] if (output / "training.json").is_file() else []))


def recipe_of(name: str, method: str) -> str:
    """The recipe of a method in a task."""
    return f"lmrl-{name}-laptop-{'filtered' if method == 'longer' else method}"


def one_seed(name: str, task: Task, work: Path, seed: int, methods: Sequence[str]) -> dict[str, Any]:
    """Everything of one seed: method -> its evaluation."""
    work.mkdir(parents=True, exist_ok=True)
    start, data, played = work / "nano", work / "mix.jsonl", work / "played.jsonl"
    if not (start / "nano.json").is_file():
        words = ["--games", task.game, "--seed", str(seed), "--size", task.size, "--short-rules"]
        do("nano", str(start), *words)
    if not data.with_name(data.name + ".manifest.json").is_file():
        words = ["--experiments", task.experiment, "--seed", f"evidence/{seed}", "--resume"]
        do("data", task.game, "--policy", "mix", "-n", str(task.episodes), "-o", str(data), *words)
    lines = [json.dumps(one) + "\n" for one in instances(task, ["train"])]
    played.write_text("".join(lines), encoding="utf-8")
    for method in ("bc", *methods):
        model = start if method == "bc" else work / "bc"
        own = UNFILTERED if method == "longer" else [f"instances={played}"] if method in ONLINE else ()
        command = "sft" if method in ("bc", "longer", "filtered") else method
        chats = None if method in ONLINE else data
        train(command, recipe_of(name, method), model, chats, work / method, f"seed={seed}", *own)
    return {method: evaluate(task, work / method, seed) for method in ("bc", *methods)}


def summary(task: Task, found: Sequence[Mapping[str, Any]], method: str) -> dict[str, Any]:
    """For each column: mean over seeds with a 95% interval by Student's t, as seeds differ more than episodes do."""
    by_id = {one["id"]: one for one in instances(task, task.splits)}
    told = {}
    for label, chosen in task.columns.items():
        runs = [[one for one in seed[method]["episodes"] if chosen(by_id[one["instance"]])] for seed in found]
        means = [fmean(one["return"] for one in run) for run in runs]
        told[label] = {
            "return": fmean(means),
            "half_width": half_width(means),
            "by_seed": means,
            "success": fmean(one["success"] for run in runs for one in run),
            "episodes": sum(map(len, runs)),
        }
    return told


def half_width(means: Sequence[float]) -> float | None:
    """Of the 95% interval of a mean; None for a single value."""
    from scipy.stats import t

    return float(t.ppf(0.975, len(means) - 1)) * stdev(means) / math.sqrt(len(means)) if len(means) > 1 else None


def gain(told: Mapping[str, Any], bc: Mapping[str, Any]) -> dict[str, Any]:
    """How much better than BC of the same seed, in the first column: mean over seeds with its interval."""
    own, other = (next(iter(one.values()))["by_seed"] for one in (told, bc))
    differences = [value - base for value, base in zip(own, other, strict=True)]
    return {"mean": fmean(differences), "half_width": half_width(differences)}


def policies(task: Task, repeats: int = 40) -> dict[str, dict[str, float]]:
    """Mean returns of the game's own players on the same instances, of those that play to the end."""
    game, rng = load_game(task.game), Random("evidence/policies")
    found: dict[str, dict[str, float]] = {}
    for policy in ("best", "mix", "random"):
        told = {}
        for label, chosen in task.columns.items():
            some = [one for one in instances(task, task.splits) if chosen(one)] * (1 if policy == "best" else repeats)
            outcomes = [Episode(game, one, game.behave(policy, one, rng)).outcome for one in some]
            if all(outcomes):
                told[label] = fmean(one.metrics["return"] or 0.0 for one in outcomes if one)
        if len(told) == len(task.columns):
            found[policy] = told
    return found


def table(result: Mapping[str, Any]) -> str:
    """The result in Markdown."""
    labels = list(result["methods"]["bc"])
    paper = result["paper"]
    head = ["method"]
    for label in labels:
        head += [f"{label}: return", "success"]
    head += ["over BC", "LMRL-Gym (GPT-2)"] if paper else ["over BC"]
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for method, told in result["methods"].items():
        cells = [LABELS[method]]
        for one in told.values():
            cells += [_interval(one["return"], one["half_width"]), f"{one['success']:.0%}"]
        gain = result["gains"].get(method)
        cells += [_interval(gain["mean"], gain["half_width"]) if gain else "", *_cited(paper, method)]
        lines.append("| " + " | ".join(cells) + " |")
    for policy, told in result["policies"].items():
        cells = [f"policy `{policy}`"]
        for label in labels:
            cells += [f"{told[label]:.2f}", ""]
        lines.append("| " + " | ".join([*cells, "", *_cited(paper, policy)]) + " |")
    seeds = len(result["seeds"])
    counts = " and ".join(str(one["episodes"] // seeds) for one in result["methods"]["bc"].values())
    note = f"{result['game']}, {seeds} seed{'s' * (seeds > 1)}, each of {counts} episodes sampled at temperature 1"
    return "\n".join([*lines, "", f"{note}; 95% intervals over seeds."]) + "\n"


def _cited(paper: Mapping[str, float], row: str) -> list[str]:
    """The paper's cell of a row; none where it has no such task."""
    return [str(paper.get(row, ""))] if paper else []


def _interval(mean: float, half: float | None) -> str:
    return f"{mean:.2f}" + (f" ± {half:.2f}" if half is not None else "")


def main() -> int:
    """Runs it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="(default: 0 1 2)")
    others = list(LABELS)[1:]
    parser.add_argument("--methods", nargs="+", choices=others, help="beside bc (default: all with a laptop recipe)")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="for the results")
    parser.add_argument("--work", type=Path, metavar="DIR", help="models and data (default: out/lmrl)")
    args = parser.parse_args()
    task, work = TASKS[args.task], args.work or Path("out/lmrl")
    chosen = args.methods or task.methods
    found, seeds = [], list(dict.fromkeys(args.seeds))
    made_with = provenance()  # before results are written: they would make the commit a dirty one
    try:
        args.output.mkdir(parents=True, exist_ok=True)
        for seed in seeds:
            found.append(one_seed(args.task, task, work / args.task / f"seed-{seed}", seed, chosen))
            methods = {method: summary(task, found, method) for method in ("bc", *chosen)}
            result = {
                "game": task.game,
                "experiment": task.experiment,
                "seeds": seeds[: len(found)],
                "methods": methods,
                "gains": {method: gain(methods[method], methods["bc"]) for method in chosen},
                "policies": policies(task),
                "paper": dict(task.paper),
                "made_with": made_with,
            }
            path = args.output / f"{task.game}.json"
            path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
            path.with_suffix(".md").write_text(table(result), encoding="utf-8")
    except (UserError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(table(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
