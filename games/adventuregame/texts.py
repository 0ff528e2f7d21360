"""What the player is told about the world."""

from __future__ import annotations

from collections.abc import Sequence

from .world import INVENTORY, World


def listed(names: Sequence[str]) -> str:
    """Names as one phrase: a, b and c."""
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def a(name: str) -> str:
    """A name with its indefinite article."""
    return f"{'an' if name[:1] in 'aeiou' else 'a'} {name}"


def _things(world: World, things: Sequence[str], article: bool = True) -> str:
    names = [world.name(thing) for thing in things]
    return listed([a(name) if article else f"the {name}" for name in names])


def room(world: World) -> str:
    """The room, what is to be seen in it and in which state, and the ways out."""
    visible, exits = world.visible(), world.exits()
    sentences = [f"This is the {world.name(world.room)}."]
    if visible:
        sentences.append(f"You see {_things(world, visible)}.")
    for thing in visible:
        sentences += [f"The {world.name(thing)} is {part}." for part in [*world.states(thing), *_places(world, thing)]]
    if exits:
        sentences.append(f"From here you can go to {_things(world, exits, article=False)}.")
    return " ".join(sentences)


def _places(world: World, thing: str) -> list[str]:
    return [
        f"{relation} the {world.name(fact[2])}" for relation in ("in", "on") for fact in world.facts.of(relation, thing)
    ]


def inventory(world: World) -> str:
    """What the player carries."""
    carried = world.contents(INVENTORY)
    return f"You are carrying {_things(world, carried)}." if carried else "You are carrying nothing."


def container(world: World, holder: str) -> str:
    """What is in an open container."""
    inside = world.contents(holder)
    return f"Inside you find {_things(world, inside)}." if inside else "There is nothing inside."


def thing(world: World, what: str) -> str:
    """A thing from near."""
    name = world.name(what)
    facts = world.facts
    sentences = [f"It is {a(name)}."]
    if states := world.states(what):
        sentences.append(f"It is {listed(states)}.")
    if ("takeable", what) in facts:
        sentences.append("You can carry it.")
    sentences += ["You have it." if INVENTORY in place else f"It is {place}." for place in _places(world, what)]
    if ("container", what) in facts:
        closed = ("closed", what) in facts
        sentences.append("One cannot see inside." if closed else container(world, what))
    if ("support", what) in facts:
        above = world.contents(what)
        sentences.append(f"On it you see {_things(world, above)}." if above else "There is nothing on it.")
    return " ".join(sentences)


def writing(world: World, what: str) -> str:
    """What is written on a thing."""
    return "\n".join(fact[2] for fact in world.facts.of("text", what))
