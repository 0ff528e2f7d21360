"""Feeds recorded replies through our games and compares what comes out with what clembench scored.

Every difference is a defect of ours, or one of upstream's that the game names (`Game.upstream_defects`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from playpen_eval.clembench import game_folder, translate
from playpen_eval.episode import Episode
from playpen_eval.game import Game, Outcome
from playpen_eval.recordings import RecordedEpisode, Recording
from playpen_eval.report.clembench_csv import CLEMSCORE, results_row
from playpen_eval.scoring import episode_score

TOLERANCE = 1e-9


@dataclass
class GameReplay:
    """Counts of one game over all runs.

    Attributes:
        available: False if this project does not have the game; its episodes are only counted.
        episodes: Recorded episodes.
        equal: Equal in outcome and in every score.
        explained: Different only where the game names an upstream defect.
        different: Everything else that was scored.
        unscored: clembench wrote no scores, so there is nothing to compare.
        messages: Messages shown to players.
        messages_equal: Those equal to the recorded ones.
    """

    available: bool = True
    episodes: int = 0
    equal: int = 0
    explained: int = 0
    different: int = 0
    unscored: int = 0
    messages: int = 0
    messages_equal: int = 0


@dataclass
class Replay:
    """The result of replaying recordings.

    Attributes:
        games: Counts by game.
        runs: Run -> clemscore (ours; None while games are missing), published, equal, and how many columns of
            results.csv were compared.
        differences: One entry for every score that differs.
        errors: Files that could not be used.
    """

    games: dict[str, GameReplay] = field(default_factory=dict)
    runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    differences: list[dict[str, Any]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        """True if anything is unexplained or could not be read."""
        return bool(self.errors) or any(not difference["explained"] for difference in self.differences)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data."""
        return asdict(self)


