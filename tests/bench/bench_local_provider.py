"""How fast `playpen-local` is beside Inspect's `hf/`, with the same tiny checkpoint and the same talk.

    python tests/bench/bench_local_provider.py [--episodes 8 64] [--rounds 3] [--json FILE]

An episode is six turns of eight tokens, greedy; the weights are random, and nothing is judged. Wall and CPU seconds of
a whole evaluation, both providers in turns, medians. Most of the difference is waiting: `hf/` looks for its result once
a second, and starts a batch that is not full after two seconds. On a busy machine, where others use that time, the
ratio of wall seconds tells less. Bar, with few episodes: playpen-local at least twice as fast.
"""

# pyright: reportMissingImports=false

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

from inspect_ai import Task, eval
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ChatMessageUser, GenerateConfig, Model, get_model
from inspect_ai.solver import Generate, Solver, TaskState, solver
from playpen_eval.train.nano import make_nano

import playpen_eval.inspect  # noqa: F401 - registers the provider

BAR = 2.0
TURNS, TOKENS = 6, 8


@solver
def talk() -> Solver:
    """Says the same thing again after every reply."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        for _ in range(TURNS):
            state.output = await get_model().generate(state.messages)
            state.messages += [state.output.message, ChatMessageUser(content="CLUE: red")]
        return state

    return solve


def timed(model: Model, episodes: int, folder: str) -> tuple[float, float]:
    """Wall and CPU seconds of one evaluation."""
    samples = [Sample(id=n, input=f"Find one of: {'red hat, ' * (n % 7 + 1)}blue cup.") for n in range(episodes)]
    task = Task(dataset=MemoryDataset(samples), solver=talk(), config=GenerateConfig(max_tokens=TOKENS))
    wall, cpu = time.perf_counter(), time.process_time()
    [log] = eval(task, model=model, display="none", log_dir=folder, log_realtime=False)
    if log.status != "success":
        raise SystemExit(f"{model} failed: {log.error}")
    return time.perf_counter() - wall, time.process_time() - cpu


def main() -> None:
    """Runs both in turns and prints the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--episodes", type=int, nargs="+", default=[8, 64])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model"
        make_nano(path)
        models = {
            "playpen-local": get_model(f"playpen-local/{path}", device="cpu"),
            "hf": get_model(f"hf/{path}", device="cpu", do_sample=False),
        }
        for model in models.values():  # a warm-up
            timed(model, 2, folder)
        for episodes in args.episodes:
            found: dict[str, list[tuple[float, float]]] = {name: [] for name in models}
            for _ in range(args.rounds):
                for name, model in models.items():
                    found[name].append(timed(model, episodes, folder))
            for name, pairs in found.items():
                wall, cpu = (statistics.median(column) for column in zip(*pairs, strict=True))
                rows.append({"episodes": episodes, "provider": name, "wall": wall, "cpu": cpu})
                print(f"{episodes} episodes, {name}: {wall:.1f} s wall, {cpu:.1f} s CPU", flush=True)
            ratio = statistics.median(b[0] / a[0] for a, b in zip(*found.values(), strict=True))
            rows[-1]["ratio"] = ratio
            missed = ", MISSED" if episodes == min(args.episodes) and ratio < BAR else ""
            print(
                f"{episodes} episodes, hf / playpen-local: {ratio:.1f} (bar with the fewest {BAR:.1f}{missed})",
                flush=True,
            )
    if args.json:
        args.json.write_text(json.dumps({"rows": rows, "bar": BAR}) + "\n")


if __name__ == "__main__":
    main()
