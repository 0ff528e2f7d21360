"""Does a data set share instances with an evaluation set: by id, by content, by the key that splits must not share?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from playpen_eval.clembench import translate
from playpen_eval.errors import UserError
from playpen_eval.game import Instance
from playpen_eval.instances import SPLITS, load_instances
from playpen_eval.recordings import read_recording
from playpen_eval.registry import load_game, scan
from playpen_eval.runs import read_play, read_run

from .dialogues import Fingerprint, fingerprint
from .files import ENDINGS, read_records

KINDS = ("id", "content", "key")


class Entry(NamedTuple):
    """One instance of a set.

    Attributes:
        game: The game's name.
        id: Id of the instance.
        print: Its fingerprint; None if only the id is known.
    """

    game: str
    id: str
    print: Fingerprint | None


class Leak(NamedTuple):
    """One instance of the first set that the second one has as well.

    Attributes:
        game: The game, as the first set names it.
        kind: How they are the same, the strongest of `KINDS`.
        id: Id in the first set.
        other: Id in the second set.
    """

    game: str
    kind: str
    id: str
    other: str


class Comparison(NamedTuple):
    """What comparing two sets brought.

    Attributes:
        leaks: The shared instances, each once.
        first: Distinct instances of the first set.
        second: Distinct instances of the second set.
        blind: Instances of either set of which only the id is known, so that the same content under another id would
            not be found.
        missing: Game -> why the second set has none of its instances.
    """

    leaks: list[Leak]
    first: int
    second: int
    blind: int
    missing: dict[str, str]


def compare(first: str, second: str) -> Comparison:
    """Looks for instances of one set in another.

    Args:
        first: The data set: a .jsonl or .parquet file.
        second: What it must not share with: a split of our games, `clembench:DIR@v2.0`, a file of instances, a run or
            recording, or another data set. Of splits and checkouts the games of `first` are meant, and those whose
            keys theirs may share.

    Raises:
        UserError: One of them cannot be read.
    """
    mine = _distinct(entries(first, ()))
    missing: dict[str, str] = {}
    theirs = _distinct(entries(second, {entry.game for entry in mine.values()}, missing))
    by_content: dict[str, str] = {}
    by_key: dict[str, str] = {}
    for entry in theirs.values():
        if entry.print:
            by_content.setdefault(entry.print.content, entry.id)
            by_key.setdefault(entry.print.key, entry.id)
    leaks = []
    for entry in mine.values():
        if entry.id in theirs:
            leaks.append(Leak(entry.game, "id", entry.id, entry.id))
        elif entry.print and entry.print.content in by_content:
            leaks.append(Leak(entry.game, "content", entry.id, by_content[entry.print.content]))
        elif entry.print and entry.print.key in by_key:
            leaks.append(Leak(entry.game, "key", entry.id, by_key[entry.print.key]))
    blind = sum(entry.print is None for entry in chain(mine.values(), theirs.values()))
    return Comparison(leaks, len(mine), len(theirs), blind, missing)


def _distinct(found: Iterator[Entry]) -> dict[str, Entry]:
    known: dict[str, Entry] = {}
    for entry in found:
        if entry.id not in known or known[entry.id].print is None:
            known[entry.id] = entry
    return known


def entries(source: str, games: Collection[str], missing: dict[str, str] | None = None) -> Iterator[Entry]:
    """The instances of a set, as often as they are there.

    Args:
        source: As for `compare`.
        games: The games that matter; of a checkout only they are read, of a split also all that are shipped, which
            may share a kind of key.
        missing: Takes the games that a checkout does not have, and why.

    Raises:
        UserError: It cannot be read.
    """
    if source in SPLITS or source.startswith("clembench:"):
        yield from _instances_of(source, games, {} if missing is None else missing)
    elif Path(source).suffix in ENDINGS:
        yield from map(_entry_of, read_records(Path(source)))
    else:
        yield from _played(Path(source))


def _instances_of(source: str, games: Collection[str], missing: dict[str, str]) -> Iterator[Entry]:
    for name, game in scan().games.items():
        if name not in games and not (source in SPLITS and game.sizes.get(source)):
            continue
        try:
            instances = load_instances(game, source).instances
        except UserError as error:  # a checkout without the game, a split that it does not have
            missing[name] = str(error)
            continue
        for instance in instances:
            yield Entry(name, instance["id"], fingerprint(game, instance))


def _entry_of(record: Mapping[str, Any]) -> Entry:
    """A record of a data set or of training rows, or an instance."""
    if {"instance", "game", "content", "key"} <= record.keys():
        return Entry(record["game"], record["instance"], Fingerprint(record["content"], record["key"]))
    if {"instance", "game", "prompt_ids"} <= record.keys():
        return Entry(record["game"], record["instance"], None)
    if {"id", "experiment", "split"} <= record.keys():
        name = str(record["id"]).partition("/")[0]
        return Entry(name, record["id"], fingerprint(load_game(name), dict(record)))
    raise UserError(f"a record with {', '.join(sorted(record))[:200]} is neither of a data set nor an instance")


def _played(path: Path) -> Iterator[Entry]:
    run = read_run(path)
    if run.meta.format == "clembench":
        yield from _recorded(path)
        return
    games = scan().games
    for record in run.episodes:
        print_ = None
        if game := games.get(record.game):
            try:
                print_ = fingerprint(game, read_play(record.locator).instance)
            except UserError:  # another version of the game, or a file of instances that is gone: the id is left
                print_ = None
        yield Entry(record.game, record.instance, print_)


def _recorded(path: Path) -> Iterator[Entry]:
    games = {game.upstream_name: game for game in scan().games.values()}
    for recorded in read_recording(path).episodes:
        if game := games.get(recorded.game):
            instance: Instance = translate(
                game,
                recorded.experiment,
                dict(game.from_recording(recorded.instance, recorded.interactions)),
                recorded.version,
            )
            yield Entry(game.name, instance["id"], fingerprint(game, instance))


def by_game(leaks: Collection[Leak]) -> dict[str, dict[str, int]]:
    """Counts by game and kind."""
    counts: dict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(KINDS, 0))
    for leak in leaks:
        counts[leak.game][leak.kind] += 1
    return dict(counts)
