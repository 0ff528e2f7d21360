"""Data sets as token ids: rows with ids as they are, chats and pairs through the chat template.

In all of them only what the learner said carries loss. Nothing is cut or left out without being counted.
"""

from __future__ import annotations

import functools
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from playpen_eval.errors import UserError
from playpen_eval.instances import load_instances
from playpen_eval.registry import scan

from .chains import UNFINISHED
from .chat import Chat, Encoded
from .data.policy import test_keys
from .rows import Row

KEY_LENGTH = 32
"""Characters of the fingerprints in data sets."""


@dataclass
class Counts:
    """What became of the records.

    Attributes:
        used: Rows or pairs that are trained on.
        learned_tokens: Their tokens that carry loss.
        left_out: Why others are not -> how many.
        cut: Rows that lost their end.
        longest: Tokens of the longest row before anything was cut.
        games: Rows or pairs of each game.
    """

    used: int = 0
    learned_tokens: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    cut: int = 0
    longest: int = 0
    games: Counter[str] = field(default_factory=Counter)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data, for the record."""
        return {**vars(self), "left_out": dict(self.left_out), "games": dict(self.games)}


class Fitting:
    """Holds rows against the limit on their length."""

    def __init__(self, max_length: int, overlong: str, counts: Counts):
        """Args: the limit in tokens; `refuse`, `drop` or `cut`; what takes the counts."""
        self._max_length, self._overlong, self._counts = max_length, overlong, counts
        self._refused = 0

    def fit(self, chat: Encoded) -> Encoded | None:
        """The row as it is trained on; None to leave it out."""
        size = len(chat.prompt_ids) + len(chat.completion_ids)
        self._counts.longest = max(self._counts.longest, size)
        if size <= self._max_length:
            return chat
        if self._overlong != "cut":
            self._refused += self._overlong == "refuse"
            self._counts.left_out["longer than max_length"] += 1
            return None
        room = self._max_length - len(chat.prompt_ids)
        # A turn that is begun is not kept: the learner would be taught to stop there, or not to stop.
        end = 0
        for place in range(min(room, len(chat.completion_ids))):
            if chat.mask[place] and chat.turn_of[place + 1 : place + 2] != [chat.turn_of[place]]:
                end = place + 1
        if not end:
            self._counts.left_out["its first turn does not fit into max_length"] += 1
            return None
        self._counts.cut += 1
        return Encoded(chat.prompt_ids, chat.completion_ids[:end], chat.mask[:end], chat.turn_of[:end])

    def check(self) -> None:
        """Raises a `UserError` if rows had to be refused."""
        if self._refused:
            raise UserError(
                f"{self._refused} rows are longer than max_length {self._max_length} (the longest has "
                f"{self._counts.longest} tokens): raise max_length, or leave them out with overlong=drop, or cut them "
                "after the last turn that fits with overlong=cut"
            )


class Allowed:
    """Refuses records of the test split and of held-out games; a data set with one of them is a mistake as a whole."""

    def __init__(self, allow_heldout: bool):
        """Args: whether held-out games may be trained on."""
        self._allow_heldout = allow_heldout
        self._games = scan().games

    @functools.cached_property
    def _test_keys(self) -> frozenset[str]:
        return frozenset(key[:KEY_LENGTH] for key in test_keys())

    def check(self, record: Mapping[str, Any], where: str) -> None:
        """Checks one record.

        Raises:
            UserError: It must not be trained on.
        """
        if record.get("split") == "test":
            raise UserError(f"{where} is of the test split ({record.get('instance')}), which is never trained on")
        game = self._games.get(str(record.get("game")))
        if game is None:
            return
        if game.held_out and not self._allow_heldout:
            raise UserError(f"{where} is of {game.name}, which is held out from training; --allow-heldout allows it")
        if record.get("instance") in _test_ids(game.name):
            raise UserError(f"{where} is of the test instance {record['instance']}, which is never trained on")
        if record.get("key") and str(record["key"])[:KEY_LENGTH] in self._test_keys:
            raise UserError(
                f"{where} ({record.get('instance')}) has the content of a test instance, which is never trained on"
            )


@functools.lru_cache(maxsize=64)
def _test_ids(name: str) -> frozenset[str]:
    game = scan().games[name]
    return frozenset(one["id"] for one in load_instances(game, "test").instances) if game.sizes else frozenset()


def encoded(record: Mapping[str, Any], chat: Chat, where: str) -> Encoded:
    """What SFT trains on in a record: a row with ids, or a chat.

    Raises:
        UserError: It is neither, or does not go with the tokenizer.
    """
    if "prompt_ids" in record:
        row = Row.from_dict(record)
        size = len(chat.tokenizer)
        top = max(max(row.prompt_ids), max(row.completion_ids))
        if top >= size:
            raise UserError(f"{where} has the token {top}, but the tokenizer has {size}: it is of another model")
        return Encoded(row.prompt_ids, row.completion_ids, row.mask, row.turn_of)
    if "chosen" in record:
        raise UserError(f"{where} is a preference pair; train dpo takes those")
    messages, learn = record.get("messages"), record.get("learn")
    if messages is None and "completion" in record:
        messages = [*record["prompt"], *record["completion"]]
        learn = [len(record["prompt"]) + place for place in record["learn"]]
    if not isinstance(messages, list) or not all(
        isinstance(one, dict) and isinstance(one.get("content"), str) and isinstance(one.get("role"), str)
        for one in messages
    ):
        raise UserError(f"{where} has neither prompt_ids nor messages (role and content) to train on")
    if learn is None:
        learn = [place for place, message in enumerate(messages) if message["role"] == "assistant"]
    try:
        return chat.encode(messages, learn)
    except UserError as error:
        raise UserError(f"{where}: {error}") from None


def named(records: Sequence[Mapping[str, Any]], name: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Records with the place that errors name."""
    return ((f"{name}: record {number}", record) for number, record in enumerate(records, 1))


