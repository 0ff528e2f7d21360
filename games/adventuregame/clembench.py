"""clembench's instances and definitions as ours."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from playpen_eval.clembench import read_json
from playpen_eval.errors import UserError
from playpen_eval.game import Instance

from .logic import Expression, leaves, parse
from .rules import CLEMBENCH
from .session import Session

HOME = "clembench_home"
_HOME_FILES = {"home_rooms", "home_entities", "basic_actions_v2", "home_domain"}
_LIMIT = "_invlimit"
_KINDS = ("action", "room", "entity", "domain", "event")
_SILENT = ["Nothing happens.", "world_state_discrepancy"]
"""What is said where upstream's definitions have no text."""


def translate(experiment: Mapping[str, Any], instance: Mapping[str, Any], version: str) -> Instance:
    """An instance that holds its definitions, or names ours.

    Raises:
        UserError: It names definitions that are at hand in a checkout only.
    """
    name = f"{experiment['name']}/{instance['game_id']}"
    named = [entry for kind in _KINDS for entry in instance.get(f"{kind}_definitions", ())]
    files = [entry.removesuffix(".json") for entry in named if isinstance(entry, str)]
    ours = bool(files) and {file.removesuffix(_LIMIT) for file in files} <= _HOME_FILES and "folder" not in experiment
    try:
        translated = {
            "variant": instance["variant"],
            "prompt": instance["prompt"],
            "domain": HOME if ours else _definitions(instance, experiment.get("folder")),
            "limit": 2 if any(_LIMIT in file for file in files) else None,
            "facts": list(instance["initial_state"]),
            "goals": list(instance["goal_state"]),
            "max_turns": instance["max_turns"],
            "optimal_turns": instance["optimal_turns"],
            "optimal_commands": list(instance["optimal_commands"]),
            "hints": dict(instance.get("hints", {})),
            "seed": name,
        }
        Session(translated, CLEMBENCH[f"clembench-{version}"])  # so that what cannot be played is found out here
    except (LookupError, TypeError, ValueError, StopIteration, RuntimeError) as error:
        raise UserError(f"game {name}: its definitions cannot be used ({error!r})") from None
    return translated


def hints(interactions: Mapping[str, Any]) -> dict[str, list[str]]:
    """What a log tells about the things that commands meant.

    Upstream takes any one of several equal things, such as floors, and says in the log which one did not fit.

    Returns:
        Number of the reply, and after a dot that of the command in its plan -> names of things.
    """
    found: dict[str, list[str]] = {}
    turn = -1
    for event in (event for round_ in interactions["turns"] for event in round_):
        kind, content = event["action"]["type"], event["action"].get("content")
        if kind == "get message":
            turn += 1
        elif kind == "action_fail":
            found |= _hint(str(turn), content)
        elif kind == "plan_results":
            for index, entry in enumerate(content):
                found |= _hint(f"{turn}.{index}", entry[-1])
    return found


def _hint(key: str, failed: Any) -> dict[str, list[str]]:
    argument = failed.get("arg") if isinstance(failed, Mapping) else None
    predicate = argument.get("failed_precon_predicate") if isinstance(argument, Mapping) else None
    if isinstance(predicate, Mapping):
        predicate = predicate.get("not", predicate)
        return {key: [name for name in predicate.get("predicate_tuple", ())[1:] if isinstance(name, str)]}
    return {}


