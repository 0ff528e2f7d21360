"""`make demo`: some games through Inspect, then the laptop loop: a small model before and after training.

Nothing is downloaded. The model is made on the spot; what it learns is shown on instances it has not seen, on a game it
has not seen, and on skills that only the first of both trainings trains.
"""
# pyright: reportMissingImports=false

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

from playpen_eval.errors import UserError

GAMES = ("taboo", "referencegame", "privateshared", "wordle", "codenames", "adventuregame")


def play_some(logs: Path, limit: int) -> None:
    """A few episodes in Inspect, with scripted players."""
    from inspect_ai import eval
    from inspect_ai.log import EvalLog

    from playpen_eval.grid import show
    from playpen_eval.inspect import game_scores
    from playpen_eval.report import games_grid

    tasks = [f"playpen/{name}" for name in GAMES]
    print(f"inspect eval {' '.join(tasks)} --model playpen-scripted/best --limit {limit}", file=sys.stderr)
    found: list[EvalLog] = eval(
        tasks,
        model="playpen-scripted/best",
        limit=limit,
        display="none",
        log_dir=str(logs),
        max_tasks=len(tasks),
    )
    if failed := [log for log in found if log.status != "success"]:
        raise UserError(f"{failed[0].eval.task} failed: {failed[0].error}")
    scores = {str(log.eval.metadata["game"]): game_scores(log) for log in found if log.eval.metadata}
    show(games_grid(scores, "Scripted players in Inspect"))


def hand_over(model: Path, output: Path, limit: int) -> None:
    """The trained checkpoint in lm-evaluation-harness, as it is."""
    words = [
        "lm-eval",
        "--model",
        "hf",
        "--model_args",
        f"pretrained={model}",
        "--device",
        "cpu",
        "--apply_chat_template",
    ]
    words += ["--tasks", "playpen_practice_clues_guesser", "--limit", str(limit), "--gen_kwargs", "max_gen_toks=16"]
    words += ["--batch_size", "64", "--output_path", str(output), "--log_samples"]
    print(f"\nplaypen-eval {shlex.join(words)}", file=sys.stderr)
    done = subprocess.run([sys.executable, "-m", "playpen_eval", *words], stderr=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise UserError(f"lm-eval failed with exit status {done.returncode}; run the command above to see why")


def main() -> int:
    """Runs all of it; a demo that was interrupted goes on when it is started again."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("out/demo"), help="folder (default: %(default)s)")
    parser.add_argument("--config", default="laptop", help="of the loop (default: %(default)s)")
    parser.add_argument("--seed", type=int, help="of the loop (default: the config's)")
    parser.add_argument("--limit", type=int, default=2, help="scripted episodes of each game (default: %(default)s)")
    args = parser.parse_args()
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # more threads than one slow so small a model down
    begin = time.monotonic()
    try:
        from playpen_eval.train.loop import run_loop
        from playpen_eval.train.plan import load_plan

        plan = load_plan(args.config, args.output / "loop", args.seed)
        play_some(args.output / "logs", args.limit)
        run_loop(plan, args.output / "loop")
        [*_, last] = [stage.steps[0].made for stage in plan if stage.kind == "train"]
        hand_over(last, args.output / "lm-eval", 100)
    except UserError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("demo: interrupted; started again it goes on", file=sys.stderr)
        return 130
    print(f"\nPages and plots of axes before and after: {args.output / 'loop'} (.html, .png, .svg)")
    print(f"Every scripted episode: inspect view --log-dir {args.output / 'logs'}")
    print(f"{time.monotonic() - begin:.0f} s in all")
    return 0


if __name__ == "__main__":
    sys.exit(main())
