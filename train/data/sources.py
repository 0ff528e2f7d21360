"""Dialogues out of what others played: recordings of clembench, and runs of either harness or our own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from playpen_eval.clembench import game_folder, translate
from playpen_eval.errors import UserError
from playpen_eval.game import Game
from playpen_eval.recordings import RecordedEpisode, read_recording
from playpen_eval.registry import scan
from playpen_eval.runs import EpisodeRecord, read_play, read_run

from .dialogues import Dialogue, dialogues, fingerprint, replayed
from .policy import Policy


@dataclass
class Request:
    """What is wanted of the sources, and what became of it.

    Attributes:
        policy: What may be trained on.
        games: Only these; all if empty.
        seats: Only these roles; all that the evaluated model played if empty.
        clembench: A checkout, for the parts of recorded chats that are in no recording.
        learner: Besides `seats` the role that each game names as its learner's.
        left_out: Reason -> episodes left out.
        problems: A few messages about episodes that could not be used.
    """

    policy: Policy = field(default_factory=Policy)
    games: Collection[str] = ()
    seats: Collection[str] = ()
    clembench: Path | None = None
    learner: bool = False
    left_out: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    def leave_out(self, why: str, where: str = "") -> None:
        """Counts an episode that is not used; keeps the first few places."""
        self.left_out[why] += 1
        if where and len(self.problems) < 5:
            self.problems.append(where)

    def seats_of(self, game: Game) -> set[str]:
        """The roles of a game whose side is wanted."""
        if not self.seats and not self.learner:
            return set(game.roles)
        return {role for role in game.roles if role in self.seats or (self.learner and role == game.learner)}

    def wants(self, game: str) -> bool:
        """Whether a game is asked for."""
        return not self.games or game in self.games


UNUSABLE = "cannot be replayed"
NO_GAME = "game that is not here"


def read_source(path: Path, request: Request) -> Iterator[Dialogue]:
    """The dialogues of a source, as they are read.

    Args:
        path: A clembench results folder or .tar.gz of any number of models, or a run as `runs.read_run` takes it.
        request: What is wanted.

    Raises:
        UserError: The path cannot be read.
    """
    if _is_recording(path):
        yield from _recorded(path, request)
    else:
        yield from _logged(path, request)


def _is_recording(path: Path) -> bool:
    if path.is_dir():
        return not (path / "run.json").is_file() and next(path.rglob("interactions.json"), None) is not None
    return path.name.endswith((".tar.gz", ".tgz", ".tar"))


def _recorded(path: Path, request: Request) -> Iterator[Dialogue]:
    recording = read_recording(path)
    if not recording.episodes:
        raise UserError("; ".join(recording.errors[:3]))
    for error in recording.errors:
        request.leave_out("unreadable", error)
    games = {game.upstream_name: game for game in scan().games.values()}
    for recorded in recording.episodes:
        game = games.get(recorded.game)
        if game is None:
            request.leave_out(NO_GAME)
        elif request.wants(game.name):
            yield from _one_recorded(path, recorded, game, request)


def _one_recorded(path: Path, recorded: RecordedEpisode, game: Game, request: Request) -> Iterator[Dialogue]:
    where = f"{path}: {recorded.path}"
    try:
        if request.clembench is not None:
            folder = str(game_folder(request.clembench, recorded.game)[0])
            recorded = replace(recorded, experiment=recorded.experiment | {"folder": folder})
        instance = translate(
            game,
            recorded.experiment,
            dict(game.from_recording(recorded.instance, recorded.interactions)),
            recorded.version,
        )
        if refused := request.policy.refusal(game, instance):
            return request.leave_out(refused)
        said = list(recorded.replies())
        # What was really told: the game's own text differs where clembench draws words at random or keeps them in code.
        episode, logs = replayed(game, instance, [one[2] for one in said], game.roles, [one[1] or None for one in said])
        seats = {turn.role: player for turn, (player, _, _) in zip(episode.turns, said, strict=True)}
        told = recorded.interactions.get("players") or {}
        players = {role: str(told.get(seats.get(role), {}).get("model_name", "?")) for role in game.roles}
        print_ = fingerprint(game, instance)
    except Exception as error:  # recordings are other people's files; one of another shape must not stop the rest
        return request.leave_out(UNUSABLE, f"{where}: {type(error).__name__}: {error}")
    wanted = {role: log for role, log in logs.items() if role in request.seats_of(game)}
    yield from dialogues(episode, wanted, print_, f"{path.name}:{recorded.path}", players, path.name)
    return None


def _logged(path: Path, request: Request) -> Iterator[Dialogue]:
    run = read_run(path)
    for problem in run.problems:
        request.problems.append(f"{path}: {problem}")
    games = scan().games
    for record in run.episodes:
        game = games.get(record.game)
        if game is None:
            request.leave_out(NO_GAME)
        elif request.wants(record.game):
            yield from _one_logged(path, record, game, run.meta.model or "?", request)


def _one_logged(path: Path, record: EpisodeRecord, game: Game, model: str, request: Request) -> Iterator[Dialogue]:
    if game.held_out and not request.policy.allow_heldout:
        return request.leave_out(request.policy.refusal(game, {}) or "")
    try:
        play = read_play(record.locator)
        if refused := request.policy.refusal(game, play.instance):
            return request.leave_out(refused)
        seats = record.roles or game.roles
        episode, logs = replayed(game, play.instance, play.replies, seats)
    except UserError as error:
        return request.leave_out(UNUSABLE, f"{path}: {record.instance}: {error}")
    assert episode.outcome is not None  # `replayed` played it to its end
    if episode.outcome.kind != record.kind:
        return request.leave_out(UNUSABLE, f"{path}: {record.instance}: was {record.kind}, is {episode.outcome.kind}")
    players = {role: model if role in seats else record.partner or "?" for role in game.roles}
    wanted = {role: log for role, log in logs.items() if role in request.seats_of(game)}
    name = f"{path.name}:{record.instance}#{record.epoch}"
    yield from dialogues(episode, wanted, fingerprint(game, play.instance), name, players, path.name)
    return None
