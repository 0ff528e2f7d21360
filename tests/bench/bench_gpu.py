"""What training costs on a GPU: tokens a second, seconds of a step by part, memory. Every stage is a command of ours.

small: a model of 21 million weights from scratch learns the practice games: SFT, evaluation, GRPO, evaluation.
billion: random weights in the shape of Llama-3.2-1B with LoRA: some steps of SFT and GRPO as in the paper's recipes.
lmrl: random weights in the shape of gpt2-small: some steps of BC, MC returns, ILQL and PPO by LMRL-Gym's recipes.

python tests/bench/bench_gpu.py small billion lmrl -o results/hardware/NAME.json [--scale 1]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

GAMES = ["practice_slots", "practice_clues"]
TALKS = ["taboo", "imagegame"]
"""Games of the paper, for dialogues of usual length."""
PARTS = ("seconds/generate", "seconds/game", "seconds/partner", "seconds/template", "seconds/play", "seconds/update")


def command(*words: object) -> float:
    """Runs one of our commands; returns its seconds."""
    start = time.perf_counter()
    print("playpen-eval", *words, flush=True)
    subprocess.run([sys.executable, "-m", "playpen_eval", *map(str, words)], check=True)
    return time.perf_counter() - start


def figures(folder: Path) -> dict[str, Any]:
    """What a training run's log and record tell."""
    record = json.loads((folder / "training.json").read_text(encoding="utf-8"))
    log = [json.loads(line) for line in (folder / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    seconds = next(entry["train_runtime"] for entry in reversed(log) if "train_runtime" in entry)
    tokens = max((entry.get("num_tokens", 0) for entry in log), default=0)
    # The first line holds what happens once only, such as compiling and reserving memory.
    parts = {
        name.partition("/")[2]: round(statistics.mean(found), 3)
        for name in PARTS
        if (found := [entry[name] for entry in (log[1:] if len(log) > 2 else log) if name in entry])
    }
    return {
        "steps": record["steps"],
        "seconds": round(seconds, 1),
        "seconds_per_step": round(seconds / record["steps"], 3),
        "parts": parts,
        "tokens": tokens or None,
        "tokens_per_second": round(tokens / seconds) or None,
        "peak_memory_gib": record["peak_memory"] and round(record["peak_memory"] / 2**30, 2),
        "rows": record.get("examples", {}).get("used"),
        "losses": [entry["loss"] for entry in log if "loss" in entry][:: max(1, len(log) // 5)],
    }


def played(folder: Path) -> dict[str, Any]:
    """Scores of an evaluation."""
    path = folder / "report.json"
    command("report", folder, "--json", path)
    games = json.loads(path.read_text(encoding="utf-8"))["entries"][0]["games"]
    return {name: game["clemscore"] for name, game in games.items()}


def small(out: Path, scale: float) -> dict[str, Any]:
    """A model from scratch, trained twice and evaluated three times."""
    steps, n = max(2, round(800 * scale)), max(20, round(4000 * scale))
    found: dict[str, Any] = {}
    command("nano", out / "nano", "--size", "gpu" if scale == 1 else "small")
    for seed in ("for-sft", "for-grpo"):
        command("generate", *GAMES, "--split", "train", "--seed", seed, "-n", n, "-o", out / seed)
    scripted = ("--instances", out / "for-sft", "--seats", "learner", "-o", out / "sft.jsonl")
    command("data", "make", "--play", *GAMES, *scripted)
    evaluate = (*GAMES, "practice_news", "--partner", "scripted", "--max-tokens", 16)
    shared = ("--set", "precision=bfloat16", "--set", "threads=null", "--set", "log_every=5")

    def trained(method: str, model: Path, *more: object) -> None:
        command("train", method, "--recipe", f"laptop-{method}", "--model", model, "-o", out / method, *shared, *more)
        seconds = command("run", *evaluate, "--model", f"local:{out / method}", "-o", out / f"played-{method}")
        found[method] = figures(out / method) | {"scores": played(out / f"played-{method}"), "run_seconds": seconds}

    sft = ("learning_rate=1e-3", f"max_steps={steps}", "batch_size=128", "save_every=1000")
    trained("sft", out / "nano", "--data", out / "sft.jsonl", *(word for one in sft for word in ("--set", one)))
    grpo = ("learning_rate=1e-4", f"max_steps={max(2, round(60 * scale))}", "batch_size=256", "generate_batch=256")
    grpo += (f"games=[{','.join(GAMES)}]", "max_new_tokens=16", f"instances={out / 'for-grpo'}", "save_every=1000")
    trained("grpo", out / "sft", *(word for one in grpo for word in ("--set", one)))
    return found


def billion(out: Path, scale: float) -> dict[str, Any]:
    """Steps of the paper's recipes."""
    command("nano", out / "words", "--games", *TALKS)
    make_billion(out / "words", out / "billion", scale)
    command("data", "make", "--play", *TALKS, "--seats", "learner", "-o", out / "talks.jsonl")
    steps = max(2, round(4 * scale))
    shared = ["log_every=1", f"max_steps={steps}", "save_every=1000", "adapter=lora"]
    sft = [*shared, "optimizer=adamw_torch", "max_length=4096", "batch_size=16", "warmup=1"]
    grpo = [*shared, "partner=scripted", f"games=[{','.join(TALKS)}]", "patience=1000", "roles={}"]
    if scale < 1:
        sft += ["batch_size=2"]
        grpo += ["accumulate=2", "max_new_tokens=5"]
    found: dict[str, Any] = {}
    for method, settings, more in (("sft", sft, ("--data", out / "talks.jsonl")), ("grpo", grpo, ())):
        folder = out / f"billion-{method}"
        sets = [word for one in settings for word in ("--set", one)]
        command("train", method, "--recipe", f"paper-{method}", "--model", out / "billion", "-o", folder, *sets, *more)
        found[method] = figures(folder)
    return found


def make_billion(words: Path, folder: Path, scale: float) -> None:
    """Random weights in the shape of Llama-3.2-1B, its vocabulary included, with the tokenizer of a small model."""
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    layers, width = (16, 2048) if scale == 1 else (2, 128)
    config = LlamaConfig(
        vocab_size=128256 if scale == 1 else 1024,
        hidden_size=width,
        intermediate_size=4 * width,
        num_hidden_layers=layers,
        num_attention_heads=width // 64,
        num_key_value_heads=max(1, width // 256),
        max_position_embeddings=8192,
        tie_word_embeddings=True,
    )
    torch.manual_seed(0)
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        model = LlamaForCausalLM(config)
    model.bfloat16().save_pretrained(folder)
    AutoTokenizer.from_pretrained(words).save_pretrained(folder)


def lmrl(out: Path, scale: float) -> dict[str, Any]:
    """Steps of the recipes for gpt2-small on the maze."""
    command("nano", out / "words", "--games", "maze_fo")
    make_gpt2(out / "words", out / "gpt2", scale)
    data = out / "mix.jsonl"
    command(
        "data", "maze_fo", "--policy", "mix", "--experiment", "double_t", "-n", 1000 if scale == 1 else 30, "-o", data
    )
    steps = [f"max_steps={max(2, round(40 * scale))}", "log_every=5", "save_every=1000", "precision=auto"]
    few = ["rounds=1", "log_every=1", "save_every=1000", "episodes=64" if scale == 1 else "episodes=4"]
    small = ["batch_size=4"] if scale < 1 else []
    # PPO needs episodes that end differently, so the clone has to know the moves.
    bc = [
        *steps,
        f"max_steps={max(2, round(160 * scale))}",
        "adapter=none",
        "batch_size=128" if scale == 1 else "batch_size=4",
        "max_length=1024",
    ]
    runs = [("sft", None, bc), ("mc", "lmrl-maze-mc", [*steps, *small]), ("ilql", "lmrl-maze-ilql", [*steps, *small])]
    runs.append(("ppo", "lmrl-maze-ppo", [*few, *small]))
    found: dict[str, Any] = {}
    for method, recipe, settings in runs:
        given = ["--recipe", recipe] if recipe else []
        given += ["--data", data] if method != "ppo" else []
        sets = [word for one in settings for word in ("--set", one)]
        command(
            "train", method, "--model", out / ("gpt2" if method == "sft" else "sft"), *given, "-o", out / method, *sets
        )
        found[method] = figures(out / method)
    return found


def make_gpt2(words: Path, folder: Path, scale: float) -> None:
    """Random weights in the shape of gpt2-small, its vocabulary included, with the tokenizer of a small model."""
    from transformers import AutoTokenizer, GPT2Config, GPT2LMHeadModel

    shape: dict[str, Any] = {} if scale == 1 else {"n_embd": 64, "n_layer": 2, "n_head": 2, "vocab_size": 1024}
    config = GPT2Config(bos_token_id=None, eos_token_id=1, **shape)
    GPT2LMHeadModel(config).save_pretrained(folder)
    AutoTokenizer.from_pretrained(words).save_pretrained(folder)


STAGES = {"small": small, "billion": billion, "lmrl": lmrl}


def main() -> int:
    """Runs the stages; what has been measured is written after each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stages", nargs="+", choices=STAGES)
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help=".json")
    parser.add_argument("--scale", type=float, default=1.0, help="below 1 for a trial without a GPU")
    args = parser.parse_args()
    import torch

    from playpen_eval.provenance import provenance

    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    found: dict[str, Any] = {"device": device, "scale": args.scale, "made_with": provenance()}
    with tempfile.TemporaryDirectory() as folder:
        for stage in args.stages:
            out = Path(folder, stage)
            out.mkdir()
            found[stage] = STAGES[stage](out, args.scale)
            args.output.parent.mkdir(parents=True, exist_ok=True)
            args.output.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
