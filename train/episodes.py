"""Records of a data set as whole episodes: with what each turn was paid, and the best of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from playpen_eval.errors import UserError

from .chains import UNFINISHED
from .chat import Chat, Encoded
from .examples import Allowed, Counts, count, encoded, named
from .rows import META_NAMES, Row, RowMeta


def episode_rows(
    records: Sequence[Mapping[str, Any]], name: str, chat: Chat, counts: Counts, allowed: Allowed
) -> list[Row]:
    """Rows of whole episodes with what each turn was paid, for methods that learn from rewards.

    Args:
        records: Chats of a data set, or rows with token ids.
        name: Of the file, for errors.
        chat: Template and tokenizer.
        counts: Takes what became of them.
        allowed: Refuses what must not be trained on.

    Raises:
        UserError: A record cannot be trained on, or does not tell its episode and its rewards.
    """
    rows = []
    for where, record in named(records, name):
        allowed.check(record, where)
        row = _row(record, chat, where)
        rows.append(row)
        counts.longest = max(counts.longest, len(row.prompt_ids) + len(row.completion_ids))
        count(counts, record, Encoded(row.prompt_ids, row.completion_ids, row.mask, row.turn_of))
    return rows


def _row(record: Mapping[str, Any], chat: Chat, where: str) -> Row:
    if "prompt_ids" in record:
        encoded(record, chat, where)
        return Row.from_dict(record)
    missing = [one for one in ("messages", "learn", "turn_rewards", "reward", *META_NAMES) if one not in record]
    if missing or "turn" in record:
        what = f"lacks {', '.join(missing)}" if missing else "is one turn of an episode"
        raise UserError(f"{where} {what}; playpen-eval data makes whole episodes with --format sft")
    messages, learn = record["messages"], sorted(record["learn"])
    # Without a reply it is what the learner was asked last when the play was stopped; the end token stands for one.
    made = encoded(record, chat, where) if learn else Encoded(chat.prompt_ids(messages), [chat.end], [0], [-1])
    if learn and learn[-1] + 1 < len(messages):
        asked = chat.suffix_ids(messages[learn[-1] + 1 :])
        made.completion_ids.extend(asked)
        made.mask.extend([0] * len(asked))
        made.turn_of.extend([-1] * len(asked))
    row = Row(*made, reward=record["reward"], meta=RowMeta(**{one: record[one] for one in META_NAMES}))
    row.turn_rewards = [*record["turn_rewards"]]
    try:
        row.validate()
    except UserError as error:
        raise UserError(f"{where}: {error}") from None
    return row


def best_episodes(
    records: Sequence[Mapping[str, Any]], name: str, top: float, seed: int, counts: Counts
) -> list[Mapping[str, Any]]:
    """The records of the episodes with the highest return, the sum of what the game paid for the learner's turns.

    Args:
        records: Of whole episodes.
        name: Of the file, for errors.
        top: Share of the episodes that is kept; at least one is.
        seed: Draws among episodes of the same return.
        counts: Takes what was left out: also episodes that tell nothing about the learner, or were not finished.

    Raises:
        UserError: A record does not tell its episode and its rewards.
    """
    episodes: dict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for where, record in named(records, name):
        if not {"episode", "seat", "turn_rewards", "kind"} <= record.keys() or "turn" in record:
            raise UserError(f"{where} is no whole episode with rewards, so top cannot rank it; see playpen-eval data")
        episodes[record["episode"], record["seat"]].append(record)
    told = [
        parts
        for parts in episodes.values()
        if parts[0]["kind"] != UNFINISHED and all(record.get("reward") is not None for record in parts)
    ]
    counts.left_out["of an episode without a return"] += len(records) - sum(map(len, told))
    draw = Random(f"top/{seed}")
    order = [(sum(sum(record["turn_rewards"]) for record in parts), draw.random(), parts) for parts in told]
    order.sort(key=lambda one: one[:2], reverse=True)
    kept = [parts for _, _, parts in order[: max(1, round(top * len(order)))]]
    counts.left_out[f"not of the top {top:g}"] += sum(map(len, told)) - sum(map(len, kept))
    return [record for parts in kept for record in parts]
