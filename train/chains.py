"""Chains: all that one seat said in an episode, token by token in order of time, with what each token is paid.

A seat that forgets exchanges has a row for each of them, so its episode is a chain of rows: the value of the last token
of one row is bootstrapped from the first token of the next. Rewards stand on the last token of a turn, and everything
is discounted per token that the learner said, as in LMRL-Gym (what others say costs no time).

The next state of a token is the position before the next token that the learner says. So a network's output at
`place - 1` of a row is for the token at `place`: its Q, and the V of the state in which it was said.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from playpen_eval.errors import UserError

from .rows import Row

Paid = Literal["turns", "outcome"]
Backup = Literal["token", "turn"]

UNFINISHED = "unfinished"
"""Kind of an episode that was stopped before its end, through no fault of anybody: behaviour that stops early."""


@dataclass(slots=True)
class Chain:
    """One seat of one episode; token i + 1 is what comes after token i, and nothing comes after the last one.

    Attributes:
        rows: Its rows that hold tokens of the learner, in order of their parts.
        row_of: For each token its row, as a place in `rows`.
        place: For each token its place in that row's `prompt_ids + completion_ids`; at least 1.
        rewards: For each token what it is paid: 0 but for the last one of a turn.
        last: For each token the last one of its turn.
        after: Row and place of the token that would come next, if the play was stopped before its end: values are
            bootstrapped there. None for a terminal state, after which nothing is bootstrapped.
    """

    rows: list[Row]
    row_of: list[int]
    place: list[int]
    rewards: list[float]
    last: list[int]
    after: tuple[int, int] | None = None

    def __len__(self) -> int:
        """How many tokens the learner said."""
        return len(self.place)


def chains(rows: Iterable[Row], paid: Paid = "turns") -> list[Chain]:
    """Groups rows to chains.

    An episode of the kind `unfinished` ends with what the learner was asked last: in its last row after all that the
    learner said, or as a row of its own in which the learner says nothing.

    Args:
        rows: Whole episodes, in any order.
        paid: `turns`: the games' own credit for each turn. `outcome`: the row's reward, on the last token of all.

    Returns:
        One for each episode and seat, in order of their first rows. Those whose rows tell nothing about the learner
        (without reward, such as failed ones) or hold no token of it are left out.

    Raises:
        UserError: A part of an episode is missing or there twice, or an unfinished one lacks its end.
    """
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.meta.episode, row.meta.seat), []).append(row)
    found = []
    for parts in groups.values():
        parts.sort(key=lambda row: row.meta.part)
        _check_whole(parts)
        if parts[0].meta.kind != UNFINISHED and any(row.meta.kind == "failed" or row.reward is None for row in parts):
            continue
        chain = _chain(parts, paid)
        if len(chain):
            found.append(chain)
    return found


def _check_whole(parts: Sequence[Row]) -> None:
    """A seat that forgets everything may lack part 0, the chat that it remembers."""
    meta, numbers = parts[0].meta, [row.meta.part for row in parts]
    where = f"episode {meta.episode!r} of {meta.instance}, {meta.seat}"
    for number, after in itertools.pairwise(numbers):
        if number == after:
            raise UserError(f"{where}: part {number} is there twice; episodes of one set need names of their own")
    missing = next((number for number in range(1, numbers[-1]) if number not in numbers), None)
    if missing is not None:
        raise UserError(f"{where}: part {missing} of {numbers[-1]} is missing; values are learned from whole episodes")


def _chain(parts: Sequence[Row], paid: Paid) -> Chain:
    unfinished = parts[0].meta.kind == UNFINISHED
    rows = [row for row in parts if any(row.mask) or (unfinished and row is parts[-1])]
    chain, number_of = Chain(rows, [], [], [], []), {row.meta.part: number for number, row in enumerate(rows)}
    owed = 0.0
    for row, turn in _turns(parts):
        places = [place for place, number in enumerate(row.turn_of, len(row.prompt_ids)) if number == turn]
        owed += row.turn_rewards[turn] if paid == "turns" else 0.0
        if not places:
            continue  # an empty reply; what it was paid goes to the next token that is paid
        chain.row_of += [number_of[row.meta.part]] * len(places)
        chain.place += places
        chain.rewards += [0.0] * (len(places) - 1) + [owed]
        chain.last += [len(chain) - 1] * len(places)
        owed = 0.0
    if chain.rewards:
        chain.rewards[-1] += owed if paid == "turns" else parts[0].reward or 0.0
        chain.after = (len(rows) - 1, _end(rows[-1])) if unfinished else None
    return chain


def _end(row: Row) -> int:
    """Where the learner would go on."""
    if not any(row.mask):
        return len(row.prompt_ids)  # what follows stands for the reply that was not given
    if row.mask[-1]:
        raise UserError(
            f"episode {row.meta.episode!r} of {row.meta.instance} is unfinished, and its last part does not end with a "
            "question: the state after the last reply is not known"
        )
    return len(row.prompt_ids) + len(row.completion_ids)


def _turns(parts: Sequence[Row]) -> Iterator[tuple[Row, int]]:
    """Rows and numbers of their turns in order of time: a forgotten exchange follows the chat that its prompt holds."""
    line = next((row for row in parts if row.meta.part == 0), None)
    told = 0
    for row in parts:
        if row is line:
            continue
        while line is not None and told < len(line.turn_rewards) and _holds(row, line, told):
            yield line, told
            told += 1
        yield from ((row, turn) for turn in range(len(row.turn_rewards)))
    if line is not None:
        yield from ((line, turn) for turn in range(told, len(line.turn_rewards)))


def _holds(row: Row, line: Row, turn: int) -> bool:
    """Whether a turn of the remembered chat lies before a forgotten exchange."""
    end = max((place for place, number in enumerate(line.turn_of, 1) if number == turn), default=0)
    said = line.prompt_ids + line.completion_ids[:end]
    return row.prompt_ids[: len(said)] == said


def returns_to_go(rewards: Sequence[float], gamma: float) -> list[float]:
    """What is paid from each token on, discounted by `gamma` for each token in between; nothing after the last."""
    found, later = [0.0] * len(rewards), 0.0
    for place in range(len(rewards) - 1, -1, -1):
        later = found[place] = rewards[place] + gamma * later
    return found


def advantages(
    rewards: Sequence[float], values: Sequence[float], gamma: float, lam: float, after: float = 0.0
) -> list[float]:
    """Generalised advantage estimates (Schulman et al. 2016) of the tokens of a whole chain.

    Args:
        rewards: Of each token.
        values: V of the state in which each token was said.
        gamma: Discount for each token.
        lam: 0 for one-step errors, 1 for the return minus the value.
        after: V of the state after the last token; 0 for a terminal one.

    Returns:
        One for each token; with its value added it is the value's target.
    """
    found, later = [0.0] * len(rewards), 0.0
    for place in range(len(rewards) - 1, -1, -1):
        error = rewards[place] + gamma * after - values[place]
        later = found[place] = error + gamma * lam * later
        after = values[place]
    return found


def whitened(values: Sequence[Sequence[float]]) -> list[list[float]]:
    """All values of a round with mean 0 and deviation 1 over all of them; a constant becomes 0."""
    flat = [value for one in values for value in one]
    if not flat:
        return [[] for _ in values]
    mean = math.fsum(flat) / len(flat)
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in flat) / len(flat))
    return [[(value - mean) / (deviation + 1e-8) for value in one] for one in values]
