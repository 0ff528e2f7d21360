"""Adventure game: rules and instances; README.md tells them in words."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from random import Random
from typing import Any

from playpen_eval.game import Ask, Game, Instance, Outcome, ScriptedPlayer, View, read_texts

from . import clembench, generate, scripted
from .replies import FormatError, read_clembench, read_own
from .rules import rules_of
from .scores import numbers
from .session import Session

PROMPTS = read_texts(__file__)
ROLE = "adventurer"


class AdventureGame(Game):
    """Explore a house by typed commands and bring three things to where they belong."""

    name = "adventuregame"
    version = 1
    suite = "playpen"
    roles = (ROLE,)
    held_out = True
    experiments = generate.EXPERIMENTS
    sizes = {"validation": 4, "test": 16}
    visible = {ROLE: ("variant", "limit", "max_turns", "task", "prompt")}

    def play(self, instance: Instance) -> Generator[Ask, str, Outcome]:
        """Each reply is one command; the game ends with the command done, the last turn, or a reply in no form."""
        rules = rules_of(instance)
        read = read_own if rules.own else read_clembench
        session = Session(instance, rules)
        told = prompt(instance) + session.describe()
        while True:
            reply = yield Ask(ROLE, told)
            try:
                result = session.act(read(reply, instance["variant"] == "plan"))
            except FormatError as error:
                session.fault(error.kind, error.claims)
                return Outcome.aborted(ROLE, error.reason, **numbers(session, limit_loss=False))
            told = result.text
            if session.over_limit and not (rules.own and result.done):
                return self._out_of_turns(session)
            if result.done:
                return self._done(session)

    @staticmethod
    def _out_of_turns(session: Session) -> Outcome:
        reason, counts = f"out of turns with {session.progress}", numbers(session, limit_loss=True)
        if session.rules.own:
            return Outcome.lose(session.ratio, reason, **counts)
        return Outcome.aborted(ROLE, reason, **counts)

    @staticmethod
    def _done(session: Session) -> Outcome:
        end = Outcome.success if session.finished else Outcome.lose
        return end(session.ratio, f"said done with {session.progress}", **numbers(session, limit_loss=False))

    def max_turns(self, instance: Instance) -> int:
        """The limit of the instance."""
        return instance["max_turns"]

    def generate(self, experiment: str, rng: Random) -> Instance:
        """A house, three things to bring somewhere, and the shortest way to do it."""
        return generate.draw(experiment, rng)

    def key(self, instance: Instance) -> Any:
        """Splits share no house with the same task."""
        return [instance["facts"], instance["goals"]]

    def scripted(self, role: str, view: View, style: str) -> ScriptedPlayer:
        """An adventurer that explores until it has found everything, and delivers."""
        return scripted.breaker(view) if style == "breaker" else scripted.adventurer(view)

    def solution(self, instance: Instance, *, last: bool = False) -> list[str]:
        """The shortest way; with `last` the turns left over are spent looking around first."""
        commands = [*instance["optimal_commands"], "done"]
        if last:
            commands = ["look"] * (instance["max_turns"] - len(commands)) + commands
        return scripted.replies(commands, instance["variant"])

    def from_clembench(self, experiment: Mapping[str, Any], instance: Mapping[str, Any], version: str) -> Instance:
        """Definitions come from the instance, from a checkout, or from ours where it needs none but the usual home."""
        return clembench.translate(experiment, instance, version)

    def from_recording(self, instance: Mapping[str, Any], interactions: Mapping[str, Any]) -> Mapping[str, Any]:
        """Adds which of several equal things upstream took."""
        return {**instance, "hints": clembench.hints(interactions)}


def prompt(instance: Instance) -> str:
    """All that the player is told before the first room."""
    if "prompt" in instance:
        return instance["prompt"]
    limit = PROMPTS["limit"].format(limit=instance["limit"]) + "\n\n" if instance["limit"] else ""
    return PROMPTS[instance["variant"]].format(limit=limit, task=instance["task"], turns=instance["max_turns"]) + "\n\n"
