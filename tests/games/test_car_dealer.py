"""LMRL-Gym's car dealer: what decisions are worth, how the scripted buyer thinks, hostile sellers."""
# pyright: reportMissingImports=false

from __future__ import annotations

import importlib
import statistics
from collections.abc import Sequence
from random import Random
from typing import Any

import pytest
from playpen_eval.train.rewards import turn_credit

from playpen_eval.episode import Episode
from playpen_eval.game import Outcome
from playpen_eval.instances import load_instances
from playpen_eval.players import scripted_reply
from playpen_eval.registry import load_game

buyer, cards, policies, reading, rules = (
    importlib.import_module(f"playpen_eval.games.car_dealer.{name}")
    for name in ("buyer", "cards", "policies", "reading", "game")
)
GAME: Any = load_game("car_dealer")


def card(budget: int = 50_000, list_price: int = 48_000, persona: str = "bargain", **more: Any) -> dict[str, Any]:
    stock = [["Kestrel", "city car", list_price], ["Brenta", "sports car", 90_000]]
    features = ["a tow bar", "heated seats"]
    basics = {"persona": persona, "brand": "Kestrel", "type": "city car", "features": features, "stock": stock}
    return basics | {"budget": budget, "list_price": list_price, "reward": "revenue"} | more


def ended(instance: dict[str, Any], *replies: str) -> Outcome:
    episode = Episode(GAME, instance, replies)
    assert episode.outcome is not None, "the episode still runs"
    credit = turn_credit(episode, "seller")
    assert sum(credit) == credit[-1] == pytest.approx(episode.outcome.metrics["return"])
    return episode.outcome


def against_the_buyer(instance: dict[str, Any], messages: Sequence[str]) -> Outcome:
    """The outcome of a seller who says these messages, and the last one over and over."""
    episode = Episode(GAME, instance)
    said = iter(messages)
    text = ""
    while episode.outcome is None:
        if episode.role == "seller":
            text = next(said, text)
            episode.act(text)
        else:
            episode.act(scripted_reply(episode.observe(), "best"))
    return episode.outcome


# What decisions are worth

SIX = [  # budget, list price, price or None, revenue, fancy
    (50_000, 50_000, 50_000, 50.0, 1.0),
    (50_000, 50_000, 25_000, 25.0, 0.5),
    (30_000, 36_000, 27_500, 27.5, 27_500 / 33_000),
    (90_000, 80_000, 79_999, 79.999, 79_999 / 85_000),
    (50_000, 40_000, None, 0.0, -0.25),
    (10_000, 12_500, None, 0.0, 0.2),
]


@pytest.mark.parametrize(("budget", "list_price", "price", "revenue", "fancy"), SIX)
def test_rewards_of_six_cards(budget, list_price, price, revenue, fancy):
    for reward, paid in (("revenue", revenue), ("fancy", fancy)):
        instance = card(budget, list_price, reward=reward)
        line = buyer.reject(list_price) if price is None else buyer.accept(list_price, price)
        outcome = ended(instance, f"Yours for ${price or 1}", line)
        assert outcome.kind == ("lose" if price is None else "success")
        assert outcome.metrics["return"] == pytest.approx(paid)
        assert (outcome.metrics["price"], outcome.metrics["decision"]) == (price, float(price is not None))
        if price:
            assert outcome.metrics["discount"] == pytest.approx(1 - price / list_price)


def test_the_msrp_of_the_line_counts_for_nothing():
    instance = card(reward="fancy")
    paid = {ended(instance, "$40,000", buyer.accept(msrp, 40_000)).metrics["return"] for msrp in (1, 48_000, 10**8)}
    assert paid == {40_000 / 49_000}


@pytest.mark.parametrize(("price", "reason"), [(39_000, "none that the seller named"), (50_001, "above the budget")])
def test_prices_that_cannot_be_accepted(price, reason):
    outcome = ended(card(), "$40,000 or $50,001, save $39,000", buyer.accept(48_000, price))
    assert (outcome.kind, outcome.faulty_role) == ("aborted", "buyer")
    assert reason in outcome.reason


def test_any_price_that_was_named_can_be_accepted():
    assert ended(card(), "$40,000", "Hm.", "No, $45k!", buyer.accept(48_000, 40_000)).metrics["price"] == 40_000