def _definitions(instance: Mapping[str, Any], folder: str | None) -> dict[str, Any]:
    def read(kind: str) -> Iterator[Any]:
        for entry in instance.get(f"{kind}_definitions", ()):
            if not isinstance(entry, str):
                yield entry
                continue
            if folder is None:
                raise UserError(f"the definitions {entry!r} are needed: give a clembench checkout")
            path = Path(folder) / "resources" / "definitions" / f"{entry.removesuffix('.json')}.json"
            content = read_json(path)
            yield from content if isinstance(content, list) else [content]

    kinds: dict[str, list[str]] = {}
    states = ["open", "closed"]
    for domain in read("domain"):
        types = domain["types"] if "types" in domain else _types(domain["pddl_domain"])
        for general, members in types.items():
            kinds.setdefault(general, []).extend(members)
        states += [predicate["predicate_id"] for predicate in domain.get("predicates", ())]
        states += [state for state in domain.get("mutable_states", ()) if state not in ("at", "in", "on")]
    return {
        "rooms": {room["type_name"]: room["repr_str"] for room in read("room")},
        "things": {
            thing["type_name"]: {
                "name": thing["repr_str"],
                "traits": thing["traits"],
                "adjectives": thing.get("possible_adjs", []),
                "hidden": thing.get("hidden", False),
            }
            for thing in read("entity")
        },
        "kinds": kinds,
        "states": list(dict.fromkeys(states)),
        "actions": [_action(action) for action in read("action")],
        "events": [_event(event) for event in read("event")],
    }


def _types(pddl: str) -> dict[str, list[str]]:
    lists = next(part for part in parse(pddl) if part[0] == ":types")
    return {kind: members for members, kind in _typed(lists[1:])}


def _typed(terms: Sequence[Any]) -> Iterator[tuple[list[str], str]]:
    """The lists of `a b - type c - type`, each with its type."""
    names: list[str] = []
    rest = iter(terms)
    for term in rest:
        if term == "-":
            yield names, next(rest)
            names = []
        else:
            names.append(term)


def _sections(pddl: str) -> dict[str, Expression]:
    _, _, *parts = parse(pddl)
    return dict(zip(parts[::2], parts[1::2], strict=True))


def _written(part: Any) -> str:
    return f"({' '.join(map(_written, part))})" if isinstance(part, tuple) else str(part)


def _text(template: str) -> str:
    return re.sub(r"\{\{ *(\w+) *\}\}", r"{\1}", template)


def _action(data: Mapping[str, Any]) -> dict[str, Any]:
    rule, _, token = data["lark"].partition("\n")
    sections = _sections(data["pddl"])
    kinds = {name: kind for names, kind in _typed(sections[":parameters"]) for name in names}
    said = [[_text(text), kind] for text, kind in data["failure_feedback"]["parameters"]]
    said += [_SILENT] * (len(kinds) - len(said))
    failures = iter([[_text(text), kind] for text, kind in data["failure_feedback"]["precondition"]])
    needs = []
    condition = sections[":precondition"]
    for part in condition[1:] if condition[0] == "and" else [condition]:
        needs.append([_written(part), *(next(failures, _SILENT) for _ in leaves(part))])
    return {
        "name": data["type_name"],
        "verbs": re.findall(r'"([^"]+)"', token),
        "form": _form(rule),
        "parameters": {
            name: [kind, data["pddl_parameter_mapping"][name], *failure]
            for (name, kind), failure in zip(kinds.items(), said, strict=False)
        },
        "needs": needs,
        "effect": _written(sections[":effect"]),
        "success": _text(data["success_feedback"]),
        "epistemic": data["epistemic"],
        "pragmatic": data["pragmatic"],
    }


def _form(rule: str) -> str:
    """`take: TAKE PREP* thing (PREP thing)*` -> `prep* thing (prep thing)*`."""
    form = rule.partition(":")[2].strip().partition(" ")[2]
    return re.sub(r'\bWS\b|"', "", form).replace("PREP", "prep")


def _event(data: Mapping[str, Any]) -> dict[str, Any]:
    sections = _sections(data["pddl"])
    event = {
        "name": data["type_name"],
        "parameters": {name: kind for names, kind in _typed(sections[":parameters"]) for name in names},
        "condition": _written(sections[":precondition"]),
        "effect": _written(sections[":effect"]),
        "text": _text(data["event_feedback"]),
    }
    if random_room := data.get("randomize"):
        event["random_room"] = [random_room["initial_value"], random_room["not_replacer"]]
    return event
