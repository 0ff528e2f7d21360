"""Draws boards: which words, and whose."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random
from typing import Any, NamedTuple

from .board import KINDS
from .words import categories, related, word_list


class Experiment(NamedTuple):
    """What is special about the boards of an experiment.

    Attributes:
        words: Name of the list of words, or of the way in which categories are dealt out.
        opponent: Words that the opponents uncover in a turn.
        counts: Words of each of `KINDS`.
    """

    words: str = "common"
    opponent: int = 1
    counts: tuple[int, ...] = (9, 8, 7, 1)


EXPERIMENTS = {
    "risk_low": Experiment(counts=(9, 8, 8, 0)),
    "risk_high": Experiment(counts=(9, 8, 3, 5)),
    "association_easy": Experiment("together"),
    "association_difficult": Experiment("apart"),
    "opponent_none": Experiment(opponent=0),
    "opponent_easy": Experiment(),
    "opponent_difficult": Experiment(opponent=2),
    "frequency_low": Experiment("frequency_low"),
    "frequency_high": Experiment("frequency_high"),
    "unambiguous": Experiment("unambiguous"),
    "ambiguous": Experiment("ambiguous"),
    "concrete": Experiment("concrete"),
    "abstract": Experiment("abstract"),
}


def draw(name: str, rng: Random) -> dict[str, Any]:
    """A board of an experiment; no word on it is a form or a part of another one."""
    words, opponent, counts = EXPERIMENTS[name]
    if words == "together":
        assignments = _together(counts, rng)
    elif words == "apart":
        assignments = _apart(counts, rng)
    else:
        assignments = _split(_unrelated(word_list(words), [], sum(counts), rng), counts)
    board = [word for kind in KINDS for word in assignments[kind]]
    return {
        "board": rng.sample(board, len(board)),
        "assignments": assignments,
        "opponent_difficulty": opponent,
        "opponent_order": rng.sample(assignments["opponent"], counts[1]),
    }


def _unrelated(words: Iterable[str], taken: list[str], count: int, rng: Random) -> list[str]:
    """So many words that are not related to each other nor to those taken; fewer if there are no more."""
    chosen: list[str] = []
    pool = list(words)
    rng.shuffle(pool)
    for word in pool:
        if len(chosen) == count:
            break
        if not related(word, [*taken, *chosen]):
            chosen.append(word)
    return chosen


def _split(words: list[str], counts: tuple[int, ...]) -> dict[str, list[str]]:
    assignments, start = {}, 0
    for kind, count in zip(KINDS, counts, strict=True):
        assignments[kind] = words[start : start + count]
        start += count
    return assignments


def _together(counts: tuple[int, ...], rng: Random) -> dict[str, list[str]]:
    """Every kind is made of groups of two to four words of one category."""
    fresh = list(categories().values())
    rng.shuffle(fresh)
    words: list[str] = []
    for count in counts:
        end = len(words) + count
        while left := end - len(words):
            sizes = [size for size in (2, 3, 4) if size <= left and left - size != 1]
            words += _unrelated(fresh.pop(), words, rng.choice(sizes or [left]), rng)
    return _shuffled(_split(words, counts), rng)


def _apart(counts: tuple[int, ...], rng: Random) -> dict[str, list[str]]:
    """Every category has four or five words on the board, dealt out to the kinds with most places left."""
    fresh = list(categories().values())
    rng.shuffle(fresh)
    left = dict(zip(KINDS, counts, strict=True))
    assignments: dict[str, list[str]] = {kind: [] for kind in KINDS}
    taken: list[str] = []
    while missing := sum(left.values()):
        size = min(missing, rng.randint(4, 5))
        group = _unrelated(fresh.pop(), taken, size, rng)
        dealt: list[str] = []
        for word in group:
            kind = min(KINDS, key=lambda kind: (dealt.count(kind), -left[kind]) if left[kind] else (len(group), 0))
            dealt.append(kind)
            left[kind] -= 1
            assignments[kind].append(word)
        taken += group
    return _shuffled(assignments, rng)


def _shuffled(assignments: dict[str, list[str]], rng: Random) -> dict[str, list[str]]:
    return {kind: rng.sample(words, len(words)) for kind, words in assignments.items()}