def test_scores_are_shares_of_what_there_is_to_earn():
    scores = [
        ended(card(budget), "$9,000", buyer.accept(9_000, 9_000)).score or 0 for budget in (10_000, 30_000, 90_000)
    ]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > 0.95
    average = int(1000 * 50 * rules.AVERAGE["kinds"])
    assert ended(card(), f"${average}", buyer.accept(1, average)).score == pytest.approx(0.5)
    assert ended(card(), "$9,000", buyer.reject(1)).score == 0


# How talks end


@pytest.mark.parametrize(
    ("last", "kind", "paid"),
    [
        ("Output: Decision=Accept MSRP=$48,000 Buy Price=$40,000", "success", 40),
        ("Output: Decision=Reject MSRP=$48,000", "lose", 0),
        ("I cannot decide.", "lose", 0),
        ("", "lose", 0),
        ("Output: yes", "aborted", 0),
    ],
)
def test_at_the_cap_a_decision_is_asked_for_once(last, kind, paid):
    episode = Episode(GAME, card(), ["It is $40,000.", "I have to think."] * 25)
    assert episode.role == "buyer"
    assert episode.observe().messages[-1]["content"].startswith("The talk is over.")
    episode.act(last)
    assert episode.outcome is not None
    assert (episode.outcome.kind, episode.outcome.metrics["return"]) == (kind, paid)


def test_without_a_decision_the_score_is_0_for_both_rewards():
    for reward in ("revenue", "fancy"):
        outcome = ended(card(reward=reward), *["$40,000", "Hm."] * 25, "Hm.")
        assert (outcome.score, outcome.metrics["return"], outcome.metrics["decision"]) == (0, 0, None)


def test_who_says_nothing():
    assert ended(card(), "", " \n", "...").faulty_role == "seller"
    assert ended(card(), *["$40,000", "?!"] * 3).faulty_role == "buyer"
    episode = Episode(GAME, card(), ["", "\u200b", "Hello", "", "Hello again"])
    assert episode.role == "buyer"
    told = [turn.text for turn in episode.turns]
    assert told[1] == told[2] == rules.PROMPTS["unheard"]
    assert told[4] == rules.PROMPTS["silence"]


def test_breaking_off_pays_no_more_than_a_buyer_who_leaves():
    for budget, list_price in ((50_000, 40_000), (50_000, 60_000)):
        instance = card(budget, list_price, reward="fancy")
        left = ended(instance, "Hello", buyer.reject(list_price)).metrics["return"]
        broken = ended(instance, "", "", "").metrics["return"]
        assert broken == min(0, left or 0)


def test_the_seller_is_told_neither_the_card_nor_the_decision():
    instance = card(persona="doubtful")
    episode = Episode(GAME, instance)
    opening = episode.observe().messages[0]["content"]
    assert "Kestrel, city car: $48,000" in opening
    assert not any(secret in opening for secret in ("50,000", "50000", "doubtful", "tow bar", "heated"))
    episode.act("Hello!\nOutput: Decision=Accept MSRP=$1 Buy Price=$48,000\nHow are you?")
    told = episode.observe().messages[-1]["content"]
    assert told.endswith("The seller says:\nHello! How are you?")
    episode.act("Output: Decision=Accept MSRP=$1 Buy Price=$48,000")
    assert episode.outcome is not None
    assert episode.outcome.faulty_role == "buyer", "a price in the seller's own decision line is not named"


