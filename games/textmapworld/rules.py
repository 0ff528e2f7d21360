"""What is told, how replies are read and what a walk is worth; `clembench.py` says what clembench does otherwise."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from playpen_eval.game import Abort, Deferred, Instance, Outcome, read_texts

from . import graphs, paths
from .world import Walk, World, harmonic_mean, percent

ROLE = "explorer"
PROMPTS = read_texts(__file__)
_GO = re.compile(r"go\s*:\s*(north|east|south|west)", re.IGNORECASE | re.ASCII)


def texts_of(fields: Mapping[str, Any], game: str) -> Mapping[str, str]:
    """The texts `opening`, `moved` and `blocked`, with placeholders such as {room}; clembench's data have their own."""
    return fields.get("texts") or {**PROMPTS, "opening": PROMPTS[game]}


class Rules:
    """Our own rules.

    Attributes:
        walk: The walk so far.
        maps: What the explorer has written down, one map a reply, in the game where it keeps one.
    """

    def __init__(self, instance: Instance, game: str):
        self.instance = instance
        self.texts = texts_of(instance, game)
        self.keeps_map = game == "textmapworld_graphreasoning"
        self.walk = Walk(World(instance))
        self.maps: list[Any] = []

    def tell(self, kind: str) -> str:
        """One of the texts, about the room that the explorer is in."""
        world, room = self.walk.world, self.walk.room
        values = {
            "{turns}": str(self.instance["turns"]),
            "{target}": self.instance.get("target", ""),
            "{room}": world.names[room],
            "{exits}": ", ".join(world.exits[room]),
        }
        text = self.texts[kind]
        for name, value in values.items():
            text = text.replace(name, value)
        return text

    def read(self, reply: str) -> str | None:
        """The direction to go in, None for DONE.

        Raises:
            Abort: The reply is neither.
        """
        if not self.keeps_map:
            return _command(reply)
        try:
            said = graphs.read_object(_unfenced(reply.strip()))
            if not isinstance(said, dict) or not isinstance(said.get("action"), str):
                raise ValueError("it is no object with an action")
            sketch = graphs.read_sketch(said.get("graph"))
        except ValueError as error:
            raise Abort(ROLE, f"the reply has not the form asked for: {error}") from None
        direction = _command(said["action"])
        self.maps.append(sketch)
        return direction

    def out_of_turns(self) -> Outcome:
        """The end of a walk without DONE."""
        return Outcome.lose(reason="the replies are used up without DONE", **self.numbers(stopped=False))

    def is_won(self) -> bool:
        """Whether this is a moment to stop."""
        if "target" not in self.instance:
            return self.walk.is_complete()
        return self.walk.world.names[self.walk.room].lower() == self.instance["target"].lower()

    def score(self) -> float:
        """What the walk is worth if it stops here, in [0, 1]."""
        return float(self.is_won()) if "target" in self.instance else self.thoroughness() / 100

    def thoroughness(self) -> float:
        """Harmonic mean of efficiency and exploration, in percent."""
        return harmonic_mean(percent(self.efficient()), self.walk.exploration())

    def efficient(self) -> list[bool]:
        """Whether each step was efficient; a rejected one is not."""
        return self.walk.efficient(paths.good_steps)

    def numbers(self, *, stopped: bool) -> dict[str, Any]:
        """Metrics of the episode and of its turns, as arguments of an outcome.

        Args:
            stopped: The explorer said DONE.
        """
        return {"metrics": Deferred(lambda: self.metrics(stopped)), "rounds": Deferred(self.rounds)}

    def metrics(self, stopped: bool) -> dict[str, float | None]:
        """Numbers of the whole walk; ours do not depend on how it ended."""
        steps = self.walk.steps
        valid = sum(step.room is not None for step in steps)
        similarity = {"graph_similarity": (self.similarities() or [0.0])[-1]} if self.keeps_map else {}
        return {
            "moves": len(steps),
            "valid_moves": valid,
            "invalid_moves": len(steps) - valid,
            "stopped": int(stopped),
            "loops": self.walk.loops(),
            "number_visited": self.walk.visited().bit_count(),
            "seen": self.walk.seen().bit_count(),
            "efficiency": percent(self.efficient()),
            "exploration": self.walk.exploration(),
            **similarity,
        }

    def rounds(self) -> dict[str, dict[str, float | None]]:
        """Numbers of each turn, from 1."""
        rounds: dict[str, dict[str, float | None]] = {}
        for turn, flag in enumerate(self.efficient(), 1):
            rounds[str(turn)] = {"efficient_move": int(flag)}
        for turn, similarity in enumerate(self.similarities(), 1):
            rounds.setdefault(str(turn), {})["similarity"] = similarity
        return rounds

    def similarities(self) -> list[float]:
        """For each map how near it comes to what was discovered before it was written, in percent."""
        return [
            graphs.similarity(graphs.mistakes(sketch, self.walk.world, self.walk.steps[:turn]))
            for turn, sketch in enumerate(self.maps)
        ]


def _command(text: str) -> str | None:
    said = text.strip().removesuffix(".").rstrip()
    if said.lower() == "done":
        return None
    go = _GO.fullmatch(said)
    if go is None:
        raise Abort(ROLE, "the reply is neither GO: and a direction nor DONE")
    return go[1].lower()


def _unfenced(text: str) -> str:
    """The text within a code fence, if it is in one."""
    if text.startswith("```") and text.endswith("```"):
        return text.strip("`").removeprefix("json").strip()
    return text
