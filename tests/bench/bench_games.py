"""CPU time per step of our engine and games against TextArena and clemcore, side by side in one run.

    python tests/bench/bench_games.py [--clembench DIR] [--clembench-data DIR] [--venvs DIR] [--json FILE]

README.md says what is played, what is timed and what is not. A missed bar is marked; the exit status is 0 all the same.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import statistics
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from peer_process import Peer, Sample, make_venv
from peers import timed
from plays import (
    ALLOWED_LIST,
    CLEMBENCH_VERSION,
    CLUES,
    GUESSES,
    PLAYS,
    Play,
    Still,
    Unavailable,
    identity,
    steps_of,
    taboo_plays,
    wordle_plays,
)

try:
    from playpen_eval.episode import Episode
    from playpen_eval.errors import UserError
    from playpen_eval.game import Game
    from playpen_eval.registry import load_game
except ModuleNotFoundError as missing:
    raise SystemExit(f"{missing}; install the project first: python -m pip install -e .") from None

MEMORY_BAR, TRANSCRIPT_BAR = 10.0, 25.0  # microseconds of CPU a step


@dataclass
class Case:
    """Something that is measured.

    Attributes:
        name: As the table shows it.
        measure: Plays that many episodes.
        bar: At most so many microseconds a step, or None.
        samples: One per repetition.
    """

    name: str
    measure: Callable[[int], Sample]
    bar: float | None = None
    samples: list[Sample] = field(default_factory=list)

    @property
    def us_per_step(self) -> float:
        return statistics.median(sample.us_per_step for sample in self.samples)


class Ratio(NamedTuple):
    """A case of ours, the peer's case beside it, and how many times less CPU ours has to take."""

    ours: str
    peer: str
    bar: float


# How ours is measured


def in_memory(game: Game, plays: Sequence[Play], *, forget_stems: bool = False) -> Callable[[int], Sample]:
    """Measures episodes that are played and forgotten.

    Args:
        game: The game.
        plays: What is played.
        forget_stems: Whether every episode finds the cache of stems empty.
    """

    def measure(episodes: int) -> Sample:
        chosen = list(itertools.islice(itertools.cycle(plays), episodes))

        def job() -> int:
            steps = 0
            for instance, replies in chosen:
                if forget_stems:
                    CLUES.stem.cache_clear()
                episode = Episode(game, instance)
                for reply in replies:
                    episode.observe()
                    episode.act(reply)
                if episode.outcome is None:
                    raise RuntimeError(f"the episode {instance['id']!r} goes on after its last reply")
                steps += len(replies)
            return steps

        sample = Sample(episodes, *timed(job))
        if forget_stems:
            for play in plays:  # the cases after this one find the cache as it was
                steps_of(game, play)
        return sample

    return measure


def with_transcript(game: Game, plays: Sequence[Play]) -> Callable[[int], Sample]:
    """Measures episodes that are each written as one line of JSON, flushed."""

    def measure(episodes: int) -> Sample:
        chosen = list(itertools.islice(itertools.cycle(plays), episodes))
        with tempfile.TemporaryDirectory() as folder, (Path(folder) / "episodes.jsonl").open("w") as out:

            def job() -> int:
                steps = 0
                for instance, replies in chosen:
                    episode = Episode(game, instance)
                    for reply in replies:
                        episode.observe()
                        episode.act(reply)
                    out.write(json.dumps(episode.to_json()) + "\n")
                    out.flush()
                    steps += len(replies)
                return steps

            return Sample(episodes, *timed(job))

    return measure


# The run


def alternate(cases: Sequence[Case], repeats: int, seconds: float) -> None:
    """Measures all cases in turn, `repeats` times, each for about `seconds` of CPU time.

    The order is turned round every time, so that a machine that grows slower or faster favours nobody.
    """
    sizes = {}
    for case in cases:
        case.measure(100)
        sample = case.measure(200)
        sizes[case.name] = max(20, round(sample.episodes * seconds / sample.cpu_s))
    for repeat in range(repeats):
        for case in cases if repeat % 2 == 0 else list(reversed(cases)):
            case.samples.append(case.measure(sizes[case.name]))


def paired_ratio(ours: Case, peer: Case) -> float:
    """The median over the repetitions of the peer's CPU time a step divided by ours in the same repetition."""
    pairs = zip(ours.samples, peer.samples, strict=True)
    return statistics.median(theirs.us_per_step / mine.us_per_step for mine, theirs in pairs)


