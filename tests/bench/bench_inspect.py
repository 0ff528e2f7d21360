"""What the Inspect adapter costs beside a bare Inspect loop that makes the same generate calls.

    python tests/bench/bench_inspect.py [--episodes 200] [--rounds 5] [--json FILE]

Both run the same 6-turn taboo episodes with an instant model: `ours` as the task playpen/taboo, `bare` as a solver
that knows the messages beforehand and only calls generate. CPU seconds of the process, in turns, medians.
Bar: ours / bare at most 1.10.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from inspect_ai import Task, eval
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ChatMessage, GenerateConfig, Model, ModelAPI, ModelOutput, ModelUsage, get_model, modelapi
from inspect_ai.scorer import Score, Scorer, Target, mean, scorer
from inspect_ai.solver import Generate, Solver, TaskState, solver

import playpen_eval.inspect as adapter
from playpen_eval import Episode, load_game
from playpen_eval.inspect.solver import chat
from playpen_eval.instances import generate as generate_instances

BAR = 1.10


@modelapi(name="playpen-bench")
def instant() -> type[ModelAPI]:
    """A model that always misses: no clue helps, no guess is right."""

    class Instant(ModelAPI):
        async def generate(self, input: list[ChatMessage], tools: Any, tool_choice: Any, config: Any) -> ModelOutput:
            reply = "CLUE: 1 2 3" if "CLUE: followed" in input[0].text else "GUESS: nothing"
            output = ModelOutput.from_content(self.model_name, reply)
            output.usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)
            return output

    return Instant


@scorer(metrics=[mean()])
def one() -> Scorer:
    """A scorer that does nothing."""

    async def score(state: TaskState, target: Target) -> Score:
        return Score(value=1.0)

    return score


@solver
def bare(chats: dict[str, list[list[ChatMessage]]]) -> Solver:
    """Calls generate with messages that are known beforehand."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        model = get_model()
        for messages in chats[str(state.sample_id)]:
            state.output = await model.generate(messages)
        return state

    return solve


def messages_of(instance: dict) -> list[list[ChatMessage]]:
    """The chats of all turns of a 6-turn episode."""
    episode, found = Episode(load_game("taboo"), instance), []
    while episode.outcome is None:
        seen = episode.observe()
        found.append(chat(seen.messages))
        episode.act("CLUE: 1 2 3" if seen.role == "describer" else "GUESS: nothing")
    return found


def main() -> None:
    """Runs both in turns and prints the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--episodes", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    game = load_game("taboo")
    instances = [i for i, _ in zip(generate_instances(game, "train", "high", "bench"), range(args.episodes))]
    chats = {i["id"]: messages_of(i) for i in instances}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bench.jsonl"
        path.write_text("".join(json.dumps(i) + "\n" for i in instances))
        model = get_model("playpen-bench/instant")
        config = GenerateConfig(max_tokens=300, temperature=0.0)
        samples = [Sample(id=i["id"], input=chats[i["id"]][0], metadata={"experiment": "high"}) for i in instances]
        bare_task = Task(dataset=MemoryDataset(samples), solver=bare(chats), scorer=one(), config=config)
        cases = {
            "bare": lambda: timed(bare_task, model, folder),
            "ours": lambda: timed(adapter.game_task("taboo", instances=str(path)), model, folder),
        }
        seconds: dict[str, list[float]] = {name: [] for name in cases}
        for round_ in range(args.rounds + 1):
            for name, case in cases.items():
                spent = case()
                if round_:  # the first is a warm-up
                    seconds[name].append(spent)
    ratio = statistics.median(a / b for a, b in zip(seconds["ours"], seconds["bare"], strict=True))
    per_episode = {name: 1000 * statistics.median(values) / args.episodes for name, values in seconds.items()}
    for name, value in per_episode.items():
        print(f"{name}: {value:.2f} ms CPU per episode of 6 turns")
    print(f"ours / bare: {ratio:.3f} (bar {BAR:.2f}{'' if ratio <= BAR else ', MISSED'})")
    if args.json:
        args.json.write_text(json.dumps({"ms_per_episode": per_episode, "ratio": ratio, "bar": BAR}) + "\n")


def timed(task: Task, model: Model, folder: str) -> float:
    """CPU seconds of one evaluation."""
    start = time.process_time()
    [log] = eval(task, model=model, display="none", log_dir=folder, log_realtime=False)
    if log.status != "success":
        raise SystemExit(f"the evaluation failed: {log.error}")
    return time.process_time() - start


if __name__ == "__main__":
    main()
