"""The oracle that answers questions about cities by their cards."""

from __future__ import annotations

import functools
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from .cities import CITIES, CONTINENTS, COUNTRIES, City, all_named, gives_away, rows
from .reading import plain_words

REFUSAL = "I must not say that."
UNKNOWN = "I do not know."
BANDS = {0: "Fewer than 1 million.", 1: "1 to 4 million.", 4: "4 to 8 million.", 8: "More than 8 million."}
"""Least number of people in millions -> what the oracle says of it."""
_FAMILIES = {
    **dict.fromkeys(("Finnish", "Hungarian"), "A Uralic language."),
    **dict.fromkeys(("Chinese", "Burmese"), "A Sino-Tibetan language."),
    **dict.fromkeys(("Indonesian", "Filipino and English"), "An Austronesian language."),
    **dict.fromkeys(("Turkish", "Kazakh", "Japanese", "Korean", "Vietnamese", "Thai", "Lao", "Malay"), ""),
}
_OWN = "One that is named like its people."

_FLAGS: Mapping[str, tuple[str, str, tuple[str, ...]]] = {
    "capital": ("Is it the capital of its country?", "capital", ("national capital", "seat of government")),
    "coast": (
        "Is it on the coast?",
        "coast",
        ("coastal", "sea", "ocean", "seaside", "seaport", "harbour", "harbor", "port"),
    ),
    "river": ("Is it known for a river that flows through it?", "river", ()),
    "island": ("Does it lie on an island?", "island", ()),
    "high": (
        "Does it lie higher than 1,000 metres?",
        "higher than",
        ("high altitude", "altitude", "elevation", "above sea level", "above the sea", "high up"),
    ),
    "olympics": ("Has it hosted the Summer Olympics?", "olympics", ("olympic games", "olympic")),
    "largest": ("Is it the largest city of its country?", "largest city", ("largest", "biggest", "most populous")),
    "eu": ("Is its country in the European Union?", "european union", ("eu",)),
    "king": (
        "Is its country a monarchy?",
        "monarchy",
        ("king", "queen", "emperor", "monarch", "kingdom", "royal family"),
    ),
    "left": ("Do people drive on the left there?", "drive on the left", ("left side", "on the left", "left hand")),
}
"""Attribute -> question, keyword, and further keywords."""

_OPEN: Sequence[tuple[str, tuple[str, ...], Callable[[City], Sequence[str]]]] = (
    ("On which continent is it?", ("continent",), lambda c: (" and ".join(c.continents) + ".",)),
    (
        "What is its main language?",
        ("language", "languages", "speak", "spoken", "tongue"),
        lambda c: (f"{c.language}.", _FAMILIES.get(c.language, "An Indo-European language.") or _OWN),
    ),
    (
        "What is the currency called?",
        ("currency", "money", "pay", "coins", "banknotes"),
        lambda c: (f"The {c.country.currency}.",),
    ),
    (
        "What is the climate like?",
        ("climate", "weather", "temperature", "temperatures", "summers", "winters", "rain"),
        lambda c: (f"{c.climate.capitalize()}.",),
    ),
    (
        "What food or drink is it known for?",
        ("food", "foods", "drink", "dish", "dishes", "eat", "cuisine", "meal", "speciality", "specialty"),
        lambda c: (f"{c.food.capitalize()}.",),
    ),
    (
        "What kind of sight is it known for?",
        (
            *("sight", "sights", "landmark", "landmarks", "monument", "attraction", "attractions", "building"),
            *("buildings", "famous for", "known for", "tourists", "visit", "see"),
        ),
        lambda c: (f"Of this kind: {c.sight}.",),
    ),
    (
        "How many people live there?",
        ("population", "people live", "inhabitants", "many people", "how big", "how large", "size"),
        lambda c: (BANDS[c.people],),
    ),
    (
        "In which hemisphere is it?",
        ("hemisphere", "latitude", "longitude", "equator"),
        lambda c: (
            f"{'Northern' if c.latitude > 0 else 'Southern'} and {'eastern' if c.longitude > 0 else 'western'}.",
        ),
    ),
    (
        "On which water is it?",
        ("water", "sea", "ocean", "coast", "river"),
        lambda c: (
            "On the sea, and on a river."
            if {"coast", "river"} <= c.true
            else "On the sea."
            if "coast" in c.true
            else "On a river."
            if "river" in c.true
            else "None that it is known for.",
        ),
    ),
    (
        "In which part of the world is it?",
        ("region", "part of the world", "part of the continent", "area", "where"),
        lambda c: (f"{c.country.region}.", " and ".join(c.continents) + "."),
    ),
    ("Which country is it in?", ("country", "nation", "state", "name"), lambda c: (REFUSAL,)),
)
"""Open question, its keywords, and answers, of which the first that gives nothing away is said."""


