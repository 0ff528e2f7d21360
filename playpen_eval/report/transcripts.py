"""Which transcripts a page holds, and their texts as JSON that is safe inside of HTML."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from playpen_eval.compare.pairing import EpisodePair
from playpen_eval.errors import UserError
from playpen_eval.report.summary import by_setup
from playpen_eval.runs import EpisodeRecord, Locator, Run, read_transcript

TEXT = 10_000
"""Characters of a prompt or reply that are shown; the others are counted."""

EPISODE = 200_000
"""Characters of all texts of an episode that are shown."""

_T = TypeVar("_T")


class Shown(NamedTuple):
    """An episode of one run, or the same one of two runs, that can be read in the page.

    Attributes:
        id: What a link to it ends with.
        label: Game, or setup.
        sides: (name of the run, episode), one or two.
    """

    id: str
    label: str
    sides: tuple[tuple[str, EpisodeRecord], ...]


@dataclass(frozen=True)
class Chosen:
    """Some of the episodes.

    Attributes:
        shown: Those to be read.
        of: Number of episodes, or pairs, that they were chosen from.
    """

    shown: tuple[Shown, ...]
    of: int


def _mixed(groups: Mapping[Hashable, Sequence[_T]], most: int) -> list[_T]:
    """At most so many members: as many of each group as there are, evenly spaced over it."""
    quota, left = dict.fromkeys(groups, 0), most
    while left > 0 and (open_groups := [name for name in groups if quota[name] < len(groups[name])]):
        for name in open_groups[:left]:
            quota[name] += 1
        left = most - sum(quota.values())
    return [groups[name][index * len(groups[name]) // n] for name, n in quota.items() for index in range(n)]


def _grouped(records: Iterable[_T], key: Any) -> dict[Hashable, list[_T]]:
    groups: dict[Hashable, list[_T]] = {}
    for record in records:
        groups.setdefault(key(record), []).append(record)
    return dict(sorted(groups.items(), key=lambda group: str(group[0])))


def choose_episodes(run: Run, name: str, prefix: str, most: int) -> Chosen:
    """At most so many episodes of each game, of all outcomes."""
    shown = []
    for label, episodes in by_setup(run.episodes).items():
        ordered = sorted(episodes, key=_place)
        for episode in sorted(_mixed(_grouped(ordered, lambda one: one.kind), most), key=_place):
            shown.append(Shown(episode_id(prefix, label, episode), label, ((name, episode),)))
    return Chosen(tuple(shown), len(run.episodes))


def choose_pairs(
    games: Mapping[str, Sequence[EpisodePair]],
    changed: Sequence[EpisodePair],
    names: tuple[str, str],
    prefix: str,
    most: int,
) -> Chosen:
    """At most so many pairs of each game: of those that changed most, then of all shifts of the outcome."""
    shown = []
    first = {pair_key(pair) for pair in changed}
    for label, pairs in games.items():
        there = {pair_key(pair) for pair in pairs}
        chosen = [pair for pair in changed if pair_key(pair) in there][:most]
        others = [pair for pair in pairs if pair_key(pair) not in first]
        chosen += _mixed(_grouped(others, lambda pair: (pair.before.kind, pair.after.kind)), most - len(chosen))
        for before, after in chosen:
            shown.append(Shown(episode_id(prefix, label, before), label, tuple(zip(names, (before, after)))))
    return Chosen(tuple(shown), sum(map(len, games.values())))


def pair_key(pair: EpisodePair) -> tuple[Locator, Locator]:
    """What no other pair has."""
    return pair.before.locator, pair.after.locator


def _place(episode: EpisodeRecord) -> tuple[str, int]:
    return episode.instance, episode.epoch


def episode_id(prefix: str, label: str, episode: EpisodeRecord) -> str:
    """The same in every page of the same runs: links to an episode stay."""
    slug = re.sub("[^a-z0-9_]+", "-", episode.game.lower())[:40].strip("-")
    text = json.dumps([label, episode.instance, episode.epoch])
    return f"{prefix}-{slug}-{hashlib.sha256(text.encode()).hexdigest()[:10]}"


def transcripts_json(chosen: Sequence[Shown]) -> tuple[str, list[str]]:
    """What the script of the page reads.

    Returns:
        JSON for the inside of a script element, and why some transcripts are not in it.
    """
    texts, unreadable = _read({episode.locator for shown in chosen for _, episode in shown.sides})
    rows = []
    for shown in chosen:
        first = shown.sides[0][1]
        rows.append(
            {
                "id": shown.id,
                "game": shown.label,
                "instance": first.instance,
                "experiment": first.experiment,
                "epoch": first.epoch,
                "sides": [_side(name, episode, texts[episode.locator]) for name, episode in shown.sides],
            }
        )
    return embedded(rows), unreadable


def embedded(data: Any) -> str:
    """JSON that cannot end the script element it is in, nor a line of it; lone surrogates are escaped as well."""
    text = json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _side(name: str, episode: EpisodeRecord, turns: list[list[Any]] | str) -> dict[str, Any]:
    fault = "the learner" if episode.learner_fault else "a partner" if episode.partner_fault else None
    side = {"run": name, "kind": episode.kind, "score": None if episode.score is None else 100 * episode.score}
    return side | {"fault": fault} | ({"why": turns} if isinstance(turns, str) else {"turns": turns})


def _read(locators: Iterable[Locator]) -> tuple[dict[Locator, list[list[Any]] | str], list[str]]:
    """Locator -> its turns, or why they cannot be read."""
    from rich.console import Console
    from rich.progress import track

    # File by file: only the last recording that was opened is kept in memory.
    ordered = sorted(locators, key=lambda locator: tuple(map(str, locator)))
    found: dict[Locator, list[list[Any]] | str] = {}
    unreadable = []
    for locator in track(
        ordered,
        "transcripts",
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    ):
        try:
            found[locator] = _clipped(read_transcript(locator))
        except UserError as error:
            found[locator] = str(error)
            unreadable.append(str(error))
    return found, unreadable


def _clipped(turns: Sequence[tuple[str, str | None, str]]) -> list[list[Any]]:
    """[role, told, characters left out of it, reply, characters left out of it] of each turn."""
    left, rows = EPISODE, []
    for role, *texts in turns:
        row: list[Any] = [role]
        for text in texts:
            kept = None if text is None else text[: min(TEXT, left)]
            left -= len(kept or "")
            row += [kept, len(text or "") - len(kept or "")]
        rows.append(row)
    return rows
