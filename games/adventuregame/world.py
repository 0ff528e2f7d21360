"""One state of a world: where everything is, and what the player can see of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .domain import Domain
from .logic import Fact, Facts

INVENTORY = "inventory"


class World:
    """Facts about rooms and things, read by the types of a domain."""

    def __init__(self, domain: Domain, facts: Iterable[Fact]):
        self.domain = domain
        self.facts = Facts([*facts])
        self._first_kinds = {fact[1]: fact[2] for name in ("type", "room") for fact in self.facts.all(name)}
        self.typed = [fact[1] for fact in self.facts.all("type")]
        self.rooms = [fact[1] for fact in self.facts.all("room")]
        self._complete()
        self.player = self.of_kind("player")[0]
        self._visible: tuple[int, list[str]] = (-1, [])
        self._places = {thing: place for place, thing in enumerate([*self.typed, *self.rooms])}

    def _complete(self) -> None:
        """Adds what instances leave unsaid: traits that follow from types, the inventory, what can be reached."""
        facts = self.facts
        facts.add(("type", INVENTORY, INVENTORY))
        self._first_kinds[INVENTORY] = INVENTORY
        for thing in self.typed:
            kind = self._first_kinds[thing]
            for trait in sorted(self.domain.kinds.get(kind, frozenset()) - {kind, "entity"}):
                facts.add((trait, thing))
        if self.domain.counts and not facts.all("itemcount"):
            facts.add(("itemcount", INVENTORY, len(facts.to("in", INVENTORY))))
        for thing in self.typed:
            holders = [fact[2] for fact in facts.of("in", thing)]
            reached = bool(facts.of("on", thing)) or any(
                holder == INVENTORY or ("open", holder) in facts for holder in holders
            )
            fixed = ("needs_support", thing) not in facts and self._first_kinds[thing] not in ("floor", "player")
            if reached or fixed:
                facts.add(("accessible", thing))

    @property
    def room(self) -> str:
        """Where the player is."""
        return self.facts.about("at", self.player)

    def kind(self, thing: str) -> str:
        """The type of a room or thing; what has lost its type is still called by it."""
        return self.facts.about("type", thing) or self._first_kinds.get(thing, thing)

    def name(self, thing: str) -> str:
        """What a room or thing is called."""
        return self.domain.name(self.kind(thing))

    def of_kind(self, kind: str) -> list[str]:
        """The rooms or things of exactly this type."""
        return [fact[1] for name in ("type", "room") for fact in self.facts.to(name, kind)]

    def is_a(self, thing: str, kind: str) -> bool:
        """Whether a room or thing is of a type, or of a narrower one."""
        own = [fact[2] for name in ("type", "room") for fact in self.facts.of(name, thing)]
        return any(kind in self.domain.kinds.get(narrow, (narrow,)) for narrow in own)

    def instances(self, kind: str, among: Iterable[str] | None = None) -> list[str]:
        """The rooms and things of a type, narrower ones included; all of them, or those among some."""
        if among is not None:
            return [thing for thing in among if self.is_a(thing, kind)]
        kinds = self.domain.kinds
        found = [
            fact[1]
            for name in ("type", "room")
            for fact in self.facts.all(name)
            if kind in kinds.get(fact[2], (fact[2],))
        ]
        return self.ordered(found)

    def ordered(self, things: Iterable[str]) -> list[str]:
        """Things in the order in which the instance names them, those that came into being later at the end."""
        return sorted(things, key=lambda thing: (self._places.get(thing, len(self._places)), thing))

    def contents(self, holder: str) -> list[str]:
        """What is in or on something."""
        return self.ordered(fact[1] for name in ("in", "on") for fact in self.facts.to(name, holder))

    def holders(self, thing: str) -> list[str]:
        """What something is in or on."""
        return self.ordered(fact[2] for name in ("in", "on") for fact in self.facts.of(name, thing))

    def exits(self) -> list[str]:
        """The rooms that can be gone to."""
        return self.ordered(fact[2] for fact in self.facts.of("exit", self.room))

    def visible(self) -> list[str]:
        """The things that the player sees, apart from those it carries."""
        version = self.facts.version
        if self._visible[0] != version:
            here = self.ordered([fact[1] for fact in self.facts.to("at", self.room)])
            hidden = self.domain.hidden
            seen = [thing for thing in here if self.kind(thing) not in hidden and not self._put_away(thing)]
            self._visible = version, seen
        return self._visible[1]

    def _put_away(self, thing: str) -> bool:
        return any(fact[2] == INVENTORY or ("closed", fact[2]) in self.facts for fact in self.facts.of("in", thing))

    def states(self, thing: str) -> list[str]:
        """The states a thing is in."""
        return [state for state in self.domain.states if (state, thing) in self.facts]

    def perceived(self) -> set[Fact]:
        """The facts that the player sees."""
        facts = self.facts
        seen: set[Fact] = {*facts.of("at", self.player), *facts.of("exit", self.room)}
        seen.update(facts.all("itemcount"))
        for thing in self.visible():
            seen.update(facts.of("at", thing), facts.of("in", thing), facts.of("on", thing))
            seen.update((state, thing) for state in self.states(thing))
        for thing in self.contents(INVENTORY):
            seen.update(facts.of("at", thing), facts.of("in", thing))
        return seen

    def achieved(self, goals: Sequence[Fact]) -> list[Fact]:
        """The goals that hold now."""
        return [goal for goal in goals if goal in self.facts]
