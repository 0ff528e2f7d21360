"""The scripted buyer: a persona's numbers, applied to what the seller has said."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from .cards import BRANDS, FEATURES, PERSONAS
from .reading import plain, read_prices

STEP = 0.01
"""A lower offer counts as one if it is lower by this share of the list price."""
CUTS = 4
"""More lower offers than these move nobody."""
BELIEVED = 4
"""Features that a message may name; of one that praises everything nothing is believed."""
SERIOUS = (0.25, 2)
"""Amounts outside these multiples of the list price are no offers: rates, extras, or nonsense."""
COUNTER = 0.92
"""What the buyer says that it would pay, as a share of what it would."""

NAMES = {feature: plain(feature.removeprefix("a ")) for feature in FEATURES}
"""Feature -> how it is looked for in a message."""
_BRANDS = re.compile(rf"\b({'|'.join(BRANDS).lower()})\b")


def named_features(text: str) -> list[str]:
    """The features that a message of `plain` words names."""
    return [feature for feature, words in NAMES.items() if words in text]


def money(amount: int) -> str:
    """An amount as players write it."""
    return f"${amount:,}"


def listed(words: Sequence[str]) -> str:
    """An enumeration: `a, b and c`."""
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def accept(list_price: int, price: int) -> str:
    """The decision line of a sale."""
    return f"Output: Decision=Accept MSRP={money(list_price)} Buy Price={money(price)}"


def reject(list_price: int) -> str:
    """The decision line of a buyer who leaves."""
    return f"Output: Decision=Reject MSRP={money(list_price)}"


class Buyer:
    """A buyer in a talk. It hears the seller's messages in order, and answers the last one.

    Args:
        card: What the role is told of an instance.
    """

    def __init__(self, card: Mapping[str, Any]):
        self.brand, self.type, self.features = card["brand"], card["type"], card["features"]
        self.list_price: int = card["list_price"]
        self.ceiling = min(card["budget"], self.list_price)
        self.persona = PERSONAS[card["persona"]]
        self.messages = self.cuts = 0
        self.other_car = False
        self.missing = list(self.features)
        self.offer: int | None = None
        self._lowest: int | None = None
        self._brand = self.brand.lower()

    def hear(self, text: str) -> None:
        """Takes in a message of the seller."""
        self.messages += 1
        own = self._own_part(text)
        self.other_car = own is None
        if own is None:
            return
        named = named_features(plain(own))
        if self.missing and 0 < len(named) <= BELIEVED:
            self.missing = [feature for feature in self.missing if feature not in named]
        low, high = (share * self.list_price for share in SERIOUS)
        offer = next((price for price in reversed(read_prices(own).offers) if low <= price <= high), None)
        if offer is None:
            return
        if self._lowest is not None and offer <= self._lowest - STEP * self.list_price:
            self.cuts += 1
        self._lowest = offer if self._lowest is None else min(offer, self._lowest)
        self.offer = offer

    def _own_part(self, text: str) -> str | None:
        """What a message says of the wanted car: in a list of cars, what follows its brand; None if nothing."""
        before, *rest = _BRANDS.split(text.lower())
        brands = rest[::2]
        if not brands:  # Once it has said what it wants, such a message is about that car.
            return None if self.messages == 1 else before
        if self._brand not in brands:
            return None
        if len(set(brands)) == 1:
            return text
        return "\n".join(part for brand, part in zip(brands, rest[1::2], strict=True) if brand == self._brand)

    @property
    def limit(self) -> int:
        """The most that it would pay now; never more than its budget or the list price."""
        one = self.persona
        share = one.base + one.cut * min(self.cuts, CUTS) - one.decay * max(0, self.messages - one.calm)
        share += one.feature * (1 - len(self.missing) / len(self.features))
        return int(self.ceiling * max(0.0, min(1.0, share)))

    @property
    def deal(self) -> int | None:
        """The last offer, if it is low enough now."""
        return self.offer if self.offer is not None and self.offer <= self.limit else None

    def answer(self) -> str:
        """A decision line, or what it says to the seller."""
        if self.deal is not None or self.messages >= self.persona.patience:
            return self.decide()
        says = self.persona.says
        return f"{says[self.messages % len(says)]} {self._wish()}"

    def decide(self) -> str:
        """The decision line, now."""
        deal = self.deal
        return reject(self.list_price) if deal is None else accept(self.list_price, deal)

    def _wish(self) -> str:
        if self.other_car:
            return f"I am looking for the {self.brand} {self.type} with {listed(self.features)}."
        asked = f" And what about {self.missing[0]}?" if self.missing else ""
        if self.offer is None:
            return f"What would the whole car cost?{asked}"
        return f"{money(self.offer)} is more than I want to pay; I would pay {money(int(COUNTER * self.limit))}.{asked}"
