"""From outcomes to rewards, and the games' own credit for each turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from playpen_eval.episode import Episode
from playpen_eval.errors import UserError

VALUES = ("score", "success", "none")


@dataclass(frozen=True)
class Shaping:
    """What a seat's episode is worth.

    The defaults are the Playpen paper's (its code scales what each game reports to [0, 1], which is our score, and
    gives an aborted episode 0).

    Attributes:
        value: `score`: the outcome's score, for success and lose alike. `success`: 1 for success, 0 for lose.
            `none`: 0; what counts is the credit.
        abort: Reward for breaking the protocol; below 0 an abort is worse than losing.
        credit: Weight of the sum of the games' per-turn rewards.
        length: Subtracted for each token that the learner said.
    """

    value: str = "score"
    abort: float = 0.0
    credit: float = 0.0
    length: float = 0.0

    def __post_init__(self) -> None:
        if self.value not in VALUES:
            raise UserError(f"unknown value of an episode {self.value!r}; use one of {', '.join(VALUES)}")

    def reward(
        self, kind: str, score: float | None, faulty_role: str | None, role: str, credit: Sequence[float], tokens: int
    ) -> float | None:
        """The reward of one seat.

        Args:
            kind: `success`, `lose`, `aborted`, or anything else if nobody's text ended the episode.
            score: The outcome's.
            faulty_role: Who broke the protocol.
            role: The seat.
            credit: The game's credit for each of its turns.
            tokens: How many tokens it said.

        Returns:
            None if the episode tells nothing about the seat: somebody else broke the protocol, or a server failed. In
            self-play that holds for the other seat as well.
        """
        if kind == "aborted":
            if faulty_role != role:
                return None
            base = self.abort
        elif kind in ("success", "lose"):
            base = {"score": score or 0.0, "success": float(kind == "success"), "none": 0.0}[self.value]
        else:
            return None
        return base + self.credit * sum(credit) - self.length * tokens


def turn_credit(episode: Episode, role: str) -> list[float]:
    """The game's credit for each turn of a role.

    What a game pays with an ask is for what happened since the one before, so it goes to the role's latest turn before
    that ask; what it pays earlier than that goes to the first turn.
    """
    credit: list[float] = []
    early = 0.0
    for turn in episode.turns:
        paid = turn.reward.get(role, 0.0)
        if credit:
            credit[-1] += paid
        else:
            early += paid
        if turn.role == role:
            credit.append(0.0)
    if credit:
        credit[-1] += episode.owed.get(role, 0.0)
        credit[0] += early
    return credit
