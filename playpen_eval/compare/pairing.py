"""Pairs the episodes and items of two runs, or says why they cannot be compared."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from playpen_eval.errors import UserError
from playpen_eval.report.summary import Setup, by_setup, label_setups
from playpen_eval.runs import EpisodeRecord, ItemRecord, Run, RunMeta
from playpen_eval.skills.catalogue import benchmark_of_task

ALLOWED = ("instances", "precision", "settings")
"""Differences that somebody may declare harmless; a difference of instances then means that of their digests only."""

_Record = TypeVar("_Record")


class EpisodePair(NamedTuple):
    """One play of one instance in both runs."""

    before: EpisodeRecord
    after: EpisodeRecord

    @property
    def change(self) -> float:
        """Points that the episode gained; an aborted episode counts 0."""
        return 100 * ((self.after.score or 0.0) - (self.before.score or 0.0))


class ItemPair(NamedTuple):
    """One answer to one item of a reference benchmark in both runs."""

    before: ItemRecord
    after: ItemRecord


class Conflict(NamedTuple):
    """A reason not to compare.

    Attributes:
        what: One of `ALLOWED`, or something that nobody can allow.
        why: With the values of both sides.
    """

    what: str
    why: str


@dataclass(frozen=True)
class Paired:
    """What two runs have in common.

    Attributes:
        games: Label -> pairs of episodes in which nobody else than the learner broke the protocol.
        setups: Label -> setup.
        items: Pairs of items of reference benchmarks; of a benchmark that is a game, its episodes once more.
        only_before: Game, benchmark or setup -> ids that only the first run has.
        only_after: The same of the second run.
        partner_faults: Label -> pairs left out because a partner broke the protocol in one of the runs.
        cautions: What could not be checked, and differences that were allowed.
    """

    games: Mapping[str, list[EpisodePair]]
    setups: Mapping[str, Setup]
    items: list[ItemPair]
    only_before: Mapping[str, list[str]]
    only_after: Mapping[str, list[str]]
    partner_faults: Mapping[str, int]
    cautions: tuple[str, ...]


def pair_runs(before: Run, after: Run, allow: Collection[str] = ()) -> Paired:
    """Pairs two runs by instance.

    Args:
        before: The first run.
        after: The second.
        allow: Differences that do not matter, of `ALLOWED`.

    Raises:
        UserError: They were made under different conditions, or have nothing in common.
    """
    if unknown := sorted(set(allow) - set(ALLOWED)):
        raise UserError(f"cannot allow a difference of {', '.join(unknown)}; only of {', '.join(ALLOWED)}")
    first, second = _setups(before), _setups(after)
    common = [setup for setup in first if setup in second]
    conflicts = _conditions(before.meta, after.meta)
    for game in sorted({setup.game for setup in first} & {setup.game for setup in second}):
        conflicts += _game_conflicts(game, before, after, first, second)
    conflicts += _benchmark_conflicts(before, after)
    refused = [conflict.why for conflict in conflicts if conflict.what not in allow]
    if refused:
        allowable = sorted({conflict.what for conflict in conflicts} & set(ALLOWED) - set(allow))
        hint = f"; if that does not matter: --allow {','.join(allowable)}" if allowable else ""
        raise UserError(f"{before.meta.label} and {after.meta.label} cannot be compared: {'; '.join(refused)}{hint}")
    leftovers: tuple[dict[str, list[str]], dict[str, list[str]]] = ({}, {})
    labels = {setup: label for label, setup in label_setups(common).items()}
    games, faults = {}, {}
    for setup in dict.fromkeys([*first, *second]):
        label = labels.get(setup) or " ".join(str(part) for part in _shown(setup))
        pairs = _matched(label, _keyed(first.get(setup, [])), _keyed(second.get(setup, [])), leftovers)
        if setup in labels and pairs:
            clean = [pair for pair in pairs if not (pair[0].partner_fault or pair[1].partner_fault)]
            faults[label] = len(pairs) - len(clean)
            games[label] = [EpisodePair(*pair) for pair in clean]
    items = _item_pairs(before, after, leftovers)
    if not items and not any(games.values()):
        raise UserError(f"{before.meta.label} and {after.meta.label} have no instance in common")
    return Paired(
        {label: games[label] for label in sorted(games)},
        {label: setup for setup, label in labels.items()},
        items,
        *leftovers,
        {label: n for label, n in faults.items() if n},
        tuple(_cautions(before.meta, after.meta, conflicts)),
    )


def _setups(run: Run) -> dict[Setup, list[EpisodeRecord]]:
    return {Setup.of(episodes[0]): episodes for episodes in by_setup(run.episodes).values()}


def _shown(setup: Setup) -> list[str]:
    return [setup.game, f"({setup.split})", f"beside {setup.partner or '?'}"]


def _keyed(episodes: Iterable[EpisodeRecord]) -> dict[tuple[str, int], EpisodeRecord]:
    return {(episode.instance, episode.epoch): episode for episode in episodes}


def _matched(
    label: str,
    first: Mapping[tuple[str, int], _Record],
    second: Mapping[tuple[str, int], _Record],
    leftovers: tuple[dict[str, list[str]], dict[str, list[str]]],
) -> list[tuple[_Record, _Record]]:
    """Pairs of what both have, in sorted order; notes the keys that only one of them has."""
    for one, other, found in ((first, second, leftovers[0]), (second, first, leftovers[1])):
        if lonely := sorted(one.keys() - other.keys()):
            found.setdefault(label, []).extend(
                name if epoch == 1 else f"{name} (epoch {epoch})" for name, epoch in lonely
            )
    return [(first[key], second[key]) for key in sorted(first.keys() & second.keys())]


def _item_pairs(
    before: Run, after: Run, leftovers: tuple[dict[str, list[str]], dict[str, list[str]]]
) -> list[ItemPair]:
    first, second = _items(before), _items(after)
    pairs = []
    for task in sorted(first.keys() | second.keys()):
        benchmark = benchmark_of_task()[task]
        # What is left over of a game was named as such.
        noted = ({}, {}) if benchmark.kind == "game" else leftovers
        pairs += _matched(benchmark.name, first.get(task, {}), second.get(task, {}), noted)
    return [ItemPair(*pair) for pair in pairs]


def _items(run: Run) -> dict[str, dict[tuple[str, int], ItemRecord]]:
    """Task -> its items; those of the smoke suite count only where there is nothing else."""
    tasks: dict[str, dict[tuple[str, int], ItemRecord]] = {}
    for item in run.items:
        tasks.setdefault(item.task, {})[item.item, item.epoch] = item
    real = {task: items for task, items in tasks.items() if not benchmark_of_task()[task].mini}
    return real or tasks


def _differs(one: Any, other: Any) -> bool:
    """Whether both logs tell something, and not the same."""
    return one is not None and other is not None and one != other


def _conditions(before: RunMeta, after: RunMeta) -> list[Conflict]:
    """Conditions of whole runs that differ."""
    found = [
        Conflict("precision", f"{name} is {getattr(before, name)} before and {getattr(after, name)} after")
        for name in ("dtype", "quantization")
        if _differs(getattr(before, name), getattr(after, name))
    ]
    # A log that tells the number format, and no quantization, says that there was none.
    if before.dtype and after.dtype and (before.quantization is None) != (after.quantization is None):
        values = [run.quantization or "none" for run in (before, after)]
        found.append(Conflict("precision", f"quantization is {values[0]} before and {values[1]} after"))
    for name in sorted(before.generation.keys() | after.generation.keys()):
        values = [run.generation.get(name) for run in (before, after)]
        if _differs(*values):
            found.append(Conflict("settings", f"{name} is {values[0]} before and {values[1]} after"))
    return found


def _game_conflicts(
    game: str,
    before: Run,
    after: Run,
    first: Mapping[Setup, list[EpisodeRecord]],
    second: Mapping[Setup, list[EpisodeRecord]],
) -> list[Conflict]:
    """Conditions of one game that differ."""
    ours, theirs = ([setup for setup in setups if setup.game == game] for setups in (first, second))
    common = [setup for setup in ours if setup in theirs]
    if not common:
        return [Conflict("setup", f"{game}: {why}") for why in _setup_differences(ours, theirs)]
    found = []
    versions = [_one(episode.version for setup in common for episode in setups[setup]) for setups in (first, second)]
    if _differs(*versions):
        found.append(Conflict("version", f"{game}: version {versions[0]} before and {versions[1]} after"))
    sources = [run.meta.instances.get(game) for run in (before, after)]
    digests = [source.sha256 if source else None for source in sources]
    if _differs(*digests):
        names = [f"{source.source} ({str(source.sha256)[:8]})" for source in sources if source]
        found.append(Conflict("instances", f"{game}: instances {names[0]} before and {names[1]} after"))
    return found


def _setup_differences(ours: list[Setup], theirs: list[Setup]) -> list[str]:
    names = {"split": "instances", "partner": "partner", "roles": "the learner's roles"}
    found = []
    for field, shown in names.items():
        one, other = ({getattr(setup, field) for setup in setups} for setups in (ours, theirs))
        if not one & other:
            texts = [", ".join(sorted(_value(field, value) for value in values)) for values in (one, other)]
            found.append(f"{shown} {texts[0]} before and {texts[1]} after")
    return found or ["no combination of instances, partner and roles is in both runs"]


def _value(field: str, value: Any) -> str:
    if field == "roles":
        return "all" if value is None else "+".join(value)
    return str(value) if value is not None else "not told"


def _one(values: Iterable[Hashable]) -> Any:
    """The one value that is told; None if there is none. Several versions of a game cannot be in one run."""
    return next((value for value in values if value is not None), None)


def _benchmark_conflicts(before: Run, after: Run) -> list[Conflict]:
    """Items with options are decided by likelihoods in lm-eval and asked by letter in Inspect."""
    formats = {before.meta.format, after.meta.format}
    if len(formats) == 1:
        return []
    both = {item.task for item in before.items} & {item.task for item in after.items}
    names = sorted({benchmark_of_task()[task].name for task in both if benchmark_of_task()[task].kind == "choice"})
    if not names:
        return []
    why = f"{', '.join(names)}: answered by likelihood in one harness and by letter in the other"
    return [Conflict("harness", f"{why} ({before.meta.format} before, {after.meta.format} after)")]


def _cautions(before: RunMeta, after: RunMeta, conflicts: Iterable[Conflict]) -> Iterable[str]:
    for conflict in conflicts:
        yield f"allowed: {conflict.why}"
    unknown = [name for name in ("dtype", "partner") if getattr(before, name) is None or getattr(after, name) is None]
    if unknown:
        yield f"not told by both logs: {', '.join('precision' if name == 'dtype' else name for name in unknown)}"
    for name in sorted(before.packages.keys() & after.packages.keys()):
        values = [run.packages[name] for run in (before, after)]
        if values[0] != values[1]:
            yield f"{name} {values[0]} before and {values[1]} after"
    if before.format != after.format:
        yield f"read from {before.format} before and {after.format} after"
