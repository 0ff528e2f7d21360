"""Our own rules: what the roles are told, and how their replies are read."""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Mapping, Sequence

from playpen_eval.game import Abort, Instance, read_texts

from .board import Board
from .words import related

PROMPTS = read_texts(__file__)
_CLUE = re.compile(r"[a-z]+(?:[-'][a-z]+)*")
_JOINTS = re.compile("[-']")
_LONGEST_CLUE = 40
_EDGES = string.punctuation + string.whitespace + "“”„‘’«»…"
_OTHERS = {"opponent": "the other team's", "innocent": "nobody's", "assassin": "deadly"}


class Rules:
    """Generous with blanks, case and punctuation; one tagged line for each thing that is asked for.

    Attributes:
        ends_after_opponents: Whether the opponents can end the game by their move; otherwise the next valid reply does.
        blamed: Who is charged with an error instead of the role that made it.
        stripped: How often a role's words had something to be stripped; only clembench counts it.
    """

    ends_after_opponents = True

    def __init__(self, instance: Instance, board: Board):
        self.instance = instance
        self.board = board
        self.prompts: Mapping[str, str] = instance.get("prompts") or PROMPTS
        self.blamed: str | None = None
        self.stripped = {"cluegiver": 0, "guesser": 0}
        self._feedback: Mapping[str, str] = {}

    def tell_cluegiver(self) -> str:
        """What the cluegiver is told now."""
        texts = {f"{kind}_words": self._listed(words) for kind, words in self.board.hidden.items()}
        return self._fill("cluegiver", **texts)

    def tell_guesser(self, clue: str, number: int) -> str:
        """What the guesser is told of a clue for so many words."""
        return self._fill("guesser", clue=clue, number=str(number), board=self._listed(self.board.words))

    def _fill(self, role: str, **texts: str) -> str:
        if self._feedback:
            return self.prompts[f"{role}_next"].format(feedback=self._feedback[role], **texts)
        return self.prompts[f"{role}_first"].format(opponents=self._opponents(), **texts)

    def _listed(self, words: Sequence[str]) -> str:
        return ", ".join(words) or "none"

    def _opponents(self) -> str:
        count = self.instance["opponent_difficulty"]
        if not count:
            return "The other team uncovers nothing itself."
        return f"After each round the other team uncovers {count} of its own hidden words."

    def opponents_turn(self, uncovered: Sequence[str]) -> str:
        """The opponents move after the team has uncovered words; returns what the cluegiver is told next."""
        moved = self.board.opponents_move()
        after = f"\nThe other team uncovered: {', '.join(moved)}." if moved else ""
        self._feedback = dict.fromkeys(("cluegiver", "guesser"), self._uncovered(uncovered) + after)
        return self.tell_cluegiver()

    def _uncovered(self, words: Sequence[str]) -> str:
        right = [word for word in words if self.board.kind[word] == "team"]
        parts = [f"Words of your team that were uncovered: {', '.join(right)}."] if right else []
        if wrong := words[len(right) :]:
            parts.append(f"The last word that was uncovered, {wrong[0]}, is {_OTHERS[self.board.kind[wrong[0]]]}.")
        return " ".join(parts)

    def read_clue(self, reply: str) -> tuple[str, list[str]]:
        """The clue, in plain letters, and the words that it is meant for.

        Raises:
            Abort: The reply breaks a rule.
        """
        tagged = _tagged_lines("cluegiver", reply, ("clue:", "targets:"))
        written = tagged["clue:"].strip(_EDGES)
        # Folding takes quadratic time for a run of combining marks, so that the length comes first.
        clue = _folded(written).strip(_EDGES) if len(written) <= _LONGEST_CLUE else ""
        if not _CLUE.fullmatch(clue):
            raise Abort("cluegiver", f"the clue is not one word of the letters a to z: {written[:50]!r}")
        hidden = self.board.words
        if word := related(clue, hidden) or related(_JOINTS.sub("", clue), hidden):
            raise Abort("cluegiver", f"the clue {clue!r} is too close to the hidden word {word!r}")
        return clue, self._hidden("cluegiver", _words(tagged["targets:"]))

    def read_guesses(self, reply: str, clue: str, number: int) -> list[str]:
        """The words that the guesser wants to uncover, in order.

        Raises:
            Abort: The reply breaks a rule.
        """
        words = self._guesses(reply)
        if len(words) > number:
            raise Abort("guesser", f"there are {len(words)} guesses; {number} are allowed")
        if clue in words:
            raise Abort("guesser", "the clue itself is guessed")
        return self._hidden("guesser", words)

    def _guesses(self, reply: str) -> list[str]:
        return _words(_tagged_lines("guesser", reply, ("guess:",))["guess:"])

    def _hidden(self, role: str, words: list[str]) -> list[str]:
        """The words, if they are distinct hidden ones and at least one."""
        if not words:
            raise Abort(role, "the reply names no words")
        for index, word in enumerate(words):
            if not self.board.is_hidden(word):
                raise Abort(role, f"{word[:50]!r} is no hidden word")
            if word in words[:index]:
                raise Abort(role, f"{word!r} is named twice")
        return words


def _folded(text: str) -> str:
    """A text in lower case without accents, ligatures, full width letters and typographic apostrophes."""
    parts = unicodedata.normalize("NFKD", text.replace("’", "'"))
    return "".join(part for part in parts if not unicodedata.combining(part)).lower()


def _words(text: str) -> list[str]:
    return [word for part in text.split(",") if (word := part.strip(_EDGES).lower())]


def _tagged_lines(role: str, reply: str, tags: tuple[str, ...]) -> dict[str, str]:
    """What stands after each of the tags, of which every line that is not blank has to begin with another one."""
    found: dict[str, str] = {}
    form = " and ".join(tags).upper()
    for line in filter(None, map(str.strip, reply.splitlines())):
        tag = next((tag for tag in tags if line[: len(tag)].lower() == tag), None)
        if tag is None or tag in found:
            raise Abort(role, f"the reply has more than a line for each of {form}")
        found[tag] = line[len(tag) :]
    if len(found) < len(tags):
        raise Abort(role, f"the reply has no line for each of {form}")
    return found