def metric_name(name: str) -> str:
    """clembench's name of a score in our spelling: "Main Score" -> "main_score"."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def replay(
    recordings: dict[str, Recording],
    games: dict[str, Game],
    rules: str | None = None,
    clembench: Path | None = None,
) -> Replay:
    """Replays recordings.

    Args:
        recordings: Label (a path) -> recording.
        games: The games that exist.
        rules: clembench version whose rules to use; by default that of the framework which recorded an episode.
        clembench: A checkout, for the texts that games keep outside their instances. Without it those are ours.
    """
    result = Replay()
    games = {game.upstream_name: game for game in games.values()}
    played = {recorded.game for recording in recordings.values() for recorded in recording.episodes} & games.keys()
    folders = {name: {"folder": str(game_folder(clembench, name)[0])} for name in played} if clembench else {}
    for label, recording in recordings.items():
        result.errors += recording.errors
        outcomes: dict[str, dict[str, list[Outcome]]] = {}
        for recorded in recording.episodes:
            row = result.games.setdefault(recorded.game, GameReplay(available=recorded.game in games))
            row.episodes += 1
            run = outcomes.setdefault(recorded.run, {}).setdefault(recorded.game, [])
            if row.available:
                experiment = recorded.experiment | folders.get(recorded.game, {})
                _replay_episode(
                    label, replace(recorded, experiment=experiment), games[recorded.game], rules, row, result, run
                )
        for run, by_game in outcomes.items():
            name = f"{label}: {run}" if len(recordings) > 1 else run
            result.runs[name] = _aggregate(name, by_game, recording.published.get(run), games, result)
    return result


def _replay_episode(
    label: str,
    recorded: RecordedEpisode,
    game: Game,
    rules: str | None,
    row: GameReplay,
    result: Replay,
    outcomes: list[Outcome],
) -> None:
    where = f"{label}: {recorded.path}"
    try:
        version = rules or recorded.version
        instance = game.from_recording(recorded.instance, recorded.interactions)
        episode = Episode(game, translate(game, recorded.experiment, dict(instance), version))
        problem = _feed(episode, recorded, row)
        outcome = episode.outcome
        found: list[tuple[str, Any, Any]] = []
        if problem or outcome is None:
            found.append(("transcript", problem, None))
        elif recorded.scores is not None:
            found = list(_compare(outcome, recorded.scores))
    except Exception as error:  # recordings are other people's files; one of another shape must not stop the rest
        row.different += 1
        result.errors.append(f"{where}: cannot be replayed ({type(error).__name__}: {error})")
        return
    if recorded.scores is None and not found:
        row.unscored += 1
        return
    if outcome is not None:
        outcomes.append(outcome)
    explained = [_explanation(game, name, theirs) for name, _, theirs in found]
    row.equal += not found
    row.explained += bool(found) and all(explained)
    row.different += not all(explained)
    result.differences += [
        {"game": game.name, "episode": where, "score": name, "ours": ours, "recorded": theirs, "explained": why}
        for (name, ours, theirs), why in zip(found, explained, strict=True)
    ]


def _explanation(game: Game, name: str, theirs: Any) -> str | None:
    """Why upstream is wrong, if the game says so; `NAME missing` explains no more than that a score is not there."""
    score = name.rpartition("/")[2]
    return game.upstream_defects.get(f"{score} missing" if theirs == "missing" else score)


def _feed(episode: Episode, recorded: RecordedEpisode, row: GameReplay) -> str | None:
    """Plays the recorded replies; returns what does not fit, or None."""
    seats: dict[str, str] = {}
    for player, told, reply in recorded.replies():
        if episode.role is None:
            return f"the game ended ({episode.outcome}) before the recorded reply {reply[:80]!r}"
        if seats.setdefault(player, episode.role) != episode.role:
            return f"the game asks the {episode.role} where the recording has {player}"
        episode.act(reply)
        row.messages += 1
        row.messages_equal += told == episode.turns[-1].text
    return None if episode.outcome else f"the recording ends while the {episode.role} is to move"


def _compare(outcome: Outcome, scores: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    ours: dict[str, Any] = {
        "aborted": int(outcome.kind == "aborted"),
        "success": int(outcome.kind == "success"),
        "lose": int(outcome.kind == "lose"),
        "main_score": None if outcome.score is None else 100 * outcome.score,
        **outcome.metrics,
    }
    for name, value in scores["episode scores"].items():
        key = metric_name(name)
        if not _same(ours.get(key, "missing"), value):
            yield key, ours.get(key, "missing"), _jsonable(value)
    recorded = scores.get("turn scores") or scores.get("round scores") or {}
    for index in sorted(recorded.keys() | outcome.rounds.keys()):
        theirs = {metric_name(name): value for name, value in recorded.get(index, {}).items()}
        mine = outcome.rounds.get(index, {})
        for key in sorted(theirs.keys() | mine.keys()):
            if not _same(mine.get(key, "missing"), theirs.get(key, "missing")):
                yield f"{index}/{key}", mine.get(key, "missing"), _jsonable(theirs.get(key, "missing"))


def _jsonable(value: Any) -> Any:
    """A recorded score as strict JSON: NaN, clembench's word for undefined, is None; what is no number is text."""
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value if value is None or isinstance(value, int | float | str) else repr(value)


def _same(ours: Any, theirs: Any) -> bool:
    ours, theirs = _jsonable(ours), _jsonable(theirs)
    if isinstance(ours, int | float) and isinstance(theirs, int | float):
        return math.isclose(ours, theirs, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    return ours == theirs


def _aggregate(
    run: str,
    outcomes: dict[str, list[Outcome]],
    published: dict[str, str] | None,
    games: dict[str, Game],
    result: Replay,
) -> dict[str, Any]:
    """Compares the columns of results.csv that our outcomes determine."""
    there = {name: played for name, played in outcomes.items() if name in games and played}
    columns = results_row({name: [episode_score(outcome) for outcome in played] for name, played in there.items()})
    complete = all(name in games for name in outcomes)
    if not complete:
        columns = {column: value for column, value in columns.items() if column.partition(",")[0] in there}
    ours = columns.get(CLEMSCORE)
    if published is None:
        return {"clemscore": ours, "published": None, "equal": None, "columns": 0}
    equal = True
    for column, value in columns.items():
        if column.endswith("(std)") and column not in published:
            continue  # later versions write these columns on request only
        theirs = _number(published[column]) if column in published else "missing"
        if value != theirs:
            equal = False
            difference = {"game": column.partition(",")[0], "episode": run, "score": f"results.csv: {column}"}
            result.differences.append(difference | {"ours": value, "recorded": theirs, "explained": None})
    number = _number(published.get(CLEMSCORE, ""))
    return {"clemscore": ours, "published": number, "equal": equal if complete else None, "columns": len(columns)}


def _number(text: str) -> float | None:
    try:
        return _jsonable(float(text)) if text else None
    except ValueError:
        return None