def verdict(met: bool) -> str:
    return "met" if met else "MISSED"


def report(cases: dict[str, Case], ratios: Sequence[Ratio]) -> dict[str, Any]:
    """Prints the tables and returns their content as JSON data."""
    rows, compared = [], []
    print(f"\n{'case':<58} {'us/step':>8} {'min':>7} {'max':>7} {'steps/CPU-s':>12} {'bar':>6}")
    for case in cases.values():
        single = [sample.us_per_step for sample in case.samples]
        met = None if case.bar is None else case.us_per_step <= case.bar
        row = {
            "case": case.name,
            "us_per_step": round(case.us_per_step, 3),
            "us_per_step_min": round(min(single), 3),
            "us_per_step_max": round(max(single), 3),
            "steps_per_cpu_s": round(1e6 / case.us_per_step),
            "episodes": sum(sample.episodes for sample in case.samples),
            "bar_us_per_step": case.bar,
            "met": met,
        }
        rows.append(row)
        bar = "" if met is None else f"{f'<= {case.bar:g}':>6} {verdict(met)}"
        print(
            f"{case.name:<58} {case.us_per_step:8.2f} {min(single):7.2f} {max(single):7.2f} "
            f"{row['steps_per_cpu_s']:12,} {bar}"
        )
    if ratios:
        print(f"\n{'ours : peer':<82} {'ours':>7} {'peer':>8} {'ratio':>7} {'bar':>6}")
    for ratio in ratios:
        ours, peer = cases[ratio.ours], cases[ratio.peer]
        value = paired_ratio(ours, peer)
        met = value >= ratio.bar
        compared.append({**ratio._asdict(), "ratio": round(value, 2), "met": met})
        print(
            f"{ratio.ours + ' : ' + ratio.peer:<82} {ours.us_per_step:7.2f} {peer.us_per_step:8.2f} {value:6.1f}x "
            f"{f'>= {ratio.bar:g}x':>6} {verdict(met)}"
        )
    return {"cases": rows, "ratios": compared}


def clembench_experiment(folder: Path) -> dict[str, Any]:
    """The first taboo experiment of a clembench folder, without its instances."""
    file = folder / "taboo" / "in" / f"instances_v{CLEMBENCH_VERSION}.json"
    try:
        experiment = json.loads(file.read_text(encoding="utf-8"))["experiments"][0]
    except (OSError, ValueError, LookupError) as error:
        raise Unavailable(f"{file} is no instance file of clembench's taboo: {error!r}") from None
    return {name: value for name, value in experiment.items() if name != "game_instances"}


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--venvs",
        type=Path,
        metavar="DIR",
        default=Path(tempfile.gettempdir()) / "playpen-eval-bench-venvs",
        help="where the peers' virtual environments are, or will be made (default: %(default)s)",
    )
    parser.add_argument(
        "--clembench", type=Path, metavar="DIR", help="clembench checkout with its code: measures clemcore's taboo, too"
    )
    parser.add_argument(
        "--clembench-data",
        type=Path,
        metavar="DIR",
        help="folder in clembench's layout: measures our games in clembench mode, too (default: that of --clembench)",
    )
    parser.add_argument("--no-peers", action="store_true", help="measure only our own side")
    parser.add_argument("--repeats", type=int, default=9, metavar="N", help="repetitions of every case (default: 9)")
    parser.add_argument(
        "--seconds", type=float, default=0.5, metavar="S", help="CPU time of one repetition (default: %(default)s)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the result there as well")
    arguments = parser.parse_args()
    if arguments.repeats < 1:
        parser.error(f"--repeats is {arguments.repeats}; give 1 or more")
    if arguments.seconds <= 0:
        parser.error(f"--seconds is {arguments.seconds}; give more than 0")
    if arguments.clembench and not (arguments.clembench / "taboo" / "master.py").is_file():
        parser.error(
            f"--clembench {str(arguments.clembench)!r} has no taboo/master.py; name a full checkout of clembench, "
            "or use --clembench-data for a folder that holds its data only"
        )
    if arguments.clembench_data and not (arguments.clembench_data / "wordle" / "in").is_dir():
        parser.error(
            f"--clembench-data {str(arguments.clembench_data)!r} has no wordle/in; name clembench's top folder"
        )
    if arguments.json and not arguments.json.absolute().parent.is_dir():
        parser.error(f"the folder of --json {str(arguments.json)!r} does not exist; make it first")
    return arguments


