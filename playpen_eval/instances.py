"""What is played: instances, their ids, and splits that share no content."""

from __future__ import annotations

import hashlib
import itertools
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from playpen_eval.episode import Episode
from playpen_eval.errors import UserError, unknown
from playpen_eval.game import Game, Instance

SPLITS = ("train", "validation", "test")
ATTEMPTS = 5000
"""Draws without anything new after which the content counts as exhausted."""


@dataclass(frozen=True)
class InstanceSet:
    """Instances of one game, under a name that two runs can compare.

    Attributes:
        game: The game's name.
        source: Where they come from: a split, `clembench-2.0`, or a file name.
        instances: In order.
        sha256: Digest of the whole content.
    """

    game: str
    source: str
    instances: list[Instance]
    sha256: str


def canonical(data: Any) -> str:
    """JSON text that is the same for the same data."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest(data: Any) -> str:
    """SHA-256 of JSON data."""
    return hashlib.sha256(canonical(data).encode("utf-8", "surrogatepass")).hexdigest()


def split_of(key: Any) -> str:
    """The split that content belongs to: 50% train, 20% validation, 30% test, by its hash alone.

    Games that share a kind of key (all wordles: the target) therefore share their splits, too.
    """
    bucket = int(digest(key)[:8], 16) % 100
    return "train" if bucket < 50 else "validation" if bucket < 70 else "test"


def generate(game: Game, split: str, experiment: str, seed: str = "0") -> Iterator[Instance]:
    """An endless stream of distinct instances; the same arguments give the same stream.

    New keys come first; when the content of a split has no further key (a word list is finite), further
    variations of known keys follow; when there are none, the stream ends.

    Args:
        game: The game.
        split: One of `SPLITS`.
        experiment: One of the game's experiments.
        seed: Any string; the shipped sets have "0".
    """
    if split not in SPLITS:
        raise unknown("split", split, SPLITS)
    if experiment not in game.experiments:
        raise unknown(f"experiment of {game.name}", experiment, game.experiments)
    keys: set[str] = set()
    known: set[str] = set()
    for index in itertools.count():
        name = f"{game.name}/{game.version}/{split}/{experiment}/{seed}-{index}"
        drawn = _draw(game, split, experiment, name, keys, known)
        if drawn is None:
            return
        keys.add(digest(game.key(drawn)))
        known.add(digest(drawn))
        yield {"id": name, "experiment": experiment, "split": split, **drawn}


def _draw(game: Game, split: str, experiment: str, name: str, keys: set[str], known: set[str]) -> Instance | None:
    variation = None
    for attempt in range(ATTEMPTS):
        drawn = game.generate(experiment, Random(f"{name}/{attempt}"))
        key = game.key(drawn)
        if split_of(key) != split:
            continue
        if digest(key) not in keys:
            return drawn
        if variation is None and digest(drawn) not in known:
            variation = drawn
    return variation


def shipped_file(game: Game, split: str) -> Path | None:
    """The file of a shipped split, if the game's folder holds one."""
    module = sys.modules[type(game).__module__]
    if not module.__file__:
        return None
    path = Path(module.__file__).parent / "instances" / f"{game.name}-{split}.jsonl"
    return path if path.is_file() else None


def make_split(game: Game, split: str) -> list[Instance]:
    """Generates the shipped set of a split, experiments interleaved so that the first n are balanced.

    Raises:
        UserError: The game's content does not suffice for its declared size.
    """
    size = game.sizes.get(split, 0)
    columns = []
    for experiment in game.experiments:
        column = list(itertools.islice(generate(game, split, experiment), size))
        if len(column) < size:
            raise UserError(f"{game.name}: {split}/{experiment} has content for {len(column)} instances, not {size}")
        columns.append(column)
    return [instance for row in zip(*columns, strict=True) for instance in row]


def read_jsonl(path: Path) -> list[Any]:
    """Reads a JSON-lines file.

    Raises:
        UserError: The file is missing or a line is not JSON; names the line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read {path}: {error}") from None
    rows = []
    for number, line in enumerate(text.split("\n"), 1):  # splitlines() also splits inside of JSON strings
        if line.strip():
            try:
                rows.append(json.loads(line))
            except ValueError as error:
                raise UserError(f"{path}:{number}: not JSON ({error})") from None
    return rows


def load_instances(game: Game, source: str = "test", experiment: str | None = None) -> InstanceSet:
    """Loads the instances to play.

    Args:
        game: The game.
        source: A split name; `clembench:DIR[@vX.Y]` for a clembench checkout; or a .jsonl file that
            `playpen-eval generate` wrote, or a folder of such files, one for each game.
        experiment: Only this experiment.

    Raises:
        UserError: The source does not exist or does not fit the game.
    """
    if source not in SPLITS and Path(source).is_dir():
        source = str(Path(source) / f"{game.name}.jsonl")
    if source in SPLITS:
        name, rows = source, game.load_split(source)
        if rows is None:
            shipped = shipped_file(game, source)
            rows = read_jsonl(shipped) if shipped else make_split(game, source)
    elif source.startswith("clembench:"):
        from playpen_eval.clembench import load_checkout

        name, rows = load_checkout(game, source)
    elif source.endswith(".jsonl"):
        rows, name = read_jsonl(Path(source)), Path(source).name
        _check_file(game, source, rows)
    else:
        raise UserError(
            f"unknown instances {source!r}; use one of {', '.join(SPLITS)}, clembench:DIR@v2.0, FILE.jsonl or a folder"
        )
    if experiment is not None:
        names = {row["experiment"] for row in rows}
        if experiment not in names:
            raise unknown(f"experiment of {game.name}", experiment, names)
        rows = [row for row in rows if row["experiment"] == experiment]
    if not rows:
        raise UserError(f"{game.name}: {source!r} holds no instances")
    return InstanceSet(game.name, name, rows, digest(rows))


def _check_file(game: Game, source: str, rows: list[Any]) -> None:
    known: set[str] = set()
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict) or not all(
            isinstance(row.get(name), str) for name in ("id", "experiment", "split")
        ):
            raise UserError(f"{source}: row {number} is no instance (an object with id, experiment, split and content)")
        if row["id"] in known:
            raise UserError(f"{source}: row {number} has the same id as an earlier one, {row['id']}")
        known.add(row["id"])
        if not row["id"].startswith(f"{game.name}/{game.version}/"):
            raise UserError(f"{source}: row {number} ({row['id']}) is not of {game.name} version {game.version}")
        try:
            Episode(game, row)
        except Exception as error:  # whatever a game makes of fields that it does not know
            raise UserError(f"{source}: {game.name} cannot begin row {number} ({row['id']}): {error!r}") from None
