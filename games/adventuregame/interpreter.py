"""Carries out commands in a world, and says what came of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random

from . import events, texts
from .commands import Command, Misread, read_command
from .domain import Action, Failure, Parameter
from .logic import Fact, apply, holds
from .rules import Rules
from .world import INVENTORY, World

_SLOT = re.compile(r"\{(\w+)\}")
_MISREAD = {
    "lark_exception": "That was not understood. Use plain words only.",
    "malformed_command": "That was not understood.",
    "undefined_action_verb": "'{about}' is nothing you can do here.",
    "undefined_repr_str": "It is unclear what '{about}' is.",
    "manipulating_room": "That cannot be done with a room.",
    "taking_from_inventory": "You have that already.",
    "other_room_argument": "You are somewhere else than in the {about}.",
    "entity_not_accessible": "There is no {about} here.",
    "take_non_takeable_object": "The {about} cannot be taken.",
}
_THINGS = ("?e", "?thing")
"""What clembench's definitions and ours call the thing that is looked at."""
_TARGETS = ("?t", "?target")
"""What they call that on or in which something is put."""
_ON_ROOMS = frozenset({"open", "close", "take", "put"})


@dataclass(frozen=True)
class Result:
    """What came of a command.

    Attributes:
        text: What the player is told.
        action: What it tried to do, if that much was understood.
        phase: Where it failed, parsing or resolution; empty if it did not.
        failure: The kind of failure.
        removed: Facts that the action made untrue.
    """

    text: str
    action: Action | None = None
    phase: str = ""
    failure: str = ""
    removed: tuple[Fact, ...] = ()

    @property
    def done(self) -> bool:
        """Whether the player ended the game."""
        return not self.phase and self.action is not None and self.action.name == "done"


class _FailedError(Exception):
    def __init__(self, kind: str, text: str, phase: str = "parsing"):
        super().__init__(kind)
        self.kind, self.text, self.phase = kind, text, phase


def _misread(kind: str, about: str = "", phase: str = "parsing") -> _FailedError:
    return _FailedError(kind, _MISREAD[kind].format(about=about), phase)


