"""Sellers: the scripted player and the behaviour policies, each against the scripted buyer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any, NamedTuple

from .buyer import COUNTER, CUTS, STEP, Buyer, listed, money, named_features
from .cards import FEATURES
from .reading import plain, read_prices

ROUNDS = 25
"""Messages of the seller, and as many of the buyer."""

Stock = Sequence[tuple[str, str, int]]
"""Brand, type and list price of each car."""


class Best:
    """A seller who knows how scripted buyers think: it lowers its price for as long as this raises what they would pay.

    Args:
        stock: The cars on offer.
    """

    def __init__(self, stock: Stock):
        self.stock = stock
        self.car: tuple[str, str, int] | None = None
        self.features: list[str] = []
        self.price: int | None = None
        self._worth: list[int] = []

    def hear(self, text: str) -> None:
        """Takes in an answer of the buyer."""
        words = plain(text)
        self.features += [feature for feature in named_features(words) if feature not in self.features]
        if self.car is None:
            self.car = next((car for car in self.stock if plain(car[0]) in words), None)
        counters = read_prices(text).offers
        if counters:
            self._worth.append(int(counters[-1] / COUNTER))

    def say(self) -> str:
        """The next message."""
        if self.car is None:
            return "Welcome! Which car are you looking for, and what should it have?"
        brand, kind, list_price = self.car
        self.price = list_price if self.price is None else max(1, self._next(self.price, int(STEP * list_price) + 1))
        equipment = listed(self.features) or "all you need"
        return f"The {brand} {kind} has {equipment}. It is yours for {money(self.price)}."

    def _next(self, price: int, step: int) -> int:
        """The price after one that was refused."""
        if not self._worth:
            return price - step
        worth, before = self._worth[-1], self._worth[-2] if len(self._worth) > 1 else 0
        if before < worth < price - step and len(self._worth) < CUTS:
            return price - step
        worth += min(0, worth - before)
        return worth if worth < price else int(COUNTER * worth)


def best_seller(stock: Stock, heard: Sequence[str]) -> str:
    """What the best seller says after some answers of the buyer."""
    seller = Best(stock)
    for text in heard:
        seller.say()
        seller.hear(text)
    return seller.say()


def _talk(instance: Mapping[str, Any], say: Callable[[], str], hear: Callable[[str], object] = len) -> list[str]:
    """A seller's messages and the scripted buyer's, in order; no buyer has patience for all rounds."""
    buyer, said = Buyer(instance), []
    while not (said and said[-1].startswith("Output:")):
        text = say()
        buyer.hear(text)
        said += [text, buyer.answer()]
        hear(said[-1])
    return said


def best(instance: Mapping[str, Any], rng: Random) -> list[str]:
    """The scripted player, which knows no more of the buyer than what it says."""
    seller = Best(instance["stock"])
    return _talk(instance, seller.say, seller.hear)


def uniform(instance: Mapping[str, Any], rng: Random) -> list[str]:
    """Any car, any feature, any price up to half above the list price."""

    def say() -> str:
        brand, kind, list_price = rng.choice(instance["stock"])
        price = max(1, int(list_price * rng.uniform(0, 1.5)))
        return f"Take the {brand} {kind} with {rng.choice(FEATURES)} for {money(price)}."

    return _talk(instance, say)


class Manner(NamedTuple):
    """How one of the data's sellers talks: how often it lowers its price and names a feature, and what else it says."""

    cut: float
    praise: float
    says: tuple[str, ...]


MANNERS = (
    Manner(0.8, 0.3, ("I can do something about the price.", "For you I make an exception.", "Today is your day.")),
    Manner(0.35, 0.85, ("You will love this one.", "It is the best that we have.", "Just sit in it for a moment.")),
    Manner(0.4, 0.15, ("That is my offer.", "As I said.", "Well?")),
)
"""The paper's: one gives discounts, one praises features, one is terse."""
GREETINGS = ("Welcome! What are you looking for?", "Good day. How can I help you?", "Hello! Which car shall it be?")
MARKUP, CUT = 0.08, 0.125
"""At most so much above the list price at first, and at most so much off at once."""


def mix(instance: Mapping[str, Any], rng: Random) -> list[str]:
    """The data: sellers of three manners, who hear which car is wanted and otherwise follow their manner."""
    manner = rng.choice(MANNERS)
    price = instance["list_price"] * (1 + rng.uniform(0, MARKUP))
    opened = named = False

    def say() -> str:
        nonlocal price, opened, named
        if not opened:
            opened = True
            return rng.choice(GREETINGS)
        words = [rng.choice(manner.says)]
        if not named or rng.random() < manner.praise:
            feature = rng.choice(instance["features"] if rng.random() < manner.praise else FEATURES)
            words.append(f"This {instance['brand']} {instance['type']} has {feature}.")
        if named and rng.random() < manner.cut:
            price *= 1 - rng.uniform(0, CUT)
        named = True
        words.append(f"It costs {money(int(price))}.")
        return " ".join(words)

    return _talk(instance, say)


POLICIES = {"mix": mix, "random": uniform, "best": best}
