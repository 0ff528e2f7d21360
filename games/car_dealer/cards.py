"""Buyers' cards and what a dealer has in stock (content and licence: CONTENT.md)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

BRANDS = (
    *("Alvaro", "Brenta", "Corvin", "Dalgrave", "Estello", "Fjordan", "Garrick"),
    *("Halcyon", "Iverra", "Jorvik", "Kestrel", "Lumeno", "Mardale"),
)
"""Invented; the paper's code has as many."""
TYPES = ("city car", "estate car", "pickup truck", "sports car", "off-roader", "people carrier")
FEATURES = (
    *("heated seats", "a glass roof", "a tow bar", "parking sensors"),
    *("leather seats", "cruise control", "a reversing camera", "keyless entry"),
)
BUDGETS = (10_000, 30_000, 50_000, 70_000, 90_000)
LOW, HIGH = 0.85, 1.25
"""A list price lies between these multiples of the budget."""
STOCK = 4
"""Cars on offer, one of them of the brand and type that the buyer wants."""


class Persona(NamedTuple):
    """How a buyer behaves; the numbers are those of the scripted buyer.

    Attributes:
        name: Its name.
        design: `kinds` (as in the paper) or `moods` (as in its code).
        manner: What a model in the role is told.
        base: The share of what it could pay that it would pay at once.
        cut: What each lower offer adds to the share.
        feature: What naming all features adds.
        calm: Messages that cost nothing.
        decay: What each further one takes from the share.
        patience: The message after which it leaves.
        says: Sentences that give it away.
    """

    name: str
    design: str
    manner: str
    base: float
    cut: float
    feature: float
    calm: int
    decay: float
    patience: int
    says: list[str]


def _read() -> list[Persona]:
    with (Path(__file__).parent / "data" / "personas.jsonl").open(encoding="utf-8") as lines:
        return [Persona(**json.loads(line)) for line in lines]


PERSONAS: Mapping[str, Persona] = {persona.name: persona for persona in _read()}
DESIGNS = {name: [p.name for p in PERSONAS.values() if p.design == name] for name in ("kinds", "moods")}


def _list_price(budget: int, rng: Random) -> int:
    return round(budget * rng.uniform(LOW, HIGH) / 100) * 100


def draw(design: str, rng: Random) -> dict[str, Any]:
    """A card, the list price of the car that it asks for, and a stock that holds this car."""
    budget = rng.choice(BUDGETS)
    wanted, *others = rng.sample(BRANDS, STOCK)
    card = {
        "persona": rng.choice(DESIGNS[design]),
        "brand": wanted,
        "type": rng.choice(TYPES),
        "features": rng.sample(FEATURES, rng.randint(1, 4)),
        "budget": budget,
        "list_price": _list_price(budget, rng),
    }
    stock = [[brand, rng.choice(TYPES), _list_price(rng.choice(BUDGETS), rng)] for brand in others]
    stock.insert(rng.randrange(STOCK), [wanted, card["type"], card["list_price"]])
    return card | {"stock": stock}
