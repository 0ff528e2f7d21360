"""NATURAL PLAN: a meeting time, a trip, a day of meetings; plans in the form that the shots in the prompt have.

Graders take any text, never raise for it, and need time linear in its length.
"""

import ast
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from playpen_eval.errors import UserError

SLOT = re.compile(
    r"\b(mon|tues|wednes|thurs|fri|satur|sun)day\W{1,6}(\d{1,2}):(\d\d)\s{0,3}(?:-|–|—|to)\s{0,3}(\d{1,2}):(\d\d)(?!\d)"
)
DAYS = re.compile(r"\bday\s{0,3}(\d{1,3})(?:\s{0,3}[-–—]\s{0,3}(\d{1,3}))?")
CLOCK = re.compile(r"\b(\d{1,2}):(\d\d)\s{0,3}([ap])m")
MINUTES = re.compile(r"\bfor (\d{1,4}) min")


class Meeting(NamedTuple):
    """What one person asks for: a place, a window, and how long at least; in minutes after midnight."""

    place: str
    opens: int
    closes: int
    minutes: int


class Day(NamedTuple):
    """A task of meeting people: where and when it starts, who they are, minutes between places."""

    place: str
    time: int
    people: dict[str, Meeting]
    travel: dict[tuple[str, str], int]


def prompt(doc: Mapping[str, Any]) -> str:
    """The prompt with its five shots.

    Raises:
        UserError: No column holds it.
    """
    text = doc.get("prompt_5shot") or doc.get("prompt")
    if not text:
        raise UserError(f"natural_plan: no column prompt_5shot or prompt; there are {', '.join(doc)}")
    return str(text).rstrip()


def target(doc: Mapping[str, Any]) -> str:
    """The golden plan as text; reads all that grading will need, so that bad rows show before a model is asked.

    Raises:
        UserError: A column is not as published.
    """
    golden = _golden(doc)
    if _has(doc, "cities"):
        _stays(doc)
    elif _has(doc, "dist_matrix"):
        met, _ = _simulate(_day(doc), golden)
        if not met:
            raise _unexpected("golden_plan", golden, "a plan in which somebody is met")
    elif _slot(golden) is None:
        raise _unexpected("golden_plan", golden, "a day and two times, like 'Monday, 9:00 - 9:30'")
    return golden


def grade(doc: Mapping[str, Any], results: Sequence[Any]) -> dict[str, float]:
    """1 for a plan that is as good as the golden one, 0 for any other text."""
    reply = _answer(str(results[0]))
    if _has(doc, "cities"):
        return {"acc": float(_visits(reply, _stays(doc)) == _stays(doc))}
    if _has(doc, "dist_matrix"):
        day = _day(doc)
        met, kept = _simulate(day, reply)
        return {"acc": float(kept and met >= _simulate(day, _golden(doc))[0])}
    return {"acc": float(_slot(reply) == _slot(_golden(doc)))}


# What the three have in common


def _answer(reply: str) -> str:
    """What comes after the mark that the shots have before a plan, and before a task that the model makes up."""
    return reply.partition("\nTASK:")[0].rpartition("SOLUTION:")[2]


def _golden(doc: Mapping[str, Any]) -> str:
    golden = doc["golden_plan"]
    if isinstance(golden, str) and golden.lstrip().startswith("["):
        golden = _structure(golden, "golden_plan")
    return "\n".join(map(str, golden)) if isinstance(golden, list) else str(golden)


def _has(doc: Mapping[str, Any], column: str) -> bool:
    return doc.get(column) is not None


def _structure(value: object, column: str) -> Any:
    """Lists and objects, also where the copy on the hub keeps them as text."""
    if not isinstance(value, str):
        return value
    for read in (json.loads, ast.literal_eval):
        try:
            return read(value)
        except (ValueError, SyntaxError):
            continue
    raise _unexpected(column, value, "a list or an object")


def _unexpected(column: str, found: object, wanted: str) -> UserError:
    shown = str(found)[:200]
    return UserError(f"natural_plan: {column} is {shown!r} rather than {wanted}; check the data set's version")


def _leading(text: str, names: Iterable[str]) -> str | None:
    """The longest of the names that the text starts with, as a whole word."""
    fitting = [name for name in names if text.startswith(name) and not text[len(name) : len(name) + 1].isalnum()]
    return max(fitting, key=len, default=None)


# Calendar: the first time that is proposed


def _slot(text: str) -> tuple[str, int, int] | None:
    found = SLOT.search(text.lower())
    if found is None:
        return None
    day, *times = found.groups()
    hour, minute, end_hour, end_minute = map(int, times)
    return day, 60 * hour + minute, 60 * end_hour + end_minute


# Trip: from the days of the flights and the last day, as the authors do


