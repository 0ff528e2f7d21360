"""clembench's own data as instances, and its rules where they are not ours."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from typing import Any

from playpen_eval.clembench import checked_pattern, compiled
from playpen_eval.errors import UserError
from playpen_eval.game import Abort, Instance, Outcome

from . import graphs, paths
from .rules import ROLE, Rules

TURNS = 20
_PATTERNS = {"go": "Move_Construction", "done": "Stop_Construction", "reply": "Response_Construction"}
_PLACEHOLDERS = {
    "$INITIAL_ROOM$": "{room}",
    "$ANOTHER_ROOM$": "{room}",
    "$SAME_ROOM$": "{room}",
    "$INITIAL_DIRECTIONS$": "{exits}",
    "$DIRECTIONS$": "{exits}",
    "$GOAL$": "{target}",
}
_CLOSED = re.compile(r"\}\s*\}\s*\}$")
"""How every reply with a map ends; looked for first, as the pattern of the data takes long where it is missing."""


class ClembenchRules(Rules):
    """clembench's rules, kept to the letter; the patterns of replies come with its data."""

    def __init__(self, instance: Instance, game: str):
        super().__init__(instance, game)
        self.patterns: Mapping[str, str] = instance["patterns"]
        self.is_old = instance["rules"] == "clembench-2.0"

    def read(self, reply: str) -> str | None:
        text = reply.strip()  # as whatever calls clembench's models does
        return self._read_with_map(text.replace("\n", "").strip()) if self.keeps_map else self._read_plain(text)

    def _read_plain(self, text: str) -> str | None:
        if self._match("done", text):
            return None
        go = self._match("go", text)
        if go is None:
            raise Abort(ROLE, "the reply matches neither pattern of the instance")
        return go[1].lower()

    def _read_with_map(self, text: str) -> str | None:
        form = self._match("reply", text) if _CLOSED.search(text) else None
        if form is None:
            raise Abort(ROLE, "the reply does not match the pattern of the instance")
        stops = self._match("done", form[1])
        if stops and self.is_old:
            return None
        if not stops and not self._match("go", form[1]):
            raise Abort(ROLE, "the action matches neither pattern of the instance")
        try:
            said = graphs.read_literal(text)
            if stops:
                return None
            action, graph = said["action"], said["graph"]
            go = self._match("go", action)
        except (ValueError, TypeError, KeyError) as error:
            raise Abort(ROLE, f"the reply is no Python dictionary with a map ({error})") from None
        if go is None:
            raise Abort(ROLE, "the action that counts, the last one, is no step")
        self.maps.append(graph)
        return go[1]  # as it is written: "North" is no exit

    def _match(self, name: str, text: str) -> re.Match[str] | None:
        return compiled(self.patterns[name], re.IGNORECASE).match(text)

    def out_of_turns(self) -> Outcome:
        if not self.is_old:
            self.walk.steps.pop()  # clembench 3.0 ends before it logs the last step
        return Outcome.aborted(ROLE, "the replies are used up without DONE", **self.numbers(stopped=False))

    def efficient(self) -> list[bool]:
        """Whether each move was efficient; rejected steps are not known to the scores."""
        flags = self.walk.efficient(paths.clembench_steps)
        return [flag for step, flag in zip(self.walk.steps, flags) if step.room is not None]

    def metrics(self, stopped: bool) -> dict[str, float | None]:
        """Nothing is defined of a walk that ended without DONE."""
        moves = len(self.walk.rooms()) - 1
        metrics = super().metrics(stopped) | {"moves": moves, "invalid_moves": 0, "turns_limit": 0}
        if "target" in self.instance:
            metrics |= {"loops": self.walk.loops(restart=True), "old_benchscore": self.thoroughness()}
        return metrics if stopped else dict.fromkeys(metrics)

    def rounds(self) -> dict[str, dict[str, float | None]]:
        """Numbers of each move, from 0."""
        name = "effiencient_move" if self.is_old else "efficient_move"
        rounds: dict[str, dict[str, float | None]] = {
            str(index): {name: int(flag)} for index, flag in enumerate(self.efficient())
        }
        for index, similarity in enumerate(self.similarities()):
            rounds[str(index)]["similarity"] = similarity
        return rounds

    def similarities(self) -> list[float]:
        """Of the map that came with each move to the whole map."""
        moved = [written for step, written in zip(self.walk.steps, self.maps) if step.room is not None]
        return [graphs.clembench_similarity(written, self.walk.world) for written in moved]


def translate(instance: Mapping[str, Any]) -> Instance:
    """An instance of ours with clembench's map, texts and patterns.

    Raises:
        UserError: It is of a kind that is not played, or its literals cannot be read.
    """
    where = f"game {instance['game_id']}"
    for name, expected in (("Loop_Reminder", False), ("Max_Turns_Reminder", False), ("Game_Type", "named_graph")):
        if instance.get(name, expected) != expected:
            raise UserError(f"{where}: {name} is {instance[name]!r}, which is not played; only {expected!r} is")
    try:
        moves = {row["node"]: dict(row["node_moves"]) for row in ast.literal_eval(instance["Moves"])}
        told = dict(ast.literal_eval(instance["Directions"]))
        rooms = {name: number for number, name in enumerate(told)}
        exits = [{direction: rooms[moves[name][direction]] for direction in told[name]} for name in rooms]
    except (ValueError, SyntaxError, TypeError, KeyError) as error:
        raise UserError(f"{where}: its map cannot be read ({error!r})") from None
    texts = {"opening": "Prompt", "moved": "Player2_positive_answer", "blocked": "Player2_negative_answer"}
    translated = {
        "rooms": rooms,
        "exits": exits,
        "start": instance["Current_Position"],
        "turns": TURNS,
        "texts": {name: _with_placeholders(instance[field]) for name, field in texts.items()},
        "patterns": {
            name: checked_pattern(instance[field], field) for name, field in _PATTERNS.items() if field in instance
        },
    }
    if "Specific_Room" in instance:
        translated["target"] = instance["Specific_Room"]
    return translated


def _with_placeholders(text: str) -> str:
    for theirs, ours in _PLACEHOLDERS.items():
        text = text.replace(theirs, ours)
    return text