def sft_examples(
    records: Sequence[Mapping[str, Any]],
    name: str,
    chat: Chat,
    fitting: Fitting,
    counts: Counts,
    allowed: Allowed | None,
    min_reward: float | None = None,
) -> list[dict[str, list[int]]]:
    """Rows with `input_ids` and `labels`, which TRL takes as they are.

    Args:
        records: Of a data set, or conversations of other kinds.
        name: Of the file, for errors.
        chat: Template and tokenizer.
        fitting: Holds them against the limit.
        counts: Takes what became of them.
        allowed: Refuses what must not be trained on; None for conversations that are of no game.
        min_reward: Only rows with at least this reward.

    Raises:
        UserError: A record cannot be trained on, or none has a token of the learner.
    """
    made = []
    for where, record in named(records, name):
        if allowed is not None:
            allowed.check(record, where)
        reward = record.get("reward")
        if min_reward is not None and (reward is None or reward < min_reward):
            counts.left_out[f"reward below {min_reward:g}"] += 1
            continue
        silent = record.get("kind") == UNFINISHED and record.get("learn") == []  # only what was asked last
        tokens = None if silent else encoded(record, chat, where)
        if tokens is None or not any(tokens.mask):
            counts.left_out["no token of the learner"] += 1
            continue
        fitted = fitting.fit(tokens)
        if fitted is None:
            continue
        said = [token if mask else -100 for token, mask in zip(fitted.completion_ids, fitted.mask, strict=True)]
        made.append(
            {
                "input_ids": fitted.prompt_ids + fitted.completion_ids,
                "labels": [-100] * len(fitted.prompt_ids) + said,
            }
        )
        count(counts, record, fitted)
    fitting.check()
    if not made:
        raise UserError(f"{name} holds nothing to train on: {_reasons(counts)}")
    return made


def count(counts: Counts, record: Mapping[str, Any], *sides: Encoded) -> None:
    """Counts what is trained on."""
    counts.used += 1
    counts.learned_tokens += sum(sum(side.mask) for side in sides)
    counts.games[str(record.get("game", "general"))] += 1


def _reasons(counts: Counts) -> str:
    return ", ".join(f"{count} records: {reason}" for reason, count in counts.left_out.items()) or "no records"