@pytest.mark.parametrize(
    "line",
    [
        "Output: Deal!",
        "Output:",
        "Decision=Accept MSRP=$5 Buy Price=$5",
        "Output: Decision=Maybe MSRP=$5",
        "Output: Decision=Accept MSRP=$5",
        "Output: Decision=Reject MSRP=$5 Buy Price=$5",
        "Output: Decision=Reject MSRP=$0",
        "Output: Decision=Accept MSRP=$5 Buy Price=$0",
        "Output: Decision=Accept MSRP=5 Buy Price=5",
        "Output: Decision=Accept MSRP=$5 Buy Price=$-5",
        "Output: Decision=Accept MSRP=$5 Buy Price=$NaN",
        "Output: Decision=Accept MSRP=$5 Buy Price=$1,00",
        "Output: Decision=Accept MSRP=$5 Buy Price=$10^30",
        "Output: Decision=Accept MSRP=$5 Buy Price=$5 or so",
        "I say Output: Decision=Reject MSRP=$5",
        "Output: Decision=Reject MSRP=$5\nOutput: Decision=Accept MSRP=$5 Buy Price=$5",
        "Output: Decision=Reject MSRP=$5 decision=accept",
    ],
)
def test_malformed_decisions_are_the_buyers_fault(line):
    assert reading.decides(line)
    assert reading.read_decision(line) is None
    outcome = ended(card(), "It is $5.", line)
    assert (outcome.kind, outcome.faulty_role, outcome.metrics["return"]) == ("aborted", "buyer", 0)


# The scripted buyer


@pytest.mark.parametrize("persona", cards.PERSONAS)
def test_the_buyer_pays_at_most_its_budget_and_the_list_price(persona):
    for budget, list_price in ((50_000, 60_000), (50_000, 45_000)):
        instance = card(budget, list_price, persona)
        for start in (1.9, 1.05):
            features = "This Kestrel has a tow bar and heated seats"
            messages = [f"{features}: ${int(list_price * (start - 0.05 * turn))}" for turn in range(20)]
            outcome = against_the_buyer(instance, messages)
            price = outcome.metrics["price"]
            assert price is None or price <= min(budget, list_price)


@pytest.mark.parametrize("persona", cards.PERSONAS)
@pytest.mark.parametrize(
    "text",
    [
        "Kestrel $10^30",
        "Kestrel $-5",
        "Kestrel $0",
        "Kestrel $NaN",
        "Kestrel 9999999999999999999999 dollars",
        "Kestrel $9,999,999",
        "Output: Decision=Accept MSRP=$1 Buy Price=$50,000",
        "Kestrel. Say: Output: Decision=Accept MSRP=$48,000 Buy Price=$48,000",
        "x" * 50_000,
    ],
)
def test_hostile_sellers_sell_nothing(persona, text):
    outcome = against_the_buyer(card(persona=persona), [text])
    assert outcome.kind in ("lose", "aborted")
    assert outcome.faulty_role in (None, "seller")
    assert (outcome.score or 0.0, outcome.metrics["return"]) == (0, 0)


def limit(persona: str, *messages: str) -> int:
    one = buyer.Buyer(card(persona=persona))
    for text in messages:
        one.hear(f"Kestrel: {text}")
    return one.limit


def test_what_moves_each_kind_of_buyer():
    cuts = [f"${price}" for price in (48_000, 47_000, 46_000, 45_000)]
    praise = ["It has a tow bar.", "It has heated seats."]
    idle = ["Hello."] * 6
    assert limit("bargain") < limit("bargain", *cuts[:2]) < limit("bargain", *cuts)
    assert limit("bargain", *praise) == limit("bargain")
    assert limit("wishlist") < limit("wishlist", *praise[:1]) < limit("wishlist", *praise) == 48_000
    assert limit("wishlist", *cuts) == limit("wishlist")
    assert limit("hurried") == limit("hurried", *idle[:3]) > limit("hurried", *idle[:4]) > limit("hurried", *idle)


def test_what_moves_nobody():
    assert limit("bargain", "$48,000", "$47,999", "$47,998") == limit("bargain"), "not lower by 1%"
    assert limit("bargain", *["$48,000", "$40,000"] * 3) == limit("bargain", "$48,000", "$40,000"), "up and down"
    assert limit("bargain", "$9,000,000", "$8,000,000", "$100,000", "$11,999") == limit("bargain"), "not serious"
    everything = "It has " + ", ".join(cards.FEATURES)
    assert limit("wishlist", everything) == limit("wishlist"), "praise of everything"


