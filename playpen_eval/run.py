"""Plays games without a harness, episodes overlapping, into a folder that a second run continues.

The folder holds run.json (what was run, and with which versions) and episodes.jsonl (one finished episode a line).
"""
# pyright: reportMissingImports=false

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import IO, TYPE_CHECKING, Any

from playpen_eval.drivers import play_async
from playpen_eval.endpoint import ContextFullError
from playpen_eval.episode import Episode, Observation
from playpen_eval.errors import UserError
from playpen_eval.game import Game, Instance, Outcome
from playpen_eval.instances import InstanceSet, read_jsonl
from playpen_eval.players import learner_roles
from playpen_eval.provenance import provenance
from playpen_eval.scoring import GameScore, episode_score, summarise

if TYPE_CHECKING:
    from playpen_eval.train.players import Player

FORMAT = 1
CONTEXT_FULL = "the context of the model is full"
Reply = Callable[[Observation], Awaitable[str]]


@dataclass(frozen=True)
class Job:
    """One game to play.

    Attributes:
        game: The game.
        instances: All instances of the set.
        roles: The learner's roles.
        limit: Play only the first so many.
    """

    game: Game
    instances: InstanceSet
    roles: tuple[str, ...]
    limit: int | None = None

    @property
    def wanted(self) -> list[Instance]:
        """The instances to play."""
        return self.instances.instances[: self.limit]


def make_jobs(
    games: Mapping[str, Game], sets: Mapping[str, InstanceSet], partner: str, role: str | None, limit: int | None
) -> list[Job]:
    """One job per game; `role` is the learner's role beside a partner."""
    return [Job(game, sets[name], learner_roles(game, partner, role), limit) for name, game in games.items()]


def describe(jobs: Sequence[Job], settings: Mapping[str, Any]) -> dict[str, Any]:
    """What identifies a run; two runs are the same if this is equal."""
    games = {
        job.game.name: {
            "version": job.game.version,
            "instances": job.instances.source,
            "sha256": job.instances.sha256,
            "learner_roles": list(job.roles),
        }
        for job in jobs
    }
    return {"format": FORMAT, "games": games, **settings}


