"""What texts say: what is passed on, prices, features, and the buyer's decision line."""

from __future__ import annotations

import re
from typing import NamedTuple

LONGEST = 2000
"""Characters of a message that are passed on."""
HIGHEST = 10_000_000
"""Amounts from here on are no price of a car."""

_MARK = re.compile(r"decision\s*=", re.IGNORECASE)
_LINE = re.compile(r"[\s*_`>]*output\s*:", re.IGNORECASE)
_AMOUNT = r"\$ ?([0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,9})"
_DECISION = re.compile(
    rf"Output: ?Decision ?= ?(?:(Accept) MSRP ?= ?{_AMOUNT} Buy Price ?= ?{_AMOUNT}|Reject MSRP ?= ?{_AMOUNT})\.?",
    re.IGNORECASE,
)

_PRICE = re.compile(
    r"(?<![\w.,])(?P<sign>(?:US ?)?\$ ?|USD ?)?"
    r"(?P<number>[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,9})(?P<cents>\.[0-9]{1,2})?"
    r"(?P<times> ?k| thousand| grand)?(?![\w^%]|[.,][0-9]|\*\*[0-9])"
    r"(?P<word> ?(?:dollars?|bucks|USD)\b)?",
    re.IGNORECASE | re.ASCII,
)
_HUGE = re.compile(r" ?(?:[a-z]*illion|m|mln|bn?|hundred)\b| ?(?:\^|\*{1,2} ?[0-9]|x ?10|e\+)", re.IGNORECASE)
_NO_PRICE = re.compile(
    r" ?(?:(?:off|less|cheaper|discount|rebate|deposit|savings?|in savings?|cash ?back|down(?! from))\b"
    r"|(?:below|under|extra|more(?! or less))\b|(?:/|per |a |each |every )(?:month|mo|week)\b|(?:month|week)ly\b"
    r"|(?:miles?|mi|km|kilomet\w+|hours?|months?|years?)\b)",
    re.IGNORECASE,
)
_OTHER_SUM = re.compile(
    r"(?:\b(?:sav(?:e|es|ing|ings)(?: you| of)?|(?:by|knock(?: off)?|take off)(?: another| an extra)?)"
    r"|\b(?:discount|rebate|deposit|reduction|fee|trade-in(?: value)?|(?:down|monthly) ?payments?) of(?: another)?"
    r"|\bbudget(?: of| is| at)?(?: around| about)?) ?\Z|(?:\A|[\s($])[-\u2212]\$?\Z",
    re.IGNORECASE,
)
_COMPARED = re.compile(
    r"(?:instead of|rather than|\bfrom|\bwas|\bworth|list(?:ed)? (?:price|at)|\bMSRP)(?: (?:of|is|at|was))?[ :]*\Z",
    re.IGNORECASE,
)


class Decision(NamedTuple):
    """The buyer's last word; the price is None if the offer was rejected."""

    msrp: int
    price: int | None


def decides(reply: str) -> bool:
    """Whether a text holds a decision, well-formed or not."""
    return _MARK.search(reply) is not None or any(_LINE.match(line) for line in reply.splitlines())


def read_decision(reply: str) -> Decision | None:
    """The decision of a reply that `decides`; None unless it is exactly one line of the form, with amounts above 0."""
    lines = [line for line in reply.splitlines() if decides(line)]
    if len(lines) != 1 or len(lines[0]) > 200:
        return None
    match = _DECISION.fullmatch(" ".join(lines[0].strip("*_`> \t").split()))
    if match is None:
        return None
    accepted, listed, paid, rejected = match.groups()
    msrp, price = _number(listed or rejected), _number(paid) if accepted else None
    return Decision(msrp, price) if msrp > 0 and price != 0 else None


def _number(digits: str) -> int:
    return int(digits.replace(",", ""))


def tidy(reply: str) -> str:
    """What of a reply is passed on: one line without what looks like a decision; "" if nothing is left to be read."""
    kept = " ".join(line for line in reply[: 2 * LONGEST].splitlines() if not decides(line))
    text = " ".join(kept.split())[:LONGEST].rstrip()
    # Lines that are no decision may become one when they are joined.
    return text if any(map(str.isalnum, text)) and not decides(text) else ""


class Prices(NamedTuple):
    """The amounts of a message.

    Attributes:
        named: All prices in it, in whole dollars.
        offers: Those that are not told for comparison (a list price, what it was before); all if there are no others.
    """

    named: tuple[int, ...]
    offers: tuple[int, ...]


def read_prices(text: str) -> Prices:
    """The prices of a car in a message: `$32,000`, `$32k`, `32 thousand dollars`, `32,000`, `32000`.

    Discounts, rates, extras and distances are none, nor are 0, negative and astronomical amounts.
    """
    named, offers = [], []
    for match in _PRICE.finditer(text):
        price = _price(text, match)
        if price is not None:
            named.append(price)
            if not _COMPARED.search(text, max(0, match.start() - 40), match.start()):
                offers.append(price)
    return Prices(tuple(named), tuple(offers or named))


def _price(text: str, match: re.Match[str]) -> int | None:
    digits, times = match["number"], match["times"]
    bare = not (match["sign"] or match["word"] or times)
    if bare and "," not in digits and len(digits) < 5:
        return None
    start, end = match.span()
    if _HUGE.match(text, end) or _NO_PRICE.match(text, end) or _OTHER_SUM.search(text, max(0, start - 40), start):
        return None
    if len(digits) > len(f"{HIGHEST:,}"):
        return None
    price = _number(digits) + float(match["cents"] or 0)
    price = int(round(price * 1000, 2) if times else price)
    return price if 0 < price < HIGHEST else None


def plain(text: str) -> str:
    """Words in lower case between single blanks, also around them."""
    return f" {' '.join(re.findall('[a-z0-9]+', text.lower()))} "