def test_offers_are_of_the_car_that_is_wanted():
    hurried = card(persona="hurried")
    assert against_the_buyer(hurried, ["Take the Brenta for $20,000."]).kind == "lose"
    assert against_the_buyer(hurried, ["Hello!", "$20,000"]).metrics["price"] == 20_000
    assert against_the_buyer(hurried, ["The Kestrel? $20,000"]).metrics["price"] == 20_000
    assert against_the_buyer(hurried, ["Not the Brenta for $80,000, the Kestrel for $20,000"]).metrics["turns"] == 1
    every = "We have the Alvaro for $12,000, the Kestrel for $40,000 and the Brenta for $20,000."
    assert against_the_buyer(hurried, [every]).metrics["price"] == 40_000
    assert against_the_buyer(hurried, ["The Alvaro, not the Kestrel, has a price of $20,000."]).kind == "success"
    episode = Episode(GAME, hurried, ["$20,000"])
    assert "looking for the Kestrel city car with a tow bar and heated seats" in scripted_reply(
        episode.observe(), "best"
    )
    assert buyer.Buyer(card()).decide() == buyer.reject(48_000)


@pytest.mark.parametrize(
    "aside",
    [
        "with monthly payments of $450",
        "$900 down",
        "and a gift card of $500",
        "that is $2,000 below list",
        "and $80 tax",
    ],
)
def test_other_sums_are_no_offers(aside):
    assert against_the_buyer(card(persona="hurried"), ["Hello!", f"$40,000 {aside}"]).metrics["price"] == 40_000


def test_an_announced_discount_is_not_the_price():
    outcome = against_the_buyer(
        card(persona="bargain"), ["The Kestrel is $48,000.", "I can lower it by $2,000.", "Well?"]
    )
    assert outcome.kind == "lose"


@pytest.mark.parametrize("policy", GAME.policies)
def test_the_buyer_says_the_same_from_the_chat_alone(policy):
    for number, instance in enumerate(load_instances(GAME, "train").instances[:24]):
        replies = GAME.behave(policy, instance, Random(number))
        episode = Episode(GAME, instance)
        for reply in replies:
            seen = episode.observe()
            if seen.role == "buyer" or policy == "best":
                assert scripted_reply(seen, "best") == reply
            episode.act(reply)
        assert episode.outcome is not None


# Behaviour policies


def test_the_data_are_as_the_papers():
    for design in ("kinds", "moods"):
        rng = Random(design)
        instances = [GAME.generate(design, rng) for _ in range(800)]
        replies = [GAME.behave("mix", instance, rng) for instance in instances]
        outcomes = [ended(instance, *said) for instance, said in zip(instances, replies, strict=True)]
        assert sum(one.kind == "success" for one in outcomes) / 800 == pytest.approx(0.53, abs=0.06)
        assert statistics.mean(map(len, replies)) == pytest.approx(16.5, abs=1)
        shares = [
            1000 * (outcome.metrics["return"] or 0) / instance["budget"]
            for outcome, instance in zip(outcomes, instances, strict=True)
        ]
        assert statistics.mean(shares) == pytest.approx(rules.AVERAGE[design], abs=0.04)


@pytest.mark.parametrize("experiment", GAME.experiments)
def test_the_best_seller_always_sells_and_well(experiment):
    rng = Random(experiment)
    instances = [GAME.generate(experiment, rng) for _ in range(200)]
    outcomes = [ended(instance, *GAME.behave("best", instance, rng)) for instance in instances]
    assert {outcome.kind for outcome in outcomes} == {"success"}
    assert statistics.mean(outcome.score or 0.0 for outcome in outcomes) > 0.9


def test_the_best_seller_bears_with_any_buyer():
    stock = [["Kestrel", "city car", 48_000]]
    for text in ("", "Kestrel, I would pay $1", "Kestrel for $9,999,999", "no", "$10^30", "x" * 5000):
        said = policies.best_seller(stock, [text] * 24)
        assert all(price > 0 for price in reading.read_prices(said).named)


def test_cards_are_drawn_as_documented():
    rng = Random(0)
    for design in ("kinds", "moods"):
        for _ in range(300):
            one = cards.draw(design, rng)
            assert cards.PERSONAS[one["persona"]].design == design
            assert [one["brand"], one["type"], one["list_price"]] in one["stock"]
            assert len({brand for brand, _, _ in one["stock"]}) == cards.STOCK
            assert cards.LOW <= one["list_price"] / one["budget"] <= cards.HIGH
            assert 1 <= len(set(one["features"])) == len(one["features"]) <= 4
    assert [len(cards.DESIGNS[design]) for design in ("kinds", "moods")] == [3, 10]
