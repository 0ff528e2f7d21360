"""One play of an instance: replies go in, texts for the player and a record of every turn come out."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from playpen_eval.errors import UserError
from playpen_eval.game import Instance

from . import texts
from .domain import domain_of
from .interpreter import Interpreter, Result
from .logic import Fact, parse_fact
from .replies import Move
from .rules import Rules
from .world import World

Known = frozenset[Fact]


@dataclass(frozen=True)
class Seen:
    """What the player can know after a command, and the rooms it has been in."""

    known: Known
    rooms: frozenset[str]


@dataclass(frozen=True)
class Turn:
    """What is counted of one reply.

    Attributes:
        fault: The format error that ends the game, or empty.
        hallucinated: It claimed the end without having reached the goal.
        result: What came of the command; None after a format error.
        goals: How many more goals hold than before.
        before: What was known before, as clembench compares it.
        seen: What is known now.
        planned: Whether the reply has a plan.
        plan_followed: Whether the command is what the previous plan says.
        plan_success: Share of the plan that can be carried out.
    """

    fault: str = ""
    hallucinated: bool = False
    result: Result | None = None
    goals: int = 0
    before: Seen | None = None
    seen: Seen | None = None
    planned: bool = False
    plan_followed: bool = False
    plan_success: float = 0.0


@functools.lru_cache(maxsize=256)
def _facts(written: tuple[str, ...]) -> tuple[Fact, ...]:
    return tuple(parse_fact(fact) for fact in written)


class Session:
    """The state of a game between two replies."""

    def __init__(self, instance: Instance, rules: Rules):
        _check(instance)
        domain = domain_of(instance["domain"], instance.get("limit"), rules.words)
        self.instance = instance
        self.rules = rules
        self.world = World(domain, _facts(tuple(instance["facts"])))
        self.goals: Sequence[Fact] = _facts(tuple(instance["goals"]))
        self.reached = self.world.achieved(self.goals)
        """The goals that hold, as far as the game has noticed."""
        self.finished = False
        """Whether all goals held after a command, now or, by sticky rules, ever."""
        self.turns: list[Turn] = []
        self._interpreter = Interpreter(self.world, rules, Random(str(instance.get("seed", 0))))
        self._hints = instance.get("hints", {})
        self._plans: list[list[str]] = []
        perceived = frozenset(self.world.perceived())
        self._history = [Seen(perceived, frozenset({self.world.room}))]
        # Not the same as `reached`: trying out a plan changes this one, and clembench 2.0 does not put it back after
        # that, so that what a plan would reach is counted with the next command.
        self._noticed = self.reached

    @property
    def over_limit(self) -> bool:
        """Whether all turns are used up."""
        return len(self.turns) >= self.instance["max_turns"]

    @property
    def ratio(self) -> float:
        """Share of the goals that hold."""
        return len(self.reached) / len(self.goals)

    @property
    def progress(self) -> str:
        """The same in words."""
        return f"{len(self.reached)} of {len(self.goals)} goals reached"

    def describe(self) -> str:
        """The room the player is in."""
        return texts.room(self.world)

    def fault(self, kind: str, hallucinated: bool) -> None:
        """Records a reply in a wrong form."""
        self.turns.append(Turn(fault=kind, hallucinated=hallucinated))

    def act(self, move: Move) -> Result:
        """Carries out the command of a reply, tries its plan and records the turn."""
        finished_before, reached_before = self.finished, self.reached
        before = self._history[-1]
        result = self._execute(move.command, str(len(self.turns)))
        seen = self._history[-1]
        self.reached = self._noticed
        if not (result.phase and self.rules.sticky):
            self.finished = (self.finished and self.rules.sticky) or len(self.reached) == len(self.goals)
        followed, success = False, 0.0
        if self.instance["variant"] == "plan":
            followed, success = self._follow(move)
        claimed = finished_before if self.rules.sticky else self.finished
        self.turns.append(
            Turn(
                hallucinated=result.done and not claimed,
                result=result,
                goals=len(self.reached) - len(reached_before),
                before=before,
                seen=seen,
                planned=move.plan is not None,
                plan_followed=followed,
                plan_success=success,
            )
        )
        return result

    def _follow(self, move: Move) -> tuple[bool, float]:
        """Whether a reply does what was planned before it, and the share of its own plan that can be carried out."""
        earlier, tried = (self._plans or [None])[-1], move.plan
        if move.plan is not None:
            self._plans.append(move.plan)
        if not self.rules.own:
            # After a reply without a plan upstream compares with the last plan but one, and tries the last one again.
            earlier, tried = ([None, None, *self._plans])[-2:]
        followed = earlier is not None and earlier[0] == move.command
        return followed, 0.0 if tried is None else self._try_plan(tried)

    def _execute(self, command: str, hint: str) -> Result:
        result = self._interpreter.execute(command, self._hints.get(hint, ()))
        if not (result.phase and self.rules.leaky):
            self._noticed = self.world.achieved(self.goals)
        last, perceived = self._history[-1], self.world.perceived()
        known = last.known
        if result.removed or not perceived <= known:
            known = (known | perceived).difference(result.removed)
        self._history.append(Seen(known, last.rooms | {self.world.room}))
        return result

    def _try_plan(self, plan: Sequence[str]) -> float:
        """Carries out a plan until a command fails, and puts the world back; the share of commands that worked."""
        mark, length, noticed = self.world.facts.mark(), len(self._history), self._noticed
        worked = 0
        for command in plan if self.rules.leaky else plan[: self.instance["max_turns"]]:
            if self._execute(command, f"{len(self.turns)}.{worked}").phase:
                break
            worked += 1
        self.world.facts.wind_back(mark)
        if self.rules.leaky:
            # Upstream takes back as many steps as worked, and not the one that failed after them.
            del self._history[len(self._history) - worked :]
        else:
            del self._history[length:]
            self._noticed = noticed
        return worked / len(plan)


def _check(instance: Instance) -> None:
    """Refuses what cannot be scored.

    Raises:
        UserError: There are no goals, or a limit is no number from 1.
    """
    if not instance["goals"]:
        raise UserError("the instance has no goals; give at least one fact that is to hold at the end")
    for name in ("limit", "max_turns"):
        value = instance[name] if name == "max_turns" else instance.get(name)
        if (name, value) != ("limit", None) and (type(value) is not int or value < 1):
            raise UserError(f"{name} is {value!r}; give an integer from 1" + " or null" * (name == "limit"))