class RunFolder:
    """The folder of one run; one process at a time may write to it."""

    def __init__(self, path: Path, identity: Mapping[str, Any], wanted: Mapping[str, int] = MappingProxyType({})):
        """Opens or creates the folder.

        Args:
            path: Where it is.
            identity: What makes it this run and no other; see `describe`.
            wanted: Game -> number of episodes that there will be, so that readers can tell what is missing.

        Raises:
            UserError: Another process writes to it, or it holds another run.
        """
        self.path = path
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._lines: IO[str] = (path / "episodes.jsonl").open("a", encoding="utf-8")
        except OSError as error:
            raise UserError(f"cannot write to the output folder {path}: {error}") from None
        try:
            fcntl.flock(self._lines, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"another process is writing to {path}; choose another --output or wait") from None
        self._match(identity, wanted)
        self.records = {record["id"]: record for record in self._read()}

    def tell(self, facts: Mapping[str, Any]) -> None:
        """Adds to run.json what shows only when the model is loaded.

        Raises:
            UserError: The episodes so far were played with something else.
        """
        manifest = json.loads((self.path / "run.json").read_text(encoding="utf-8"))
        self._compare(manifest, {name: value for name, value in facts.items() if name in manifest})
        if facts.keys() - manifest.keys():
            self._describe({**manifest, **facts})

    def _match(self, identity: Mapping[str, Any], wanted: Mapping[str, int]) -> None:
        manifest = self.path / "run.json"
        if not manifest.exists():
            if self._lines.tell():
                raise UserError(f"{self.path} holds episodes.jsonl without a run.json; choose another --output")
            self._describe({**identity, "wanted": dict(wanted), "made_with": provenance()})
            return
        try:
            before = json.loads(manifest.read_text(encoding="utf-8"))
            if not isinstance(before, dict):
                raise ValueError("not a JSON object")
        except (OSError, ValueError) as error:
            raise UserError(f"{manifest} is broken ({error}); choose another --output") from None
        self._compare(before, identity)
        told = before.get("wanted") or {}
        more = {game: max(n, told.get(game, 0)) for game, n in wanted.items()}
        if told | more != told:  # continued with a higher --limit
            self._describe(before | {"wanted": told | more})

    def _compare(self, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
        differing = [
            f"{name} was {before.get(name)!r}, now {value!r}"
            for name, value in now.items()
            if before.get(name) != value
        ]
        if differing:
            raise UserError(f"{self.path} holds another run: {'; '.join(differing)}. Choose another --output")

    def _describe(self, manifest: Mapping[str, Any]) -> None:
        path = self.path / "run.json"
        temporary = path.with_suffix(".tmp")
        temporary.write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
        os.replace(temporary, path)

    def _read(self) -> list[dict[str, Any]]:
        """The finished episodes; a half-written last line (of a killed process) is cut off."""
        path = self.path / "episodes.jsonl"
        content = path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            os.truncate(path, whole)
        records = read_jsonl(path)
        for number, record in enumerate(records, 1):
            whole = isinstance(record, dict) and {"id", "replies", "outcome"} <= record.keys()
            if not whole or not isinstance(record["outcome"], dict) or "reason" not in record["outcome"]:
                raise UserError(f"{path}:{number} is no episode; remove the line or choose another --output")
        return records

    def add(self, record: dict[str, Any]) -> None:
        """Writes one finished episode through to the file."""
        self._lines.write(json.dumps(record, allow_nan=False) + "\n")
        self._lines.flush()
        self.records[record["id"]] = record

    def close(self) -> None:
        """Releases the folder."""
        self._lines.close()

    def verify(self, jobs: Sequence[Job]) -> None:
        """Replays what the folder holds, so that results of changed code never mix with new ones.

        Raises:
            UserError: An episode would end differently now.
        """
        for job in jobs:
            for instance in job.wanted:
                record = self.records.get(instance["id"])
                if record is None or record["outcome"]["reason"] == CONTEXT_FULL:
                    continue
                saved = Episode(job.game, instance).to_json() | {name: record[name] for name in ("replies", "outcome")}
                try:
                    Episode.from_json(saved, job.game)
                except (ValueError, TypeError) as error:
                    raise UserError(f"{self.path}: {instance['id']}: {error}. Choose another --output") from None

    def scores(self, jobs: Sequence[Job]) -> dict[str, GameScore]:
        """The figures of the episodes that the jobs ask for, game by game."""
        result = {}
        for job in jobs:
            found = [self.records[i["id"]] for i in job.wanted if i["id"] in self.records]
            outcomes = [Outcome.from_dict(record["outcome"]) for record in found]
            scores = [episode_score(outcome, job.roles) for outcome in outcomes]
            result[job.game.name] = summarise(scores, lowest=job.game.lowest_score)
        return result


async def play_jobs(
    jobs: Sequence[Job],
    folder: RunFolder,
    learner: Reply,
    partner: Reply,
    concurrency: int = 16,
    on_done: Callable[[], None] = lambda: None,
) -> None:
    """Plays what the folder does not hold yet.

    Args:
        jobs: What to play.
        folder: Where finished episodes go, at once.
        learner: Answers for the learner's roles.
        partner: Answers for the other roles.
        concurrency: Episodes at a time.
        on_done: Called after each episode.
    """
    slots = asyncio.Semaphore(concurrency)

    async def one(job: Job, instance: Instance) -> None:
        async def reply(observation: Observation) -> str:
            return await (learner if observation.role in job.roles else partner)(observation)

        async with slots:
            start = time.monotonic()
            episode = Episode(job.game, instance)
            try:
                outcome = await play_async(episode, reply)
            except ContextFullError:
                assert episode.role is not None  # somebody was asked
                outcome = Outcome.aborted(episode.role, CONTEXT_FULL)
            folder.add(_record(episode, outcome, time.monotonic() - start))
            on_done()

    missing = [(job, i) for job in jobs for i in job.wanted if i["id"] not in folder.records]
    try:
        async with asyncio.TaskGroup() as group:
            for job, instance in missing:
                group.create_task(one(job, instance))
    except ExceptionGroup as errors:
        # All the episodes that ran fail for one reason, such as a server that went away; one message says it.
        # (Early 3.11, as in Debian 12, would wrap what is raised under `except*` in a group again.)
        said, others = errors.split(UserError)
        if said is None or others is not None:
            raise
        raise said.exceptions[0] from None


def play_jobs_in_step(
    jobs: Sequence[Job],
    folder: RunFolder,
    learner: Player,
    partner: Player,
    batch: int,
    seed: str = "0",
    on_done: Callable[[], None] = lambda: None,
) -> None:
    """Plays what the folder does not hold yet, many episodes in step, for players that answer batches.

    Args:
        jobs: What to play.
        folder: Where finished episodes go, when all of their batch are.
        learner: Answers for the learner's roles.
        partner: Answers for the other roles.
        batch: Episodes side by side.
        seed: Of what is drawn; the same batches then get the same replies.
        on_done: Called after each episode.

    Raises:
        UserError: A player failed for a reason that is no player's fault.
    """
    missing = [(job, i) for job in jobs for i in job.wanted if i["id"] not in folder.records]
    for begin in range(0, len(missing), batch):
        start = time.monotonic()
        plays = [(job, Episode(job.game, instance)) for job, instance in missing[begin : begin + batch]]
        full: dict[int, Outcome] = {}
        while waiting := [place for place, (_, one) in enumerate(plays) if one.role and place not in full]:
            learning = [place for place in waiting if plays[place][1].role in plays[place][0].roles]
            if learning:
                full |= _in_step([(place, plays[place][1]) for place in learning], learner, seed)
            else:  # partners answer together, once everybody waits for them
                full |= _in_step([(place, plays[place][1]) for place in waiting], partner, seed)
        each = (time.monotonic() - start) / len(plays)
        for place, (_, episode) in enumerate(plays):
            outcome = full.get(place, episode.outcome)
            assert outcome is not None  # nobody is to move
            folder.add(_record(episode, outcome, each))
            on_done()


def _in_step(waiting: Sequence[tuple[int, Episode]], player: Player, seed: str) -> dict[int, Outcome]:
    """One reply in each episode; returns the outcome of those whose context is full."""
    from playpen_eval.train.players import Asked, Failure

    asked = [Asked(one.observe(), f"{seed}/{one.instance['id']}/{len(one.turns)}") for _, one in waiting]
    full = {}
    for (place, episode), reply in zip(waiting, player(asked), strict=True):
        if not isinstance(reply, Failure):
            episode.act(reply)
        elif reply.fault and episode.role:
            full[place] = Outcome.aborted(episode.role, CONTEXT_FULL)
        else:
            raise UserError(reply.reason)
    return full


def _record(episode: Episode, outcome: Outcome, seconds: float) -> dict[str, Any]:
    """A finished episode as a line of the file."""
    return {
        "id": episode.instance["id"],
        "game": episode.game.name,
        "experiment": episode.instance["experiment"],
        "roles": [turn.role for turn in episode.turns],
        "replies": episode.replies,
        "outcome": outcome.to_dict(),
        "seconds": round(seconds, 3),
    }
