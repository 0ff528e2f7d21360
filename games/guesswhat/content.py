"""The words that instances are made of, by category and subcategory, and the prompts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import NamedTuple

from playpen_eval.game import read_texts

PROMPTS = read_texts(__file__)


class Place(NamedTuple):
    """Where a word belongs."""

    category: str
    subcategory: str


Tree = Mapping[str, Mapping[str, tuple[str, ...]]]
"""Category -> subcategory -> words."""


def _read(name: str) -> Tree:
    """A category stands alone in its line; its subcategories follow, indented, each with its words."""
    tree: dict[str, dict[str, tuple[str, ...]]] = {}
    category = ""
    for line in (Path(__file__).parent / name).read_text(encoding="ascii").splitlines():
        label, _, words = line.strip().partition(":")
        if line.startswith(" "):
            tree[category][label] = tuple(words.split())
        else:
            category = label
            tree[category] = {}
    return tree


CONCRETE = _read("concrete.txt")
ABSTRACT = _read("abstract.txt")
PLACES: Mapping[str, Place] = {
    word: Place(category, subcategory)
    for tree in (CONCRETE, ABSTRACT)
    for category, subcategories in tree.items()
    for subcategory, words in subcategories.items()
    for word in words
}
"""Every word -> its category and subcategory."""


class Level(NamedTuple):
    """How the candidates of an experiment are drawn: so many of each within the one before."""

    tree: Tree
    categories: int
    subcategories: int
    words: int


LEVELS: Mapping[str, Level] = {
    "level_1": Level(CONCRETE, 4, 2, 1),
    "level_2": Level(CONCRETE, 2, 2, 2),
    "level_3": Level(CONCRETE, 1, 4, 2),
    "abs_level_1": Level(ABSTRACT, 4, 2, 1),
    "abs_level_2": Level(ABSTRACT, 2, 2, 2),
    "abs_level_3": Level(ABSTRACT, 1, 4, 2),
}


def draw_candidates(level: Level, rng: Random) -> list[str]:
    """Eight words in random order."""
    words = [
        word
        for category in rng.sample(sorted(level.tree), level.categories)
        for subcategory in rng.sample(sorted(level.tree[category]), level.subcategories)
        for word in rng.sample(level.tree[category][subcategory], level.words)
    ]
    rng.shuffle(words)
    return words
