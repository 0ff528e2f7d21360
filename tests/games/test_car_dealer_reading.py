"""The car dealer's reading of texts: prices, offers, the buyer's decision, and what is not passed on."""
# pyright: reportMissingImports=false

from __future__ import annotations

import importlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

reading = importlib.import_module("playpen_eval.games.car_dealer.reading")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("It is $32,000.", [32000]),
        ("**$32,000**, or $ 31500!", [32000, 31500]),
        ("$32k or 31.5k or 31 thousand dollars", [32000, 31500, 31000]),
        ("32000 dollars, 900 bucks, USD 800, US$700", [32000, 900, 800, 700]),
        ("I could do 32,000 or 31500", [32000, 31500]),
        ("$32,000-$35,000", [32000, 35000]),
        ("$31,999.99", [31999]),
        ("$32.5k, not $32.555k", [32500]),
        ("Kestrel - $32,000, and I would take $31,000", [32000, 31000]),
        ("$48,000 - $2,000 = $46,000, more or less", [48000, 2000, 46000]),
        ("down from $40,000 to $36,000", [40000, 36000]),
        ("a 2021 model, 5 doors, 120 hp", []),
        ("$2,000 off, save $500, a discount of $1,000, 5% off", []),
        ("lower by $2,000, knock off another $500, $2,000 below list, a down payment of $5,000", []),
        ("$500 more, $300 extra, $900 cash back, a trade-in value of $3,000, a budget of around $30,000", []),
        ("$450 per month, $450/month, $450 monthly, monthly payments of $450, 32,000 miles, 50000 km", []),
        ("-$500, $-50000, minus", []),
        ("$0, $0.50, $NaN, $inf, $", []),
        ("$10^30, $1e9, $10**9, $5 million, $3 billion, $99,999,999, $10,000,000", []),
        ("$" + "9" * 1000 + " $9" + ",999" * 300, []),
        ("$٣٢٠٠٠", []),
    ],
)
def test_prices(text, named):
    assert list(reading.read_prices(text).named) == named


@pytest.mark.parametrize(
    ("text", "offers"),
    [
        ("The list price is $40,000, but you get it for $36,000.", [36000]),
        ("You get it for $36,000, down from $40,000.", [36000]),
        ("$36,000 instead of $40,000, so $4,000 off", [36000]),
        ("It is worth $40,000 and yours for $36,000.", [36000]),
        ("The list price is $40,000.", [40000]),
        ("Not $30,000; I need $36,000.", [30000, 36000]),
        ("Hello!", []),
    ],
)
def test_the_offers_of_a_message(text, offers):
    assert list(reading.read_prices(text).offers) == offers


@given(
    st.integers(1, reading.HIGHEST - 1), st.sampled_from(["${:,}", "${}", "{} dollars", "it is {:,} USD, ok", "US$ {}"])
)
def test_every_price_can_be_named(amount, form):
    assert reading.read_prices(form.format(amount)) == ((amount,), (amount,))


@given(st.text(alphabet="0123456789$.,k-+^*eE% odlarsfmUSD\n", max_size=80))
def test_prices_of_any_text_are_prices(text):
    found = reading.read_prices(text)
    assert all(isinstance(price, int) and 0 < price < reading.HIGHEST for price in found.named)
    assert set(found.offers) <= set(found.named)
    assert bool(found.offers) == bool(found.named)


AMOUNTS = st.integers(1, 10**9 - 1)
COMMAS = st.sampled_from(["{}", "{:,}"])


@given(
    AMOUNTS, st.none() | AMOUNTS, COMMAS, st.sampled_from(["{}", "`{}`", "**{}**", "Fine.\n{}", "{}\n\nBye.", "  {} "])
)
def test_decisions_are_read(msrp, price, commas, around):
    listed = commas.format(msrp)
    line = f"Output: Decision=Accept MSRP=${listed} Buy Price=${commas.format(price)}" if price else ""
    text = around.format(line or f"Output: Decision=Reject MSRP=${listed}")
    for written in (text, text.upper(), text.lower()):
        assert reading.decides(written)
        assert reading.read_decision(written) == (msrp, price)


PIECES = (
    "Output",
    ":",
    "Decision",
    "=",
    "Accept",
    "Reject",
    "MSRP=$5",
    "Buy Price=$5",
    " ",
    "\n",
    "\u2028",
    "*",
    "word",
)


@given(st.text(max_size=300) | st.lists(st.sampled_from(PIECES), max_size=20).map("".join))
def test_nothing_that_decides_is_passed_on(text):
    decision = reading.read_decision(text) if reading.decides(text) else None
    assert decision is None or decision.msrp > 0
    assert not reading.decides(reading.tidy(text))
    assert "\n" not in reading.tidy(text)
