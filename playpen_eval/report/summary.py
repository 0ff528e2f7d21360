"""From the records of a run to its figures: games, axes, retained skills."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from playpen_eval.errors import UserError
from playpen_eval.registry import AXES, axis_games, scan
from playpen_eval.runs import EpisodeRecord, ItemRecord, Run
from playpen_eval.scoring import GameScore, clemscore, standard_error, summarise
from playpen_eval.skills.aggregate import Skills, TaskResult, skills
from playpen_eval.skills.catalogue import benchmark_of_task, benchmarks
from playpen_eval.statistics import Interval, Statistic, macro_clemscore, macro_mean, run_estimate

OVERALL = "overall"
"""All games of a run except reference benchmarks and LMRL-Gym's: of Playpen's, all fourteen."""

SEEN = "train"
"""Episodes of this split are of instances that may have been trained on: shown, but part of no axis."""


class Setup(NamedTuple):
    """What must be the same for episodes to be one row of a table.

    Attributes:
        game: The game's name.
        split: Split of the instances, or `clembench-2.0`.
        partner: Who took the other roles.
        roles: The learner's roles beside a partner; None if it played all of them.
    """

    game: str
    split: str
    partner: str | None
    roles: tuple[str, ...] | None

    @classmethod
    def of(cls, episode: EpisodeRecord) -> Setup:
        """The setup of one episode."""
        return cls(episode.game, episode.split, episode.partner, episode.roles)


class Figure(NamedTuple):
    """A figure with its 95% interval; each None if it is not defined."""

    value: float | None
    interval: Interval | None


@dataclass(frozen=True)
class GameSummary:
    """One game.

    Attributes:
        setup: What was played, and with whom.
        score: Its figures.
        turns: Mean number of replies in an episode; None if the log does not tell.
        experiments: Experiment -> its figures, without intervals.
    """

    setup: Setup
    score: GameScore
    turns: float | None
    experiments: Mapping[str, GameScore]


@dataclass(frozen=True)
class AxisSummary:
    """The figures over several games, each counting the same.

    Attributes:
        games: Names of the games that were played.
        missing: Games of the axis that were not.
        score: Mean over games of their clemscores: an aborted episode counts 0.
        clemscore: clembench's aggregate: mean % played x mean quality / 100.
        played: Mean of % played.
        quality: Mean of the qualities of games of which anything was played.
    """

    games: tuple[str, ...]
    missing: tuple[str, ...]
    score: Figure
    clemscore: Figure
    played: float | None
    quality: float | None


@dataclass(frozen=True)
class Summary:
    """All figures of one run.

    Attributes:
        run: The run.
        games: Label -> figures; the label is the name of the game, and says more where it was played in several setups.
        axes: Axis, or `OVERALL`, -> figures; without those of which nothing was played.
        skills: The reference benchmarks; None if none was run.
        doubts: What a reader should know before using the figures, beside `Run.problems`.
    """

    run: Run
    games: Mapping[str, GameSummary]
    axes: Mapping[str, AxisSummary]
    skills: Skills | None
    doubts: tuple[str, ...]


def by_setup(episodes: Iterable[EpisodeRecord]) -> dict[str, list[EpisodeRecord]]:
    """Label -> episodes of one setup, sorted by label; see `Summary.games`."""
    groups: dict[Setup, list[EpisodeRecord]] = {}
    for episode in episodes:
        groups.setdefault(Setup.of(episode), []).append(episode)
    return {label: groups[setup] for label, setup in label_setups(groups).items()}


def label_setups(setups: Iterable[Setup]) -> dict[str, Setup]:
    """Label -> setup, sorted by label."""
    setups = list(setups)
    return dict(sorted((_label(setup, setups), setup) for setup in setups))


def _label(setup: Setup, setups: Iterable[Setup]) -> str:
    """The game, and what sets this setup apart from the others of the same game."""
    others = [other for other in setups if other.game == setup.game]
    several = len({other.split for other in others} - {SEEN}) > 1
    parts = [f"({setup.split})"] if setup.split == SEEN or several else []
    if len({other[2:] for other in others}) > 1:
        parts += [f"as {'+'.join(setup.roles)}"] if setup.roles else []
        parts += [f"beside {setup.partner or '?'}"]
    return " ".join([setup.game, *parts])


def axis_members(setups: Mapping[str, Setup]) -> tuple[dict[str, dict[str, str]], list[str]]:
    """Which games an axis is made of.

    Args:
        setups: Label -> setup.

    Returns:
        Axis, or `OVERALL`, -> game -> label, without empty ones; and why a game is in none.
    """
    labels: dict[str, list[str]] = {}
    doubts = []
    for label, setup in setups.items():
        if setup.split == SEEN:
            doubts.append(f"{label}: instances of the train split are part of no axis")
        else:
            labels.setdefault(setup.game, []).append(label)
    single = {game: found[0] for game, found in labels.items() if len(found) == 1}
    doubts += [
        f"{game} was played in several setups ({'; '.join(found)}) and is part of no axis: choose one by --split, "
        "or name the log of one"
        for game, found in labels.items()
        if len(found) > 1
    ]
    members = {axis: {name: single[name] for name in sorted(axis_games(axis)) if name in single} for axis in AXES}
    references = {one.name for one in benchmarks().values() if one.kind == "game"}
    references |= {game for axis in ("statscore", "practice_skills", "lmrl") for game in axis_games(axis)}
    members[OVERALL] = {game: label for game, label in sorted(single.items()) if game not in references}
    return {axis: found for axis, found in members.items() if found}, doubts


def select(run: Run, *, splits: Sequence[str] = (), games: Sequence[str] = ()) -> Run:
    """Keeps only the episodes of some splits or games; items stay.

    Raises:
        UserError: The run has nothing of the kind.
    """
    kept = run.episodes
    for wanted, name in ((splits, "split"), (games, "game")):
        if wanted:
            there = sorted({str(getattr(episode, name)) for episode in kept})
            kept = [episode for episode in kept if getattr(episode, name) in wanted]
            if not kept:
                raise UserError(
                    f"{run.meta.path} has no {name} {', '.join(wanted)}; it has {', '.join(there) or 'none'}"
                )
    return Run(run.meta, kept, run.items, run.problems)


def summarise_run(run: Run) -> Summary:
    """All figures of a run.

    Raises:
        UserError: There is nothing in it.
    """
    if not run.episodes and not run.items:
        why = "; ".join(map(str, run.problems))
        raise UserError(f"{run.meta.path} holds no episode and no item" + (f" ({why})" if why else ""))
    groups = by_setup(run.episodes)
    setups = {label: Setup.of(episodes[0]) for label, episodes in groups.items()}
    games = {label: _game(setups[label], episodes) for label, episodes in groups.items()}
    members, doubts = axis_members(setups)
    axes = {axis: _axis(axis, labels, groups, games) for axis, labels in members.items()}
    for axis, found in axes.items():
        if found.missing:
            doubts.append(f"{axis} is partial, without {', '.join(found.missing)}")
    found = skills_of(run.items)
    if found is not None:
        doubts += [f"retained skills are partial: {gap}" for gap in found.gaps]
    return Summary(run, games, axes, found, tuple(doubts))


def _game(setup: Setup, episodes: Sequence[EpisodeRecord]) -> GameSummary:
    entries = [episode.score_entry for episode in episodes]
    experiments: dict[str, list] = {}
    for episode, entry in zip(episodes, entries):
        experiments.setdefault(episode.experiment, []).append(entry)
    turns = [episode.turns for episode in episodes if episode.turns is not None]
    return GameSummary(
        setup,
        summarise(entries, [episode.instance for episode in episodes], lowest=_lowest_score(setup.game)),
        math.fsum(turns) / len(turns) if turns else None,
        {name: summarise(part, intervals=False) for name, part in experiments.items()},
    )


def _axis(
    axis: str,
    labels: Mapping[str, str],
    groups: Mapping[str, Sequence[EpisodeRecord]],
    games: Mapping[str, GameSummary],
) -> AxisSummary:
    scores = {game: games[label].score for game, label in labels.items()}
    total = clemscore({game: (score.played, score.quality) for game, score in scores.items()})
    worth = [score.clemscore for score in scores.values() if score.clemscore is not None]
    counted = [episode for label in labels.values() for episode in groups[label] if not episode.partner_fault]

    def interval(statistic: Statistic) -> Interval | None:
        if not counted:
            return None
        return run_estimate(
            [points(episode) for episode in counted],
            [episode.game for episode in counted],
            statistic,
            clusters=[episode.instance for episode in counted],
            bounds={game: score_bounds(game, groups[label]) for game, label in labels.items()},
        ).interval

    return AxisSummary(
        tuple(labels),
        tuple(game for game in sorted(axis_games(axis)) if game not in labels) if axis in AXES else (),
        Figure(math.fsum(worth) / len(worth) if worth else None, interval(macro_mean)),
        Figure(total.clemscore, interval(macro_clemscore) if total.clemscore is not None else None),
        total.played,
        total.quality,
    )


def _lowest_score(game: str) -> float:
    known = scan().games.get(game)  # a run may hold games that are not here
    return known.lowest_score if known else 0.0


def score_bounds(game: str, episodes: Iterable[EpisodeRecord]) -> tuple[float, float]:
    """The lowest and the highest score that an episode of a game can have, on the scale of the tables."""
    seen = [episode.score for episode in episodes if episode.score is not None]
    return 100 * min(_lowest_score(game), 0.0, *seen), 100.0


def points(episode: EpisodeRecord) -> float | None:
    """The score of an episode on the scale of the tables; None if it was aborted."""
    return None if episode.score is None else 100 * episode.score


def skills_of(items: Iterable[ItemRecord]) -> Skills | None:
    """The third axis from single items; None if there are none.

    The smoke suite counts only where there is nothing else.
    """
    tasks: dict[str, list[ItemRecord]] = {}
    for item in items:
        tasks.setdefault(item.task, []).append(item)
    kinds = benchmark_of_task()
    mini = all(kinds[task].mini for task in tasks)
    results = {task: _task_result(task, found) for task, found in tasks.items() if kinds[task].mini == mini}
    return skills(results, mini=mini) if results else None


def _task_result(task: str, items: Sequence[ItemRecord]) -> TaskResult:
    values, names = [item.value for item in items], [item.item for item in items]
    benchmark, n = benchmark_of_task()[task], len(set(names))
    of = benchmark.items if len(benchmark.tasks) == 1 and benchmark.items else None
    return TaskResult(math.fsum(values) / len(values), n, standard_error(values, names), of if of != n else None)
