"""clembench's rules, kept to the letter, and its data as instances."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

from playpen_eval.errors import UserError
from playpen_eval.game import Abort, Instance

from .board import KINDS, Board
from .rules import Rules
from .words import same_lemma

_STRIPPED = " .,<>\"'"
_NUMBERS = " ,0123456789"
_FLAGS = {
    "STRIP WORDS": True,
    "IGNORE RAMBLING": False,
    "IGNORE FALSE TARGETS OR GUESSES": False,
    "REPROMPT ON ERROR": False,
    "IGNORE NUMBER OF TARGETS": False,
}
_TIGHT_COMMA = re.compile(r",(?=\S)")
_TO_STRIP = re.compile(f"[{_STRIPPED}]")
_NUMBER = re.compile(r", \d")


class ClembenchRules(Rules):
    """Exact prefixes, and the lists that the cluegiver is shown are from before the opponents' move."""

    def __init__(self, instance: Instance, board: Board):
        super().__init__(instance, board)
        self.ends_after_opponents = instance["rules"] == "clembench-2.0"

    def _listed(self, words: Sequence[str]) -> str:
        return ", ".join(words)

    def opponents_turn(self, uncovered: Sequence[str]) -> str:
        """The cluegiver is told what was hidden before the opponents moved."""
        happened = self._uncovered(uncovered)
        self._feedback = {
            "cluegiver": f"{happened} That was the end of your partner's turn.",
            "guesser": f"{happened} That was the end of your turn.",
        }
        told = self.tell_cluegiver()
        self.board.opponents_move()
        return told

    def read_clue(self, reply: str) -> tuple[str, list[str]]:
        """The clue and its targets; what is stripped is counted up to the first error."""
        lines = _TIGHT_COMMA.sub(", ", reply).split("\n", 2)
        if len(lines) > 2:
            raise Abort("cluegiver", "the reply has more than two lines")
        clue, targets = (
            next((line[len(tag) :] for line in lines if line.startswith(tag)), None) for tag in ("CLUE: ", "TARGETS: ")
        )
        if clue is None or targets is None:
            raise Abort("cluegiver", "the reply lacks a line with CLUE: or TARGETS:")
        clue = self._strip("cluegiver", clue)
        if _NUMBER.search(clue):
            self.blamed = "guesser"
            raise Abort("cluegiver", "the clue goes on with a number")
        words = [self._strip("cluegiver", target) for target in targets.split(", ")]
        if " " in clue:
            raise Abort("cluegiver", "the clue is more than one word")
        if word := same_lemma(clue, self.board.words):
            raise Abort("cluegiver", f"the clue is a form of the hidden word {word!r}")
        return clue.strip(_NUMBERS), self._hidden("cluegiver", words)

    def _guesses(self, reply: str) -> list[str]:
        """The guesses; what is stripped is counted before they are checked."""
        text = _TIGHT_COMMA.sub(", ", reply)
        if "\n" in text:
            raise Abort("guesser", "the reply has more than one line")
        if not text.startswith("GUESS: "):
            raise Abort("guesser", "the reply does not begin with GUESS:")
        return [self._strip("guesser", word) for word in text.removeprefix("GUESS: ").split(", ")]

    def _strip(self, role: str, text: str) -> str:
        self.stripped[role] += _TO_STRIP.search(text) is not None
        return text.strip(_STRIPPED).lower()


@functools.lru_cache
def _templates(folder: Path) -> dict[str, str]:
    """clembench's templates in our form: `$name` becomes `{name}`."""

    def read(kind: str, role: str) -> str:
        text = (folder / "resources" / f"{kind}_prompts" / f"prompt_{role}.template").read_text(encoding="utf-8")
        return re.sub(r"\$(\w+)", r"{\1}", text.replace("{", "{{").replace("}", "}}"))

    roles = ("cluegiver", "guesser")
    first = {f"{role}_first": read("initial", role) for role in roles}
    return first | {f"{role}_next": "{feedback}\n" + read("intermittent", role) for role in roles}


def translate(experiment: Mapping[str, Any], instance: Mapping[str, Any], version: str) -> Instance:
    """An instance that plays by clembench's rules.

    Args:
        experiment: The experiment object; with `folder`, the templates there are used, otherwise our prompts.
        instance: The instance object; `opponent_order` is what a log tells of the opponents' moves.
        version: clembench version.

    Raises:
        UserError: The experiment has flags other than those of the benchmark.
    """
    if experiment["flags"] != _FLAGS:
        raise UserError(f"experiment {experiment['name']!r} has flags that are not played: {experiment['flags']}")
    opponent = instance["assignments"]["opponent"]
    drawn = list(instance.get("opponent_order", ()))
    rng = Random(f"codenames/{version}/{experiment['name']}/{instance['game_id']}")
    translated = {
        "board": list(instance["board"]),
        "assignments": {kind: list(instance["assignments"][kind]) for kind in KINDS},
        "opponent_difficulty": experiment["opponent difficulty"],
        "opponent_order": drawn + [word for word in rng.sample(opponent, len(opponent)) if word not in drawn],
        "variable": experiment["variable"],
        "name": experiment["name"],
    }
    if "folder" in experiment:
        translated["prompts"] = dict(_templates(Path(experiment["folder"])))
    return translated


def opponent_moves(interactions: Mapping[str, Any]) -> list[str]:
    """The words that the opponents uncovered, from an event log."""
    actions = (event["action"] for turn in interactions["turns"] for event in turn)
    return [action["content"]["word"] for action in actions if action["type"] == "opponent revealed"]