def _keywords() -> dict[str, frozenset[str]]:
    """Words of yes/no questions -> the cities of which they are true."""
    found: dict[str, set[str]] = defaultdict(set)

    def note(words: Sequence[str], true: Callable[[City], bool]) -> None:
        cities = {city.name for city in CITIES.values() if true(city)}
        for word in words:
            found[plain_words(word).strip()] |= cities

    for name in CONTINENTS:
        words = [name] if name == "Oceania" else [name, f"{name}n"]
        note([name.replace("Europe", "European"), *words], lambda c, n=name: n in c.continents)
    for region in {country.region for country in COUNTRIES.values()} - set(CONTINENTS):
        note([region, *_adjectives(region)], lambda c, r=region: c.country.region == r)
    for country in COUNTRIES.values():
        note([country.name, *country.others], lambda c, n=country.name: c.country.name == n)
    for city in CITIES.values():
        note([f"{city.climate} climate", city.climate], lambda c, v=city.climate: c.climate == v)
        note([city.sight, f"{city.sight}s", city.sight.removesuffix("s")], lambda c, v=city.sight: c.sight == v)
        note([city.food, f"{city.food}s", city.food.removesuffix("s")], lambda c, v=city.food: c.food == v)
        currency = city.country.currency
        note([currency, f"{currency}s"], lambda c, v=currency: c.country.currency == v)
    note(["desert", "arid"], lambda c: c.climate == "dry")
    note(["inland", "landlocked"], lambda c: "coast" not in c.true)
    note(["drive on the right", "right side"], lambda c: "left" not in c.true)
    note(["republic"], lambda c: "king" not in c.true)
    for side, true in _SIDES.items():
        note([f"{side} hemisphere"], true)
    note(["north of the equator"], _SIDES["northern"])
    note(["south of the equator"], _SIDES["southern"])
    note(["in the tropics", "between the tropics"], lambda c: abs(c.latitude) < 23.4)
    for flag, (_, keyword, more) in _FLAGS.items():
        note([keyword, *more], lambda c, f=flag: f in c.true)
    return {word: frozenset(cities) for word, cities in found.items()} | _read_places()


def _read_places() -> dict[str, frozenset[str]]:
    """Words for seas, rivers and parts of the world -> the cities there; see the file."""
    found = {}
    for words, there in rows("places.txt", 2):
        parts = [part.strip() for part in there.split(",") if part]
        areas = {part[1:] for part in parts if part.startswith("@")}
        cities = {c.name for c in CITIES.values() if areas & {c.country.region, *c.continents}}
        cities |= {CITIES[part].name for part in parts if not part.startswith("@")}
        found |= dict.fromkeys((plain_words(word).strip() for word in words.split(",")), frozenset(cities))
    return found


_SIDES: Mapping[str, Callable[[City], bool]] = {
    "northern": lambda c: c.latitude > 0,
    "southern": lambda c: c.latitude < 0,
    "eastern": lambda c: c.longitude > 0,
    "western": lambda c: c.longitude < 0,
}


def _adjectives(region: str) -> list[str]:
    """Other ways to say a region, such as `eastern Asia`, `East Asian`."""
    side, _, rest = region.partition(" ")
    if not rest:
        return [f"the {region}"]
    sides = {side, side if side.endswith("ern") or side in ("Central", "Middle") else f"{side}ern"}
    return [f"{one} {rest}{end}" for one in sorted(sides) for end in ("", "n")]


def _pattern(words: Sequence[str]) -> re.Pattern[str]:
    return re.compile(rf"(?<= )(?:{'|'.join(sorted(map(re.escape, words), key=len, reverse=True))})(?= )")