def pair_examples(
    records: Sequence[Mapping[str, Any]], name: str, chat: Chat, fitting: Fitting, counts: Counts, allowed: Allowed
) -> list[dict[str, list[int]]]:
    """Pairs with ids and masks for DPO: of pairs in text, or of rows of the same instance and seat.

    Raises:
        UserError: A record cannot be trained on, or no pair is left.
    """
    rows = "prompt_ids" in records[0]
    made = []
    for where, record, chosen, rejected in (
        _row_pairs(records, name, chat) if rows else _text_pairs(records, name, chat)
    ):
        allowed.check(record, where)
        if chosen.prompt_ids != rejected.prompt_ids:
            raise UserError(f"{where}: its sides do not begin with the same prompt")
        if not (any(chosen.mask) and any(rejected.mask)):
            counts.left_out["a side without a token of the learner"] += 1
            continue
        sides = [fitting.fit(chosen), fitting.fit(rejected)]
        if sides[0] is None or sides[1] is None:
            continue
        if sides[0] == sides[1]:
            counts.left_out["sides that do not differ"] += 1
            continue
        made.append(
            {
                "prompt_ids": sides[0].prompt_ids,
                "chosen_ids": sides[0].completion_ids,
                "rejected_ids": sides[1].completion_ids,
                "chosen_mask": sides[0].mask,
                "rejected_mask": sides[1].mask,
            }
        )
        count(counts, record, sides[0], sides[1])
    fitting.check()
    if not made:
        raise UserError(f"{name} holds no pair to train on: {_reasons(counts)}")
    return made


_Pairs = Iterator[tuple[str, Mapping[str, Any], Encoded, Encoded]]


def _text_pairs(records: Sequence[Mapping[str, Any]], name: str, chat: Chat) -> _Pairs:
    for where, record in named(records, name):
        try:
            prompt = record["prompt"]
            sides = [
                chat.encode([*prompt, *record[side]], [len(prompt) + place for place in record[f"{side}_learn"]])
                for side in ("chosen", "rejected")
            ]
        except (KeyError, TypeError) as error:
            raise UserError(
                f"{where} is no preference pair ({type(error).__name__}: {error}); playpen-eval data makes some with "
                "--format pairs or turn-pairs"
            ) from None
        except UserError as error:
            raise UserError(f"{where}: {error}") from None
        yield where, record, sides[0], sides[1]


def _row_pairs(records: Sequence[Mapping[str, Any]], name: str, chat: Chat) -> _Pairs:
    """Better and worse rows of the same prompt, each used once."""
    groups: dict[tuple[Any, ...], list[tuple[str, Mapping[str, Any]]]] = defaultdict(list)
    for where, record in named(records, name):
        if record.get("reward") is not None:
            key = tuple(record.get(part) for part in ("game", "version", "instance", "seat", "part"))
            groups[(*key, tuple(record["prompt_ids"]))].append((where, record))
    for group in groups.values():
        group.sort(key=lambda one: one[1]["reward"])
        for (_, worse), (where, better) in zip(group[: len(group) // 2], reversed(group)):
            if worse["reward"] < better["reward"]:
                yield where, better, encoded(better, chat, where), encoded(worse, chat, where)


def label_examples(
    records: Sequence[Mapping[str, Any]], name: str, chat: Chat, fitting: Fitting, counts: Counts, allowed: Allowed
) -> list[dict[str, Any]]:
    """Rows with ids, mask and label for KTO: of labelled chats, or of rows, where a success is good.

    Raises:
        UserError: A record cannot be trained on, or one of the labels is missing.
    """
    made = []
    for where, record in named(records, name):
        allowed.check(record, where)
        if "prompt_ids" not in record and "label" not in record:
            raise UserError(f"{where} has no label; playpen-eval data makes some with --format kto")
        if "prompt_ids" in record and record.get("reward") is None:
            counts.left_out["no reward"] += 1
            continue
        tokens = encoded(record, chat, where)
        fitted = fitting.fit(tokens) if any(tokens.mask) else None
        if fitted is None:
            continue
        label = bool(record["label"]) if "label" in record else record.get("kind") == "success"
        made.append(
            {
                "prompt_ids": fitted.prompt_ids,
                "completion_ids": fitted.completion_ids,
                "completion_mask": fitted.mask,
                "label": label,
            }
        )
        count(counts, record, fitted)
    fitting.check()
    if not made:
        raise UserError(f"{name} holds nothing to train on: {_reasons(counts)}")
    if len({one["label"] for one in made}) < 2:
        raise UserError(f"{name} has only {'good' if made[0]['label'] else 'bad'} dialogues; KTO needs both")
    return made


def drawn(items: Sequence[Any], count: int, seed: str) -> list[Any]:
    """Up to `count` of the items, in an order that depends on the seed alone."""
    return Random(seed).sample(list(items), min(count, len(items)))


def as_dataset(examples: Iterable[Mapping[str, Any]]) -> Any:
    """A data set of the library `datasets`."""
    from playpen_eval.errors import require

    return require("datasets", "train").Dataset.from_list([dict(example) for example in examples])


Maker = Callable[[Sequence[Mapping[str, Any]], str, Chat, Fitting, Counts, Allowed], list[dict[str, Any]]]
