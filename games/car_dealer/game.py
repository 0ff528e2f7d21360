"""LMRL-Gym's car dealer: rules, rewards and instances; README.md tells them in words."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from random import Random
from typing import Any, ClassVar

from playpen_eval.game import Ask, Game, Instance, Outcome, ScriptedPlayer, View, read_texts
from playpen_eval.lmrl import normalised

from .buyer import Buyer, accept, money, named_features
from .cards import LOW, PERSONAS, draw
from .policies import POLICIES, ROUNDS, best_seller
from .reading import Decision, decides, plain, read_decision, read_prices, tidy

PROMPTS = read_texts(__file__)
PATIENCE = 3
"""Messages in a row that say nothing, with which an episode is broken off."""
AVERAGE = {"kinds": 0.460, "moods": 0.427, "kinds_fancy": 0.480, "moods_fancy": 0.451}
"""Experiment -> mean return of the data, of revenue as a share of the budget; scripts/constants.py computes it."""
BEST = {"kinds": 0.932, "moods": 0.914, "kinds_fancy": 0.910, "moods_fancy": 0.894}
"""Experiment -> the same of the best seller."""
WORST = {"revenue": 0.0, "fancy": 1 - 1 / LOW}
"""Reward -> the lowest return; of "fancy" that of a buyer who leaves although the car is as cheap as they get."""


def pay(instance: Instance, price: int | None) -> float:
    """The reward of a decision (section 4 and the paper's code).

    Args:
        instance: Its `reward` is "revenue" or "fancy".
        price: What the car was sold for; None if it was not.
    """
    if instance["reward"] == "revenue":
        return (price or 0) / 1000
    budget, list_price = instance["budget"], instance["list_price"]
    return (list_price - budget) / list_price if price is None else 2 * price / (budget + list_price)


class CarDealer(Game):
    """Sell a car to a buyer whose wishes and budget have to be found out."""

    name = "car_dealer"
    version = 2
    suite = "lmrl"
    roles = ("seller", "buyer")
    learner = "seller"
    experiments = tuple(AVERAGE)
    sizes = {"train": 60, "validation": 15, "test": 25}
    visible: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "seller": ("stock", "reward"),
        "buyer": ("brand", "type", "features", "list_price", "budget", "persona"),
    }
    policies = tuple(POLICIES)

    def play(self, instance: Instance) -> Generator[Ask, str, Outcome]:
        """A message of the seller and one of the buyer, until the buyer decides or is made to; paid at the end."""
        talk = _Talk(instance)
        silent = {"seller": 0, "buyer": 0}
        heard, brief = _seller_prompt(instance), _buyer_prompt(instance)
        for _ in range(ROUNDS):
            said = talk.say((yield Ask("seller", heard)))
            silent["seller"] = 0 if said else silent["seller"] + 1
            if silent["seller"] == PATIENCE:
                return talk.abort("seller", f"{PATIENCE} messages in a row say nothing")
            if not said:
                heard = PROMPTS["unheard"]
                continue
            reply = yield Ask("buyer", brief + said)
            brief = ""
            if decides(reply):
                return talk.close(read_decision(reply))
            answer = tidy(reply)
            silent["buyer"] = 0 if answer else silent["buyer"] + 1
            if silent["buyer"] == PATIENCE:
                return talk.abort("buyer", f"{PATIENCE} messages in a row say nothing")
            heard = answer or PROMPTS["silence"]
        reply = yield Ask("buyer", PROMPTS["decide"])
        return talk.close(read_decision(reply)) if decides(reply) else talk.undecided()

    def max_turns(self, instance: Instance) -> int:
        """Fifty messages, and the decision that is asked for after them."""
        return 2 * ROUNDS + 1

    def generate(self, experiment: str, rng: Random) -> Instance:
        """A card and a stock; the experiment says which personas there are, and what is paid."""
        design, _, reward = experiment.partition("_")
        return draw(design, rng) | {"reward": reward or "revenue"}

    def key(self, instance: Instance) -> list[Any]:
        """Splits share no card."""
        return [*(instance[name] for name in ("persona", "brand", "type", "budget")), sorted(instance["features"])]

    def scripted(self, role: str, view: View, style: str) -> ScriptedPlayer:
        """Players that know how scripted buyers think, and of the other one only what it says."""
        if style == "breaker":
            return lambda messages: "..." if role == "seller" else "Output: I take it."
        return _scripted_seller(view) if role == "seller" else _scripted_buyer(view)

    def solution(self, instance: Instance, *, last: bool = False) -> list[str]:
        """The whole budget for the car, accepted at once or when the decision is asked for."""
        price = instance["budget"]
        said = [f"It costs {money(price)}.", "I have to think."] * (ROUNDS if last else 1)
        return [*said[: None if last else -1], accept(instance["list_price"], price)]

    def behave(self, policy: str, instance: Instance, rng: Random) -> list[str]:
        """The replies of one of `policies` as the seller and of the scripted buyer, in order of play."""
        return POLICIES[policy](instance, rng)


class _Talk:
    """What the seller has said, and what follows from the buyer's decision."""

    def __init__(self, instance: Instance):
        self.instance = instance
        self.prices: set[int] = set()
        self.words: set[str] = set()
        self.turns = 0

    def say(self, reply: str) -> str:
        """Takes a message of the seller; returns what the buyer is told of it."""
        said = tidy(reply)
        self.turns += 1
        self.prices.update(read_prices(said).named)
        self.words.update(named_features(plain(said)))
        return said

    def close(self, decision: Decision | None) -> Outcome:
        """The end by a reply that holds a decision."""
        if decision is None:
            return self.abort("buyer", "the decision is not one line of the form that was asked for")
        price = decision.price
        if price is None:
            return Outcome.lose(self._score(pay(self.instance, None)), "the buyer left", **self._numbers(None, 0.0))
        if price not in self.prices:
            return self.abort("buyer", "the price that was accepted is none that the seller named")
        if price > self.instance["budget"]:
            return self.abort("buyer", "the price that was accepted is above the budget")
        reason = f"sold for {money(price)}"
        return Outcome.success(self._score(pay(self.instance, price)), reason, **self._numbers(price, 1.0))

    def undecided(self) -> Outcome:
        """The end without a decision, which pays nothing."""
        return Outcome.lose(0.0, "the buyer did not decide", **self._numbers(None, None))

    def abort(self, role: str, reason: str) -> Outcome:
        """The end by a fault of a role; that of the seller pays no more than if the buyer had left."""
        return Outcome.aborted(role, reason, **self._numbers(None, None, fault=role == "seller"))

    def _score(self, paid: float) -> float:
        # What can be earned depends on the budget, so revenue is compared as a share of it.
        design, reward = PERSONAS[self.instance["persona"]].design, self.instance["reward"]
        if reward == "revenue":
            return normalised(1000 * paid / self.instance["budget"], WORST[reward], AVERAGE[design], BEST[design])
        return normalised(paid, WORST[reward], AVERAGE[f"{design}_fancy"], BEST[f"{design}_fancy"])

    def _numbers(self, price: int | None, decision: float | None, *, fault: bool = False) -> dict[str, Any]:
        """Metrics and the last turn's reward, as arguments of an outcome."""
        instance = self.instance
        paid = 0.0 if decision is None else pay(instance, price)
        if fault:
            paid = min(0.0, pay(instance, None))
        list_price = instance["list_price"]
        metrics = {
            "return": paid,
            "price": price,
            "discount": None if price is None else (list_price - price) / list_price,
            "features": len(self.words.intersection(instance["features"])),
            "turns": self.turns,
            "decision": decision,
        }
        return {"metrics": metrics, "reward": {"seller": paid}}


def _seller_prompt(instance: Instance) -> str:
    stock = "\n".join(f"{brand}, {kind}: {money(price)}" for brand, kind, price in instance["stock"])
    return PROMPTS["seller"].format(stock=stock, rounds=ROUNDS, pay=PROMPTS[instance["reward"]])


def _buyer_prompt(instance: Instance) -> str:
    names = ("brand", "type", "list_price", "budget")
    return (
        PROMPTS["buyer"].format(
            **{name: instance[name] for name in names},
            features=", ".join(instance["features"]),
            manner=PERSONAS[instance["persona"]].manner,
        )
        + "\n"
    )


def _scripted_seller(view: View) -> ScriptedPlayer:
    def reply(messages: Sequence[Mapping[str, str]]) -> str:
        return best_seller(view["stock"], [message["content"] for message in messages[2::2]])

    return reply


def _scripted_buyer(view: View) -> ScriptedPlayer:
    def reply(messages: Sequence[Mapping[str, str]]) -> str:
        buyer = Buyer(view)
        for message in messages[::2]:
            if message["content"] == PROMPTS["decide"]:
                return buyer.decide()
            buyer.hear(message["content"].rpartition("\n")[2])
        return buyer.answer()

    return reply
