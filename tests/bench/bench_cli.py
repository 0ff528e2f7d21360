"""CPU seconds that the command line takes to answer, beside the harnesses' own.

    python tests/bench/bench_cli.py [--runs 10] [--json FILE]

Bar: `playpen-eval --help` at most 0.3 CPU-s.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
from pathlib import Path

BAR = 0.3
BIN = Path(sys.executable).parent
COMMANDS = {
    "playpen-eval --help": [str(BIN / "playpen-eval"), "--help"],
    "playpen-eval list": [str(BIN / "playpen-eval"), "list"],
    "lm_eval --help": [str(BIN / "lm_eval"), "--help"],
    "inspect --version": [str(BIN / "inspect"), "--version"],
}


def cpu_seconds(command: list[str]) -> float:
    """User and system time of one call."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Runs all commands in turns and prints their medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    commands = {name: command for name, command in COMMANDS.items() if Path(command[0]).exists()}
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for run in range(args.runs + 1):
        for name, command in commands.items():
            spent = cpu_seconds(command)
            if run:  # the first call warms the file cache
                seconds[name].append(spent)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    ours = medians["playpen-eval --help"]
    for name, value in medians.items():
        print(f"{name:22} {value:.3f} CPU-s  {value / ours:5.1f}x")
    print(f"bar {BAR} CPU-s: {'met' if ours <= BAR else 'MISSED'}")
    if args.json:
        args.json.write_text(json.dumps({"cpu_s": medians, "bar": BAR}) + "\n")


if __name__ == "__main__":
    main()
