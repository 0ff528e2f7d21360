"""Our own rules and clembench's: what players are told, how replies are read, what is counted."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from playpen_eval.clembench import compiled
from playpen_eval.game import Abort, Deferred, Instance, Outcome, read_texts

from . import grids
from .grids import NOTHING, Scores

PROMPTS = read_texts(__file__)
TAG = "command:"
SUCCESS = 99
"""F1 of a success in percent, as clembench has it; of 25 cells a single wrong one costs more than that."""


class Round(NamedTuple):
    """One command and what was drawn after it.

    Attributes:
        command: The line that the follower was told.
        drawn: The grid, as `read_grid` returns it.
    """

    command: str
    drawn: str


class Rules:
    """Our own rules: generous with form, exact with scores."""

    blank = grids.BLANK

    def __init__(self, instance: Instance):
        self.instance = instance

    def tell_giver(self, played: int) -> str:
        """What the giver is told after so many rounds."""
        if played:
            return PROMPTS["next_command"].format(left=self.instance["rounds"] - played)
        return PROMPTS["giver"].format(target=self.instance["target"], rounds=self.instance["rounds"])

    def tell_follower(self, played: int, command: str) -> str:
        """What the follower is told after so many rounds."""
        return command if played else PROMPTS["follower"].format(command=command)

    def read_command(self, reply: str) -> str | None:
        """The command as the follower is told it; None if the giver is done."""
        text = reply.strip()
        if text[: len(TAG)].lower() != TAG:
            raise Abort("giver", "the reply does not begin with Command:")
        lines = text[len(TAG) :].strip().splitlines()
        if len(lines) != 1:
            raise Abort("giver", "the command has more than one line" if lines else "the command is empty")
        command = " ".join(lines[0].split())
        return None if re.fullmatch(r"done ?\.?", command, re.IGNORECASE) else f"Command: {command}"

    def read_grid(self, reply: str) -> str:
        """The grid of a reply."""
        drawn = grids.read(reply)
        if drawn is None:
            raise Abort("follower", "the reply is not a grid of five lines with five cells each")
        return drawn

    def evaluate(self, drawn: str) -> Scores | None:
        """The scores of one grid; None if it has none and the scores before it stay."""
        return grids.evaluate("".join(self.instance["target"].split()), drawn)

    def changed(self, before: str, after: str) -> int:
        """The number of cells in which two grids differ."""
        return grids.changed(before, after)

    def requests(self, played: int, ending: str) -> tuple[list[int], int]:
        """What is counted as requests in each complete round, and after the last one.

        Args:
            played: Complete rounds.
            ending: `done`, `limit`, or the role that broke the protocol.
        """
        return [2] * played, {"limit": 0, "done": 1, "giver": 1, "follower": 2}[ending]

    def judge(self, rounds: Sequence[Round], ending: str) -> Outcome:
        """The outcome, by the last grid that has scores."""
        scores = next((scores for done in reversed(rounds) if (scores := self.evaluate(done.drawn))), NOTHING)
        success, numbers = scores.f1 >= SUCCESS, self.numbers(rounds, ending)
        reason = ("the giver is done" if ending == "done" else "out of rounds") + f", F1 is {scores.f1:.0f}"
        end = Outcome.success if success else Outcome.lose
        return end(scores.f1 / 100, reason, **numbers)

    def numbers(self, rounds: Sequence[Round], ending: str) -> dict[str, Any]:
        """clembench's numbers of the rounds and of the episode."""

        @functools.cache
        def compute() -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
            by_round = self._by_round(rounds, ending)
            return self._metrics(by_round, ending), {str(index): row for index, row in enumerate(by_round)}

        return {"metrics": Deferred(lambda: compute()[0]), "rounds": Deferred(lambda: compute()[1])}

    def _by_round(self, rounds: Sequence[Round], ending: str) -> list[dict[str, Any]]:
        rows, before, scores = [], self.blank, NOTHING
        requests, _ = self.requests(len(rounds), ending)
        for (command, drawn), count in zip(rounds, requests, strict=True):
            scores = self.evaluate(drawn) or scores
            said = command.strip()
            rows.append(
                {
                    "generated_expression_length": len(said),
                    "generated_expression_number_of_tokens": said.count(" ") + 1,
                    **scores._asdict(),
                    "changed_cell_count": self.changed(before, drawn),
                    "request_count": count,
                    "parsed_request_count": count,
                    "violated_request_count": 0,
                }
            )
            before = drawn
        return rows

    def _metrics(self, by_round: list[dict[str, Any]], ending: str) -> dict[str, Any]:
        def mean(name: str) -> float | None:
            return None if aborted else round(sum(row[name] for row in by_round) / max(1, len(by_round)), 4)

        counts, rest = self.requests(len(by_round), ending)
        requests, aborted = sum(counts) + rest, ending in ("giver", "follower")
        last = by_round[-1] if by_round else NOTHING._asdict()
        return {
            **{name: None if aborted else last[name] for name in Scores._fields},
            "average_changed_cell_count": mean("changed_cell_count"),
            "average_generated_instruction_length": mean("generated_expression_length"),
            "average_generated_expression_number_of_tokens": mean("generated_expression_number_of_tokens"),
            "request_count": requests,
            "parsed_request_count": requests - aborted,
            "violated_request_count": int(aborted),
            "request_success_ratio": round((requests - aborted) / requests, 4),
        }


class ClembenchRules(Rules):
    """clembench's rules, kept to the letter; the patterns that replies must match come with its data."""

    blank = "\n".join([" ".join([grids.CLEMBENCH_EMPTY] * grids.SIZE)] * grids.SIZE)

    def tell_giver(self, played: int) -> str:
        prompts = self.instance["prompts"]
        if played:
            return prompts["question"]
        return f"{prompts['giver']}\n{self.instance['target']}\n{prompts['question']}"

    def tell_follower(self, played: int, command: str) -> str:
        return command if played else f"{self.instance['prompts']['follower']}\n\n{command}"

    def read_command(self, reply: str) -> str | None:
        patterns = self.instance["patterns"]
        if compiled(patterns["done"], re.IGNORECASE).match(reply):
            return None
        if not compiled(patterns["command"], re.IGNORECASE).match(reply):
            raise Abort("giver", "the reply does not match the pattern of the instance")
        return reply.partition("\n")[0]

    def read_grid(self, reply: str) -> str:
        if not compiled(self.instance["patterns"]["grid"]).match(reply):
            raise Abort("follower", "the reply does not match the pattern of the instance")
        return reply

    def evaluate(self, drawn: str) -> Scores | None:
        return grids.clembench_evaluate(self.instance["target"], drawn)

    def changed(self, before: str, after: str) -> int:
        return grids.clembench_changed(before, after)

    def requests(self, played: int, ending: str) -> tuple[list[int], int]:
        # Not requests but log events: of a round send, get and found, twice. Mid-2025's framework logged the
        # follower's initial prompt as well, once.
        prompt = int(self.instance["rules"] == "clembench-2.0")
        counts = [6 + prompt * (index == 0) for index in range(played)]
        if ending == "limit" and counts:
            counts[-1] += 1
        last_round = {"limit": 0, "done": 2, "giver": 3, "follower": 6 + prompt * (played == 0)}
        return counts, last_round[ending]
