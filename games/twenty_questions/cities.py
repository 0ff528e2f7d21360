"""The cities, what is true of them, and which city a question names."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from .leaks import leaks
from .reading import key, plain_words

_DATA = Path(__file__).parent / "data"
CONTINENTS = {
    "Africa": ("North Africa", "West Africa", "East Africa", "Central Africa", "Southern Africa"),
    "Asia": ("East Asia", "Southeast Asia", "South Asia", "Central Asia", "Middle East"),
    "Europe": ("Western Europe", "Northern Europe", "Southern Europe", "Central Europe", "Eastern Europe"),
    "North America": ("North America", "Caribbean"),
    "South America": ("South America",),
    "Oceania": ("Oceania",),
}
"""Continent -> its regions."""


class Country(NamedTuple):
    """A country; `others` are its other names and what its people are called, `true` its attributes."""

    name: str
    others: tuple[str, ...]
    region: str
    language: str
    currency: str
    true: frozenset[str]


class City(NamedTuple):
    """A fact card; `people` is the least number of its band in millions, `true` what holds of city or country."""

    name: str
    others: tuple[str, ...]
    country: Country
    continents: tuple[str, ...]
    language: str
    climate: str
    sight: str
    food: str
    people: int
    latitude: float
    longitude: float
    true: frozenset[str]

    @property
    def languages(self) -> tuple[str, ...]:
        """Its main languages, one by one."""
        return tuple(self.language.replace(" and ", ", ").split(", "))

    @property
    def secrets(self) -> tuple[str, ...]:
        """All that no answer may say, as `reading.key` makes it."""
        return tuple(map(key, (self.name, *self.others, self.country.name, *self.country.others)))


def rows(name: str, width: int) -> list[list[str]]:
    """The lines of a table, each as so many cells."""
    lines = (_DATA / name).read_text(encoding="ascii").splitlines()
    found = [[cell.strip() for cell in line.split("|")] for line in lines if not line.startswith("#")]
    return [row + [""] * (width - len(row)) for row in found]


def _read_countries() -> dict[str, Country]:
    found = {}
    for name, others, region, language, currency, true in rows("countries.txt", 6):
        parts = tuple(part.strip() for part in others.split(","))
        found[name] = Country(name, parts, region, language, currency, frozenset(true.split()))
    return found


def _read_cities() -> dict[str, City]:
    found = {}
    for names, where, climate, sight, food, people, place, true, language, continent in rows("cities.txt", 10):
        name, *others = (part.strip() for part in names.split("/"))
        country = COUNTRIES[where]
        continents = (
            continent.split(" and ") if continent else [c for c, r in CONTINENTS.items() if country.region in r]
        )
        latitude, longitude = map(float, place.split(","))
        attributes = frozenset(true.split()) | country.true
        found[name] = City(
            name,
            tuple(others),
            country,
            tuple(continents),
            language or country.language,
            climate,
            sight,
            food,
            int(people),
            latitude,
            longitude,
            attributes,
        )
    return found


COUNTRIES: Mapping[str, Country] = _read_countries()
CITIES: Mapping[str, City] = _read_cities()
NAMES: Sequence[str] = tuple(CITIES)

_BY_WORDS = {plain_words(form).strip(): c.name for c in CITIES.values() for form in (c.name, *c.others)}
_NAMES = re.compile(rf"(?<= )(?:{'|'.join(sorted(_BY_WORDS, key=len, reverse=True))})(?= )")


@functools.lru_cache(maxsize=16384)
def all_named(question: str) -> frozenset[str]:
    """The cities of the list that a text names."""
    return frozenset(_BY_WORDS[match] for match in _NAMES.findall(plain_words(question)))


def named(question: str) -> str | None:
    """The city that a question names; None if it names none, or several."""
    found = all_named(question)
    return next(iter(found)) if len(found) == 1 else None


@functools.lru_cache(maxsize=16384)
def gives_away(name: str, said: str) -> bool:
    """Whether an answer says the city, its country, or another name of them."""
    return leaks(said, CITIES[name].secrets)


def ask_for(name: str) -> str:
    """The question that names a city."""
    return f"Is it {name}?"