def _stays(doc: Mapping[str, Any]) -> list[tuple[str, int]]:
    cities = [city.strip().lower() for city in str(doc["cities"]).split("**") if city.strip()]
    days = [day.strip() for day in str(doc["durations"]).split("**") if day.strip()]
    if not cities or len(cities) != len(days) or not all(re.fullmatch(r"\d{1,3}", day) for day in days):
        raise _unexpected("durations", doc["durations"], f"one number for each of the cities {doc['cities']!r}")
    return list(zip(cities, map(int, days)))


def _visits(text: str, wanted: Sequence[tuple[str, int]]) -> list[tuple[str, int]]:
    cities = {city for city, _ in wanted}
    last = sum(days for _, days in wanted) - len(wanted) + 1  # the day of a flight counts for both its cities
    route: list[str] = []
    bounds = [1]
    end = 0
    for line in text.lower().replace("*", "").splitlines():
        days = DAYS.search(line)
        if days is None:
            continue
        if days[2]:
            end = int(days[2])
            if end == last:
                break  # the plan is complete; what follows would be another one
        elif flight := _flight(line, cities):
            if not route:
                route.append(flight[0])
            elif route[-1] != flight[0]:
                return []
            route.append(flight[1])
            bounds.append(int(days[1]))
    bounds.append(end)
    return [(city, leaves - comes + 1) for city, comes, leaves in zip(route, bounds, bounds[1:])]


def _flight(line: str, cities: Iterable[str]) -> tuple[str, str] | None:
    origin, _, destination = line.partition(" from ")[2].partition(" to ")
    if not destination:
        return None
    return _leading(origin.strip(), cities) or "?", _leading(destination.strip(), cities) or "?"


# Meeting: the plan is played


def _day(doc: Mapping[str, Any]) -> Day:
    constraints, matrix = _structure(doc["constraints"], "constraints"), _structure(doc["dist_matrix"], "dist_matrix")
    try:
        (place, start), *wishes = constraints
        people = {str(wish[0]).lower(): _meeting(*wish[1:]) for wish in wishes}
        travel = {
            (origin.lower(), destination.lower()): int(minutes)
            for origin, row in matrix.items()
            for destination, minutes in (row or {}).items()
            if minutes is not None  # a copy in columns has every place in every row
        }
        return Day(str(place).lower(), _clock(str(start)), people, travel)
    except (AttributeError, IndexError, TypeError, ValueError):
        wanted = "[place, time], then [name, place, 'from 9:00AM to 5:00PM', minutes] each; and minutes between places"
        raise _unexpected("constraints or dist_matrix", f"{constraints}; {matrix}", wanted) from None


def _meeting(place: str, window: str, minutes: int | str) -> Meeting:
    opens, closes = (_minutes(*found) for found in CLOCK.findall(window.lower()))
    return Meeting(place.lower(), opens, closes, int(minutes))


def _clock(text: str) -> int:
    """The last time of day in a text, in minutes after midnight."""
    found = CLOCK.findall(text.lower())
    if not found:
        raise ValueError(f"no time of day in {text!r}")
    return _minutes(*found[-1])


def _minutes(hour: str, minute: str, half: str) -> int:
    return int(hour) % 12 * 60 + int(minute) + 720 * (half == "p")


def _simulate(day: Day, plan: str) -> tuple[int, bool]:
    """How many people are met before the plan breaks a rule, and whether it never does."""
    place, time, met = day.place, day.time, set[str]()
    for verb, rest in _steps(plan):
        try:
            if verb == "travel":
                destination = _leading(rest.removeprefix("to "), {there for _, there in day.travel}) or "?"
                place, time = destination, time + (day.travel[place, destination] if place != destination else 0)
            elif verb == "wait":
                if _clock(rest) < time:
                    return len(met), False
                time = _clock(rest)
            else:
                time = _meet(day, rest, place, time, met)
        except (KeyError, ValueError):  # no such place, no such person, no time
            return len(met), False
    return len(met), True


def _steps(plan: str) -> Iterator[tuple[str, str]]:
    """Sentences like 'You travel to ...', as a verb and the rest; everything else is talk."""
    for sentence in re.split(r"[.\n]", plan.lower()):
        subject, _, rest = sentence.replace("*", "").strip().lstrip("-0123456789) ").partition(" ")
        verb, _, rest = rest.partition(" ")
        if subject == "you" and verb in ("travel", "wait", "meet"):
            yield verb, rest


def _meet(day: Day, rest: str, place: str, time: int, met: set[str]) -> int:
    """The time after a meeting; raises a ValueError if it cannot take place."""
    person = _leading(rest, day.people)
    if person is None or person in met:
        raise ValueError(rest)
    wish = day.people[person]
    stated = MINUTES.search(rest)
    end = time + (int(stated[1]) if stated else wish.minutes)
    if place != wish.place or time < wish.opens or end > wish.closes or end - time < wish.minutes:
        raise ValueError(rest)
    met.add(person)
    return end