class Interpreter:
    """A world and the rules by which commands change it."""

    def __init__(self, world: World, rules: Rules, random: Random):
        self.world = world
        self.rules = rules
        self._random = random

    def execute(self, text: str, hint: Sequence[str] = ()) -> Result:
        """Carries out one command.

        Args:
            text: The command.
            hint: Names of things that settle which of several equal ones is meant, if a recording tells it.
        """
        if self.rules.longest is not None and len(text) > self.rules.longest:
            command = Misread("malformed_command")
        else:
            command = read_command(self.world.domain, text, owners=self.rules.owners, join=self.rules.join)
        action = None
        try:
            if isinstance(command, Misread):
                raise _misread(command.kind, command.about)
            action = command.action
            result = self._carry_out(command, hint)
        except _FailedError as failed:
            result = Result(failed.text, action if failed.phase == "resolution" else None, failed.phase, failed.kind)
        if not self.rules.line_break:
            return result
        told, removed = events.happen(self.world, self._random, self._fill)
        answer = "\n".join([result.text, "\n".join(told)])
        return replace(result, text=answer, removed=result.removed + removed)

    def _carry_out(self, command: Command, hint: Sequence[str]) -> Result:
        action, world = command.action, self.world
        kinds = self._check_names(command)
        binding: dict[str, str] = {}
        for variable, parameter in action.parameters.items():
            value = self._value(parameter, kinds, binding, hint)
            if value is None:
                if parameter.sources[0] == "arg1" or self.rules.types_first:
                    raise _misread("entity_not_accessible", command.things[0], "resolution")
                raise _misread("take_non_takeable_object", command.things[0], "resolution")
            binding[variable] = value
            if self.rules.types_first:
                self._check_type(parameter, variable, binding)
        for need in action.needs:
            if holds(need.condition, binding, world.facts):
                continue
            failure = next(failure for part, failure in need.failures if not holds(part, binding, world.facts))
            raise self._failed(failure, binding, world.name)
        if not self.rules.types_first:
            for variable, parameter in action.parameters.items():
                self._check_type(parameter, variable, binding)
        removed = apply(action.effect, binding, world.facts, world.instances)
        return Result(self._fill(action.success, binding, command.preposition), action, removed=removed)

    def _check_names(self, command: Command) -> list[str]:
        """The types of what the command names, as far as its action looks at them.

        Raises:
            _FailedError: A name is unknown, or of a room where that is never right.
        """
        domain, world, verb = self.world.domain, self.world, command.action.name
        kinds = []
        for place, name in enumerate(command.things[:2]):
            if verb == "take" and place == 1 and domain.types.get(name) == INVENTORY:
                carried = any(INVENTORY in world.holders(thing) for thing in world.of_kind(kinds[0]))
                raise _misread("taking_from_inventory", phase="resolution" if carried else "parsing")
            kind = domain.types.get(name)
            if kind is None:
                raise _misread("undefined_repr_str", name)
            if kind in domain.rooms:
                if place == 0 and verb in _ON_ROOMS:
                    raise _misread("manipulating_room")
                # Upstream compares a type with a name, so that a room of two words is always another one.
                here = world.kind(world.room) if self.rules.own else world.name(world.room)
                if place == 1 and kind != here:
                    raise _misread("other_room_argument", domain.name(kind))
            kinds.append(kind)
        return kinds

    def _value(
        self, parameter: Parameter, kinds: list[str], binding: Mapping[str, str], hint: Sequence[str]
    ) -> str | None:
        """What a parameter stands for: the first of its sources that there is."""
        for source in parameter.sources:
            if source in ("arg1", "arg2"):
                if len(kinds) >= int(source[3]):
                    return self._one_of(self.world.of_kind(kinds[int(source[3]) - 1]), hint)
            elif source == "arg1_receptacle":
                thing = self._one_of(self.world.of_kind(kinds[0]), hint)
                return self._one_of(self.world.holders(thing), hint) if thing else None
            elif source == "current_room_floor":
                return self._one_of(self.world.of_kind("floor"), ())
            elif source == "current_player_room":
                return self.world.room
            else:
                return self.world.player if source == "player" else INVENTORY
        return None

    def _one_of(self, candidates: list[str], hint: Sequence[str]) -> str | None:
        """Of several equal things the one that a recording names, else one that is here."""
        if len(candidates) < 2:
            return candidates[0] if candidates else None
        for thing in hint:
            if thing in candidates:
                return thing
        near = [thing for thing in candidates if ("at", thing, self.world.room) in self.world.facts]
        return (near or candidates)[0]

    def _check_type(self, parameter: Parameter, variable: str, binding: Mapping[str, str]) -> None:
        if not self.world.is_a(binding[variable], parameter.kind):
            raise self._failed(parameter.failure, binding, self.world.kind if self.rules.type_ids else self.world.name)

    def _failed(self, failure: Failure, binding: Mapping[str, str], name: Callable[[str], str]) -> _FailedError:
        text = _SLOT.sub(lambda match: name(binding[f"?{match[1]}"]) if f"?{match[1]}" in binding else "", failure.text)
        if self.rules.capitalize:
            text = text.capitalize()
        return _FailedError(failure.kind, text, "resolution")

    def _fill(self, text: str, binding: Mapping[str, str], preposition: str | None = None) -> str:
        """A text of the definitions with the names and descriptions that it asks for."""
        world, named = self.world, list(binding.values())

        def slot(match: re.Match[str]) -> str:
            name = match[1]
            if f"?{name}" in binding:
                return world.name(binding[f"?{name}"])
            if name == "prep":
                target = next((binding[variable] for variable in _TARGETS if variable in binding), "")
                return preposition or ("on" if ("support", target) in world.facts else "in")
            if name == "room_desc":
                return texts.room(world)
            if name == "inventory_desc":
                return texts.inventory(world)
            about = {"container_content": texts.container, "arg1_desc": texts.thing, "arg1_text": texts.writing}
            thing = next((binding[variable] for variable in _THINGS if variable in binding), named[0] if named else "")
            return about[name](world, thing) if name in about else ""

        return _SLOT.sub(slot, text)
