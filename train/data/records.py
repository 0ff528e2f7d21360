"""Records of a data set, in the conversational format of `datasets` and TRL, one function per kind.

Columns of all kinds: those of `RowMeta`, and `content` and `key`, the fingerprint of the instance. Places of what the
seat itself said are in `learn` (`chosen_learn`, `rejected_learn`): only their tokens may carry loss.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ..rewards import Shaping
from .dialogues import Dialogue
from .pairs import Pair

Record = dict[str, Any]


def _columns(side: Dialogue) -> Record:
    return dataclasses.asdict(side.meta) | {"content": side.print.content, "key": side.print.key}


def _reward(side: Dialogue, shaping: Shaping) -> float | None:
    """Without the cost of length, which is in tokens and so needs a tokenizer."""
    meta = side.meta
    return shaping.reward(meta.kind, meta.score, side.faulty_role, meta.seat, side.credit, 0)


def whole_chats(sides: Iterable[Dialogue], shaping: Shaping) -> Iterator[Record]:
    """One record for each seat of an episode (`messages`), and one for each exchange that it forgot."""
    for side in sides:
        reward, columns = _reward(side, shaping), _columns(side)
        for part, messages, learn, credit in side.chats():
            found = {"messages": messages, "learn": learn, "turn_rewards": credit, "reward": reward}
            yield {**found, **columns, "part": part}


def prefixes(sides: Iterable[Dialogue], shaping: Shaping) -> Iterator[Record]:
    """One record for each turn: the chat up to the reply, of which only the reply is learned.

    The paper's samples are cut the same way but train all replies of each prefix, so that early ones weigh more.
    """
    for side in sides:
        reward = _reward(side, shaping)
        for turn, ((context, step), paid) in enumerate(zip(side.contexts(), side.credit, strict=True)):
            messages = [*context, {"role": "assistant", "content": step.said}]
            found = {"messages": messages, "learn": [len(messages) - 1], "turn_rewards": [paid], "reward": reward}
            yield found | _columns(side) | {"turn": turn}


def labelled(sides: Iterable[Dialogue], _shaping: Shaping) -> Iterator[Record]:
    """Records for KTO: `prompt`, `completion`, and `label`, true for a success."""
    for side in sides:
        if not side.tells:
            continue
        for part, messages, learn, _ in side.chats():
            start = learn[0]
            found = {"prompt": messages[:start], "completion": messages[start:], "label": side.meta.kind == "success"}
            yield found | {"learn": [place - start for place in learn]} | _columns(side) | {"part": part}


def preferences(pairs: Iterable[Pair]) -> Iterator[Record]:
    """Records for DPO: `prompt`, `chosen`, `rejected`."""
    for pair in pairs:
        chosen, rejected = pair.worth
        yield {
            "prompt": pair.prompt,
            "chosen": pair.chosen,
            "rejected": pair.rejected,
            "chosen_learn": pair.chosen_learn,
            "rejected_learn": pair.rejected_learn,
            "turn": pair.turn,
            "chosen_worth": chosen,
            "rejected_worth": rejected,
            "chosen_player": pair.players[0],
            "rejected_player": pair.players[1],
        } | _columns(pair.side)


CHATS: dict[str, Callable[[Iterable[Dialogue], Shaping], Iterator[Record]]] = {
    "sft": whole_chats,
    "prefixes": prefixes,
    "kto": labelled,
}
PAIRS = ("pairs", "turn-pairs")
FORMATS = (*CHATS, *PAIRS)
