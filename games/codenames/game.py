"""Codenames: rules, scoring and instances; README.md tells them in words."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from random import Random
from typing import Any

from playpen_eval.game import Abort, Ask, Game, Instance, Outcome, ScriptedPlayer, View

from . import clembench, generator, scripted
from .board import Board, Result
from .clembench import ClembenchRules
from .rules import Rules
from .scores import ClembenchRecord, Record


class Codenames(Game):
    """The cluegiver leads the guesser to their team's words on a board, before the opponents uncover theirs."""

    name = "codenames"
    version = 1
    suite = "playpen"
    held_out = True
    roles = ("cluegiver", "guesser")
    learner = "cluegiver"
    experiments = tuple(generator.EXPERIMENTS)
    sizes = {"validation": 3, "test": 10}
    visible = {
        "cluegiver": ("board", "assignments", "opponent_difficulty"),
        "guesser": ("board", "opponent_difficulty"),
    }

    def play(self, instance: Instance) -> Generator[Ask, str, Outcome]:
        """Rounds of a clue, guesses and the opponents' move; finding all words of the team scores 1."""
        board = Board(instance)
        own = "rules" not in instance
        rules = Rules(instance, board) if own else ClembenchRules(instance, board)
        record = Record(instance, board) if own else ClembenchRecord(instance, board)
        try:
            result = yield from self._rounds(board, rules, record)
        except Abort as abort:
            record.rounds[-1].error = rules.blamed or abort.role
            return Outcome.aborted(abort.role, abort.reason, **record.numbers(aborted=True, stripped=rules.stripped))
        end = Outcome.success if result.won else Outcome.lose
        return end(reason=result.reason, **record.numbers(stripped=rules.stripped))

    def _rounds(self, board: Board, rules: Rules, record: Record) -> Generator[Ask, str, Result]:
        told = rules.tell_cluegiver()
        while True:
            round_ = record.begin()
            reply = yield Ask("cluegiver", told)
            record.replies += 1
            clue, round_.targets = rules.read_clue(reply)
            if result := board.result():
                return result
            number = len(round_.targets)
            reply = yield Ask("guesser", rules.tell_guesser(clue, number))
            record.replies += 1
            round_.guesses = rules.read_guesses(reply, clue, number)
            round_.uncovered = board.guess(round_.guesses)
            if result := board.result():
                return result
            told = rules.opponents_turn(round_.uncovered)
            if rules.ends_after_opponents and (result := board.result()):
                return result

    def max_turns(self, instance: Instance) -> int:
        """Every round uncovers a word of somebody, and one or more of the opponents' if they move."""
        turns = 2 * self._rounds_at_most(instance)
        late = instance.get("rules") == "clembench-3.0" and instance["opponent_difficulty"]
        return turns + 1 if late else turns

    def _rounds_at_most(self, instance: Instance) -> int:
        team, opponent, innocent = (len(instance["assignments"][kind]) for kind in ("team", "opponent", "innocent"))
        if per_round := instance["opponent_difficulty"]:
            return -(-opponent // per_round)
        return team + opponent + innocent - 1

    def generate(self, experiment: str, rng: Random) -> Instance:
        """A board, whose its words are, and the order in which the opponents uncover theirs."""
        return generator.draw(experiment, rng)

    def key(self, instance: Instance) -> list[str]:
        """Splits share no board."""
        return sorted(instance["board"])

    def scripted(self, role: str, view: View, style: str) -> ScriptedPlayer:
        """Players with a code of their own, which says nothing about what clues mean."""
        if style == "breaker":
            return scripted.breaker(view)
        return scripted.cluegiver(view) if role == "cluegiver" else scripted.guesser(view)

    def solution(self, instance: Instance, *, last: bool = False) -> list[str]:
        """One clue for all words of the team, or for single words until the last round that there can be."""
        board, words = instance["board"], instance["assignments"]
        single: list[str] = []
        if last:
            spare = words["team"][:-1] + words["innocent"]
            if not instance["opponent_difficulty"]:
                spare += words["opponent"][:-1]
            single = spare[: self._rounds_at_most(instance) - 1]
        groups = [[word] for word in single] + [[word for word in words["team"] if word not in single]]
        return [reply for group in groups for reply in (scripted.clue_for(board, group), scripted.guess_of(group))]

    def from_clembench(self, experiment: Mapping[str, Any], instance: Mapping[str, Any], version: str) -> Instance:
        """In version 3.0 the opponents move when the next round begins; see `clembench.translate`."""
        return clembench.translate(experiment, instance, version)

    def from_recording(self, instance: Mapping[str, Any], interactions: Mapping[str, Any]) -> Mapping[str, Any]:
        """The opponents' draws, which follow from all games that upstream had played before."""
        return {**instance, "opponent_order": clembench.opponent_moves(interactions)}