def our_cases(taboo: Game, wordle: Game, own: list[Play], upstream: list[Play], data: Path | None) -> list[Case]:
    """Our side.

    Args:
        taboo: The game.
        wordle: The game.
        own: Taboo episodes in our own mode.
        upstream: Taboo episodes in clembench mode; may be empty.
        data: A clembench folder with wordle's instances, or None.
    """

    def both(name: str, game: Game, plays: list[Play]) -> list[Case]:
        return [
            Case(f"{name}, memory", in_memory(game, plays), MEMORY_BAR),
            Case(f"{name}, transcript", with_transcript(game, plays), TRANSCRIPT_BAR),
        ]

    still = Still()
    stills = [Play(identity(still, "default", index), ["a reply"] * 6) for index in range(PLAYS)]
    cases = [Case("the engine alone, memory", in_memory(still, stills))]
    cases += both("wordle", wordle, wordle_plays(wordle, None))
    cases += both("taboo", taboo, own)
    cases.append(Case("taboo, memory, no stem remembered", in_memory(taboo, own, forget_stems=True)))
    if upstream:
        cases += both("taboo (clembench mode)", taboo, upstream)
    if data:
        cases += both("wordle (clembench mode)", wordle, wordle_plays(wordle, data))
    return cases


def start_textarena(venvs: Path) -> Peer:
    """TextArena, ready to play."""
    setup = {
        "actions": [f"[{guess}]" for guess in GUESSES],
        "words": ALLOWED_LIST,
        "targets": [word for word in ALLOWED_LIST if word not in GUESSES],
    }
    return Peer(make_venv(venvs, "textarena"), "textarena", setup)


def start_clemcore(venvs: Path, checkout: Path, experiment: dict[str, Any] | None, plays: Sequence[Play]) -> Peer:
    """Clemcore, ready to play the same words and replies as we do."""
    setup = {
        "checkout": str(checkout.absolute()),
        "experiment": experiment,
        "stop_words": sorted(CLUES.STOP_WORDS),
        "plays": [
            {"target": instance["target"], "related": instance["related"], "replies": replies}
            for instance, replies in plays
        ],
    }
    return Peer(make_venv(venvs, "clemcore"), "clemcore", setup)


def main() -> None:
    """Measures, prints the tables and writes the JSON file."""
    arguments = parse_arguments()
    taboo, wordle = load_game("taboo"), load_game("wordle")
    data: Path | None = arguments.clembench_data
    if data is None and arguments.clembench and (arguments.clembench / "wordle" / "in").is_dir():
        data = arguments.clembench
    folder = arguments.clembench or data
    ratios: list[Ratio] = []
    not_measured: list[str] = []
    running: list[Peer] = []
    try:
        experiment = clembench_experiment(folder) if folder else None
        own, upstream = taboo_plays(taboo, experiment)
        cases = our_cases(taboo, wordle, own, upstream, data)
        if not arguments.no_peers:
            try:
                running.append(start_textarena(arguments.venvs))
                name = "TextArena 0.7.4 Wordle-v0, reused"
                cases.append(Case(name, running[-1].measuring("memory")))
                ratios.append(Ratio("wordle, memory", name, 2))
                if data:
                    ratios.append(Ratio("wordle (clembench mode), memory", name, 2))
            except Unavailable as why:
                not_measured.append(str(why))
        if not arguments.no_peers and arguments.clembench:
            try:
                running.append(start_clemcore(arguments.venvs, arguments.clembench, experiment, own))
                name = "clemcore 3.7.2 taboo"
                for mode in ("memory", "files"):
                    cases.append(Case(f"{name}, {mode}", running[-1].measuring(mode)))
                for ours in ("taboo", "taboo (clembench mode)"):
                    ratios.append(Ratio(f"{ours}, memory", f"{name}, memory", 10))
                    ratios.append(Ratio(f"{ours}, transcript", f"{name}, files", 50))
            except Unavailable as why:
                not_measured.append(str(why))
        elif not arguments.no_peers:
            not_measured.append("clemcore: name a checkout of clembench with its code by --clembench DIR")
        alternate(cases, arguments.repeats, arguments.seconds)
    except (UserError, Unavailable) as error:
        raise SystemExit(f"error: {error}") from None
    finally:
        for peer in running:
            peer.close()
    result = {
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "repeats": arguments.repeats,
        "seconds": arguments.seconds,
        **report({case.name: case for case in cases}, ratios),
        "not_measured": not_measured,
    }
    for line in not_measured:
        print(f"not measured: {line}")
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
