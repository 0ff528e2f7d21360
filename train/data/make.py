"""Makes a data set: dialogues from sources or fresh play, selected, as records of one kind, with a manifest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from playpen_eval.errors import UserError
from playpen_eval.game import Game, Instance
from playpen_eval.instances import InstanceSet

from ..rewards import Shaping
from .branching import Branching, Spent, branch
from .dialogues import Dialogue
from .files import check_ending, write_records
from .fresh import Cast, TextPlay, fresh
from .journal import Journal
from .manifest import Tally, sha256_of, write_manifest
from .pairs import Pairing, capped, make_pairs
from .policy import Policy
from .records import CHATS, FORMATS, preferences
from .selection import Selection, ranked_players, select
from .sources import Request, read_source


@dataclass(frozen=True)
class Recipe:
    """What becomes of the dialogues.

    Attributes:
        kind: One of `records.FORMATS`.
        selection: Which dialogues are kept.
        pairing: How pairs are made of them.
        shaping: Rewards in the records.
    """

    kind: str = "sft"
    selection: Selection = field(default_factory=Selection)
    pairing: Pairing = field(default_factory=Pairing)
    shaping: Shaping = field(default_factory=Shaping)


@dataclass(frozen=True)
class FreshPlay:
    """What is played for the data set.

    Attributes:
        sets: Games with their instances.
        cast: Who plays.
        limit: Instances of each game; None for all.
        repeats: Episodes of each instance.
        seed: Seed of all choices.
        batch: Episodes side by side.
        identity: What tells this play from others, for the journal and the manifest.
    """

    sets: Sequence[tuple[Game, InstanceSet]]
    cast: Cast
    limit: int | None = None
    repeats: int = 1
    seed: str = "0"
    batch: int = 256
    identity: Mapping[str, Any] = field(default_factory=dict)

    def wanted(self, policy: Policy, left_out: Counter[str]) -> list[tuple[Game, Instance, int]]:
        """What to play, games and repeats interleaved, so that an interrupted play is balanced."""
        columns: list[list[tuple[Game, Instance]]] = []
        for game, found in self.sets:
            column = []
            for instance in found.instances:
                if refused := policy.refusal(game, instance):
                    left_out[refused] += 1
                elif self.limit is None or len(column) < self.limit:
                    column.append((game, instance))
            if not column:
                raise UserError(f"{game.name}: no instance of {found.source!r} may be trained on ({dict(left_out)})")
            columns.append(column)
        longest = max(map(len, columns))
        order = [column[place] for place in range(longest) for column in columns if place < len(column)]
        return [(game, instance, repeat) for repeat in range(self.repeats) for game, instance in order]


def make_from_sources(
    output: Path, paths: Sequence[Path], request: Request, recipe: Recipe, progress: Callable[[], None]
) -> dict[str, Any]:
    """Makes a data set of what others played.

    Args:
        output: The file.
        paths: The sources.
        request: What is wanted of them; takes what was left out.
        recipe: What becomes of it.
        progress: Called after each dialogue read.

    Returns:
        The manifest.

    Raises:
        UserError: A source cannot be read, or nothing is left to write.
    """
    _check(output, recipe)
    sides = []
    for path in paths:
        for side in read_source(path, request):
            sides.append(side)
            progress()
    sources = [{"path": str(path), "sha256": sha256_of(path)} for path in paths]
    told = {"sources": sources, "left_out": dict(request.left_out), "problems": request.problems}
    told["ranking"] = list(recipe.selection.ranking) or ranked_players(sides)
    return _write(output, _records(sides, recipe), recipe, told)


def make_from_play(
    output: Path,
    play: FreshPlay,
    policy: Policy,
    recipe: Recipe,
    branching: Branching | None,
    progress: Callable[[int], None],
) -> dict[str, Any]:
    """Makes a data set of episodes played for it; interrupted, the next call goes on.

    Args:
        output: The file.
        play: What is played.
        policy: What may be trained on.
        recipe: What becomes of it.
        branching: Branch a turn of each seat and write pairs of its replies; the recipe then counts for nothing but
            its caps.
        progress: Called with the number of episodes to play, negative, then after each with 1.

    Returns:
        The manifest.

    Raises:
        UserError: Nothing may be played, the journal is of another play, or nothing is left to write.
    """
    _check(output, recipe)
    left_out: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    wanted = play.wanted(policy, left_out)
    progress(-len(wanted))
    told: dict[str, Any] = {"play": dict(play.identity), "seed": play.seed}
    journal = Journal(output, {**play.identity, "seed": play.seed})
    finished = False
    try:
        played = _counted(fresh(wanted, play.cast, play.seed, failed, journal, play.batch), progress)
        if branching is not None:
            spent = Spent()
            pairs = list(branch(played, play.cast, branching, spent, failed))
            told["branching"] = {**asdict(branching), **{f"{name}_used": n for name, n in asdict(spent).items()}}
            records: Iterable[dict[str, Any]] = preferences(capped(pairs, recipe.pairing))
        elif recipe.kind in CHATS and recipe.selection == Selection(seed=recipe.selection.seed):
            # Nothing has to be compared, so nothing has to be kept in memory.
            records = CHATS[recipe.kind]((side for _, sides in played for side in sides), recipe.shaping)
        else:
            records = _records([side for _, sides in played for side in sides], recipe)
        told |= {"left_out": left_out, "failed": failed}
        manifest = _write(output, records, recipe, told)
        finished = True
    finally:
        journal.close(finished=finished)
    return manifest


def _counted(
    played: Iterator[tuple[TextPlay, list[Dialogue]]], progress: Callable[[int], None]
) -> Iterator[tuple[TextPlay, list[Dialogue]]]:
    for one in played:
        yield one
        progress(1)


def _check(output: Path, recipe: Recipe) -> None:
    check_ending(output)
    if recipe.kind not in FORMATS:
        raise UserError(f"unknown kind of data {recipe.kind!r}; use one of {', '.join(FORMATS)}")


def _records(sides: Sequence[Dialogue], recipe: Recipe) -> Iterable[dict[str, Any]]:
    kept = select(sides, recipe.selection)
    if recipe.kind in CHATS:
        return CHATS[recipe.kind](kept, recipe.shaping)
    return preferences(make_pairs(kept, recipe.pairing))


def _write(output: Path, records: Iterable[dict[str, Any]], recipe: Recipe, told: Mapping[str, Any]) -> dict[str, Any]:
    tally = Tally()
    write_records(output, _some(tally.passing(records), told))
    return write_manifest(output, tally, {"recipe": asdict(recipe), **told})


def _some(records: Iterable[dict[str, Any]], told: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The records, of which there must be one: an empty file would fail much later, in training."""
    empty = True
    for record in records:
        empty = False
        yield record
    if empty:
        why = ", ".join(
            f"{count} {reason}" for name in ("left_out", "failed") for reason, count in told.get(name, {}).items()
        )
        raise UserError(f"nothing to write: no dialogue fits the selection{f' (left out: {why})' if why else ''}")
