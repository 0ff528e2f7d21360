"""Cards, how they match, and the decks that instances are made of."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise, permutations
from random import Random

NUMBER, COLOUR, SHAPE, FILL = range(4)
RULES = (NUMBER, COLOUR, SHAPE)
"""The features that may be the rule; `FILL`, on cards that have it, never is."""

NUMBERS = ("one", "two", "three", "four")
COLOURS = ("red", "green", "yellow", "blue")
SHAPES = (("triangle", "triangles"), ("star", "stars"), ("cross", "crosses"), ("circle", "circles"))
FILLS = ("solid", "striped", "dotted", "hollow")

Card = list[int]
"""The value of each feature, 0 to 3: number, colour, shape and, on some cards, fill."""

COPIES = 2


def show(card: Sequence[int]) -> str:
    """A card as the participant reads it, such as `two striped green stars`."""
    fill = [FILLS[card[FILL]]] if len(card) > FILL else []
    return " ".join([NUMBERS[card[NUMBER]], *fill, COLOURS[card[COLOUR]], SHAPES[card[SHAPE]][card[NUMBER] > 0]])


def matched_by(card: Sequence[int], references: Sequence[Sequence[int]], choice: int) -> int | None:
    """The feature that a card has in common with a reference card; None if there is none."""
    return next((f for f, value in enumerate(card) if references[choice][f] == value), None)


def match(card: Sequence[int], references: Sequence[Sequence[int]], feature: int) -> int:
    """The index of the reference card that has a feature in common with a card."""
    return next(index for index, reference in enumerate(references) if reference[feature] == card[feature])


def draw_references(features: int, rng: Random) -> list[Card]:
    """Four cards that have no feature in common."""
    columns = [rng.sample(range(4), 4) for _ in range(features)]
    return [list(values) for values in zip(*columns, strict=True)]


def draw_cards(references: Sequence[Card], rng: Random) -> list[Card]:
    """Every card whose features each match another reference card, twice, in an order without immediate repetition."""
    features = range(len(references[0]))
    ways = permutations(range(4), len(features))
    cards = [[references[way[f]][f] for f in features] for way in ways] * COPIES
    while True:
        rng.shuffle(cards)
        if all(one != other for one, other in pairwise(cards)):
            return cards


def draw_rules(count: int, rng: Random) -> list[int]:
    """A rule for each category: first all of them in some order, then always another than before."""
    rules = rng.sample(RULES, len(RULES))
    while len(rules) < count:
        rules.append(rng.choice([rule for rule in RULES if rule != rules[-1]]))
    return rules