_TRUE = _keywords()
_LANGUAGES: Mapping[str, frozenset[str]] = {
    language.lower(): frozenset(c.name for c in CITIES.values() if language in c.languages)
    for city in CITIES.values()
    for language in city.languages
}
_SPOKEN_TRUE = _TRUE | _LANGUAGES
_KEYWORD = _pattern(list(_SPOKEN_TRUE))
_SPOKEN = re.compile(r" (?:speak|spoken|speaks|speaking|speakers?|languages?) ")
_WH = re.compile(r" (?:what|which|where|who|whose|whom|when|why|how|whats|wheres) ")
_NOT = re.compile(r" (?:not|never|without|non|other than) ")
_MILLIONS = re.compile(
    r" (more|over|above|larger|bigger|greater|least|exceeds?|exceeding|fewer|less|under|below|smaller)[a-z ]*"
    r" (\d+) million"
)
_FEWER = ("fewer", "less", "under", "below", "smaller")


@functools.lru_cache(maxsize=1024)
def answers(question: str) -> Mapping[str, str]:
    """City -> what the oracle says to a question."""
    words = plain_words(question).replace(" 000 000 ", " million ")
    if _WH.search(words):
        return _open(words)
    if (millions := _MILLIONS.search(words)) and int(millions[2]) < 1000:
        return {name: _of_people(city.people, millions[1] in _FEWER, int(millions[2])) for name, city in CITIES.items()}
    if found := all_named(question):
        # The right city alone ends the game before the oracle is asked.
        return {name: "Yes." if {name} == found else "No." for name in CITIES}
    true = _where(words)
    if true is None:
        return dict.fromkeys(CITIES, UNKNOWN)
    return {name: "Yes." if name in true else "No." for name in CITIES}


def answer(name: str, question: str) -> str:
    """What the scripted oracle says."""
    return answers(question)[name]


def _open(words: str) -> dict[str, str]:
    say = next((say for _, keywords, say in _OPEN if any(f" {word} " in words for word in keywords)), None)
    if say is None:
        return dict.fromkeys(CITIES, UNKNOWN)
    return {
        name: next((text for text in say(city) if not gives_away(name, text)), REFUSAL) for name, city in CITIES.items()
    }


def _where(words: str) -> frozenset[str] | None:
    """The cities of which a yes/no question is true; None if it holds no keyword."""
    # "Spanish" is a language where one speaks it, and a country elsewhere.
    true = _SPOKEN_TRUE if _SPOKEN.search(words) else _TRUE
    found = [true[match] for match in _KEYWORD.findall(words) if match in true]
    if not found:
        return None
    result = found[0]
    for more in found[1:]:
        result = result | more if " or " in words else result & more
    return frozenset(CITIES) - result if _NOT.search(words) else result


def _of_people(least: int, fewer: bool, millions: int) -> str:
    bounds = sorted(BANDS)
    most = next((bound for bound in bounds if bound > least), 1000)
    if least < millions < most:
        return UNKNOWN
    return "Yes." if (least >= millions) != fewer else "No."


def _questions() -> list[str]:
    asked = [question for question, _, _ in _OPEN[:-1]]
    asked += [question for question, _, _ in _FLAGS.values()]
    asked += [f"Is it in {continent}?" for continent in CONTINENTS]
    asked += [f"Is it in {_the(region)}?" for region in dict.fromkeys(c.region for c in COUNTRIES.values())]
    asked += [f"Is it in {_the(country)}?" for country in COUNTRIES]
    asked += [f"Is {language.capitalize()} a main language there?" for language in _LANGUAGES]
    asked += [f"Is it in the {side} hemisphere?" for side in _SIDES]
    asked += [f"Do more than {least} million people live there?" for least in BANDS if least]
    asked += [f"Is the climate {climate}?" for climate in dict.fromkeys(c.climate for c in CITIES.values())]
    # "Is it in Singapore?" names the city.
    return [question for question in dict.fromkeys(asked) if not all_named(question)]


def _the(place: str) -> str:
    plural = ("Netherlands", "Philippines", "Caribbean", "Middle East", "Democratic", "Dominican", "Ivory", "United")
    return f"the {place}" if place.startswith(plural) else place


QUESTIONS: Sequence[str] = tuple(_questions())
"""What scripted guessers ask: open questions, attributes, places, languages, people, climates."""
