"""Fetches the transcript of one episode from where it is."""

from __future__ import annotations

import functools
import json
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from playpen_eval.episode import Episode
from playpen_eval.errors import UserError
from playpen_eval.game import Game, Instance
from playpen_eval.instances import load_instances
from playpen_eval.recordings import Recording, read_recording
from playpen_eval.registry import load_game
from playpen_eval.runs.records import Locator


class Play(NamedTuple):
    """What an episode is made of; `Episode(game, instance, replies)` plays it again.

    Attributes:
        game: The game.
        instance: The instance.
        replies: All replies, in order.
    """

    game: Game
    instance: Instance
    replies: list[str]


_DAMAGE = (OSError, ValueError, LookupError, TypeError, AttributeError, zipfile.BadZipFile, zlib.error)
"""What reading raises where a file is not what it was."""


class Said(NamedTuple):
    """One turn.

    Attributes:
        role: Who was asked.
        told: What the role was told since its last reply; None if it cannot be told from the log.
        reply: Its reply.
    """

    role: str
    told: str | None
    reply: str


def read_transcript(locator: Locator) -> list[Said]:
    """The turns of one episode, of all roles.

    Args:
        locator: From its record.

    Raises:
        UserError: The file has changed or is gone, or is a stored report.
    """
    if locator.format == "results":
        raise UserError(f"a stored report has no transcripts: {locator.path}")
    readers = {"inspect": _inspect, "lm-eval": _lm_eval, "clembench": _clembench, "playpen-eval": _own}
    try:
        return readers[locator.format](locator)
    except _DAMAGE as error:
        raise UserError(f"the transcript is no longer at {locator.path} ({locator.place}): {error!r}") from None


def read_play(locator: Locator) -> Play:
    """The instance and the replies of one episode; recordings of clembench have them in another form.

    Args:
        locator: From its record.

    Raises:
        UserError: The file has changed or is gone, the game has another version now, or the instances are not here.
    """
    readers = {"inspect": _inspect_play, "lm-eval": _lm_eval_play, "playpen-eval": _own_play}
    try:
        return readers[locator.format](locator)
    except _DAMAGE as error:
        raise UserError(f"{locator.path} ({locator.place}): {error}") from None


def _inspect_play(locator: Locator) -> Play:
    record, source = _inspect_record(locator)
    instance = _instances(record["game"], record["version"], source)[record["instance"]]
    return Play(load_game(record["game"]), instance, record["replies"])


def _lm_eval_play(locator: Locator) -> Play:
    sample = _line(locator)
    episode = json.loads(_texts(sample)[locator.part])
    game = load_game(episode["game"])
    if game.version != episode["version"]:
        raise LookupError(f"{game.name} has version {game.version} now, not {episode['version']}")
    return Play(game, json.loads(sample["doc"]["instance"]), episode["replies"])


def _own_play(locator: Locator) -> Play:
    row = _line(locator)
    game = _manifest(locator)["games"][row["game"]]
    return Play(
        load_game(row["game"]), _instances(row["game"], game["version"], game["instances"])[row["id"]], row["replies"]
    )


def _inspect_record(locator: Locator) -> tuple[dict[str, Any], str]:
    """The stored episode and where its instances are from."""
    from inspect_ai.log import read_eval_log, read_eval_log_sample

    # Kept as in playpen_eval.inspect.solver, whose import would register all tasks.
    exclude = {"events", "attachments", "messages", "events_data"}
    sample = read_eval_log_sample(locator.path, locator.place, locator.part, exclude_fields=exclude)
    record = sample.store["playpen_episode"]
    spec = read_eval_log(locator.path, header_only=True).eval
    arguments = {**(spec.task_args or {})}
    return record, arguments.get("instances") or arguments.get("split") or "test"


def _inspect(locator: Locator) -> list[Said]:
    record, source = _inspect_record(locator)
    return _replayed(record["game"], record["version"], record["instance"], source, record["roles"], record["replies"])


def _lm_eval(locator: Locator) -> list[Said]:
    return [Said(*turn) for turn in json.loads(_texts(_line(locator))[locator.part])["turns"]]


def _texts(sample: dict[str, Any]) -> list[str]:
    """The episodes of a sample: its answers are texts, or lists of the texts of all repeats."""
    return [text for response in sample["resps"] for text in ([response] if isinstance(response, str) else response)]


def _own(locator: Locator) -> list[Said]:
    row = _line(locator)
    game = _manifest(locator)["games"][row["game"]]
    return _replayed(row["game"], game["version"], row["id"], game["instances"], row["roles"], row["replies"])


@functools.lru_cache(maxsize=4)
def _run_json(path: str) -> dict[str, Any]:
    return json.loads(Path(path).read_text(encoding="utf-8"))


def _manifest(locator: Locator) -> dict[str, Any]:
    return _run_json(str(Path(locator.path).parent / "run.json"))


def _clembench(locator: Locator) -> list[Said]:
    for episode in _recording(locator.path).episodes:
        if episode.path == locator.place:
            players = episode.interactions.get("players") or {}
            names = {name: player.get("game_role") or name for name, player in players.items()}
            return [Said(names.get(player, player), told, reply) for player, told, reply in episode.replies()]
    raise LookupError("no such episode")


@functools.lru_cache(maxsize=1)
def _recording(path: str) -> Recording:
    return read_recording(Path(path))


def _line(locator: Locator) -> dict[str, Any]:
    with open(locator.path, "rb") as file:
        file.seek(int(locator.place))
        return json.loads(file.readline())


def _replayed(
    name: str, version: int, instance_id: str, source: str, roles: Sequence[str], replies: Sequence[str]
) -> list[Said]:
    """What roles were told follows from the instance and the replies, if game and instances are still the same."""
    try:
        instance = _instances(name, version, source)[instance_id]
        episode = Episode(load_game(name), instance)
        for reply in replies:
            episode.act(reply)
        turns = [Said(turn.role, turn.text, turn.reply) for turn in episode.turns]
        if [turn.role for turn in turns] == list(roles):
            return turns
    except (UserError, LookupError, ValueError, RuntimeError):
        pass
    return [Said(role, None, reply) for role, reply in zip(roles, replies, strict=True)]


@functools.lru_cache(maxsize=32)
def _instances(name: str, version: int, source: str) -> dict[str, dict[str, Any]]:
    game = load_game(name)
    if game.version != version:
        raise LookupError(f"{name} has version {game.version} now")
    return {instance["id"]: instance for instance in load_instances(game, source).instances}
