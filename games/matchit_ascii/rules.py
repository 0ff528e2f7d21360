"""The order of the game, what players are told and how their replies are read: our rules, and clembench's."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from playpen_eval.game import read_texts

PLAYER_A, PLAYER_B = ROLES = ("player_a", "player_b")
GRIDS = {PLAYER_A: "grid_a", PLAYER_B: "grid_b"}
"""The field of each role's grid."""

DESCRIPTION, QUESTION, ANSWER, DECISION = KINDS = ("description", "question", "answer", "decision")
TAGS: Mapping[str, str] = {kind: f"{kind.capitalize()}:" for kind in KINDS}
SAME, DIFFERENT = "same grid", "different grids"

PROMPTS = read_texts(__file__)
_DECIDED = re.compile(r"(?:the )?(?:(same)|different)(?: grids?)?\.?")


class Step(NamedTuple):
    """One ask.

    Attributes:
        round: Round it is counted in, from 0.
        role: Who is asked.
        kind: For what, one of `KINDS`.
    """

    round: int
    role: str
    kind: str


class FormError(Exception):
    """A reply is not in the form that was asked for.

    Attributes:
        parsed: How many requests it counts as parsed, beside the one that it violates.
    """

    def __init__(self, reason: str, parsed: int = 0):
        super().__init__(reason)
        self.parsed = parsed


@functools.lru_cache(maxsize=64)
def schedule(questions: int) -> tuple[Step, ...]:
    """The whole game in which each player asks so many questions (at least one)."""
    steps = [Step(0, PLAYER_A, DESCRIPTION), Step(0, PLAYER_B, DESCRIPTION), Step(0, PLAYER_B, QUESTION)]
    for round_ in range(1, questions + 1):
        steps += [Step(round_, PLAYER_A, ANSWER), Step(round_, PLAYER_A, QUESTION), Step(round_, PLAYER_B, ANSWER)]
        steps.append(Step(round_, PLAYER_B, QUESTION if round_ < questions else DECISION))
    return (*steps, Step(questions + 1, PLAYER_A, DECISION))


class Rules:
    """Our own rules: tags in any case after blanks, something behind each tag, some ways to put a decision."""

    def __init__(self, instance: Mapping[str, Any]):
        self.instance = instance

    def start(self, role: str) -> str:
        """The prompt, which asks for the description."""
        grid, questions = self.instance[GRIDS[role]], self.instance["questions"]
        return PROMPTS["start"].format(grid=grid, questions=questions)

    def request(self, kind: str, heard: Sequence[str]) -> str:
        """What a role is told later.

        Args:
            kind: What it is asked for.
            heard: Messages of the partner that it has not been shown yet, as `relay` made them.
        """
        if not heard:
            return PROMPTS[kind]
        return PROMPTS["heard"].format(messages="\n\n".join(heard), request=PROMPTS[kind])

    def relay(self, kind: str, message: str) -> str:
        """A message as the partner is shown it."""
        return f"{TAGS[kind]} {message}"

    def read(self, kind: str, reply: str) -> str:
        """The message in a reply.

        Raises:
            FormError: It is not in the form asked for.
        """
        text, tag = reply.strip(), TAGS[kind]
        if text[: len(tag)].lower() != tag.lower():
            raise FormError(f"the reply does not begin with {tag}")
        message = text[len(tag) :].lstrip()
        if not message:
            raise FormError(f"the reply has nothing after {tag}")
        return message

    def decide(self, message: str) -> bool:
        """Whether a decision is right.

        Raises:
            FormError: It is no decision.
        """
        said = _DECIDED.fullmatch(" ".join(message.lower().split()))
        if said is None:
            raise FormError(f"the decision is neither {SAME!r} nor {DIFFERENT!r}")
        return (said[1] is not None) == (self.instance["grid_a"] == self.instance["grid_b"])


class ClembenchRules(Rules):
    """clembench's rules, kept to the letter; tags and texts come with its data, messages are relayed with their tags.

    Outer whitespace of a reply, which clembench's models never have, is removed first.
    """

    def start(self, role: str) -> str:
        return self.instance["texts"]["start"].replace("$GRID$", self.instance[GRIDS[role]])

    def request(self, kind: str, heard: Sequence[str]) -> str:
        text = self.instance["texts"][kind]
        return "\n".join(heard) + text if kind == ANSWER else "\n".join([*heard, text])

    def relay(self, kind: str, message: str) -> str:
        return self.instance["texts"]["intro"] + message if kind == DESCRIPTION else message

    def read(self, kind: str, reply: str) -> str:
        message, tag = reply.strip(), self.instance["tags"][kind]
        if message.partition("\n")[0].partition(" ")[0] != tag:
            raise FormError(f"the first word of the reply is not {tag}")
        return message

    def decide(self, message: str) -> bool:
        said = message.lower().strip(".\n")
        tag, decisions = self.instance["tags"][DECISION].lower(), self.instance["decisions"]
        if said == f"{tag} {decisions['right']}":
            return True
        if said == f"{tag} {decisions['wrong']}":
            return False
        raise FormError("the decision is neither of the two", parsed=1)


def rules_of(instance: Mapping[str, Any]) -> Rules:
    """The rules of an instance."""
    return (ClembenchRules if "rules" in instance else Rules)(instance)
