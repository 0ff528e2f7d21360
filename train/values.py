"""What the methods on values share: chains as batches, what a run begins with, and what it saves."""
# pyright: reportMissingImports=false

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import torch
from peft import PeftModel, get_peft_model

from playpen_eval.errors import UserError

from .chains import Backup, Chain, chains, returns_to_go
from .chat import Chat
from .config_lmrl import Returns
from .episodes import episode_rows
from .examples import Allowed, Counts
from .models import peft_config
from .session import Session, read_data
from .steps import Steps
from .updates import make_optimizer
from .value_model import Values, guided, make_values

WORTH = 16
"""Tokens that all sequences of a batch have to share for these to be computed apart."""


@dataclass(slots=True)
class Link:
    """One row of a chain, with what the values of its tokens are learned from.

    Attributes:
        ids: The row's tokens.
        places: Where those of the learner are.
        rewards: What each of them is paid before the next state.
        returns: The discounted return from each of them on.
        discounts: What V of the next state counts for each of them; 0 if there is no next state.
        after: For each of them where the next state ends: context (0 for `ids`, n for `others[n - 1]`) and length in
            it; None if there is no next state.
        others: Contexts in other rows of the chain.
    """

    ids: list[int]
    places: list[int] = field(default_factory=list)
    rewards: list[float] = field(default_factory=list)
    returns: list[float] = field(default_factory=list)
    discounts: list[float] = field(default_factory=list)
    after: list[tuple[int, int] | None] = field(default_factory=list)
    others: list[list[int]] = field(default_factory=list)


def links(chain: Chain, gamma: float, backup: Backup = "token") -> list[Link]:
    """The rows of a chain; what follows a row's token in another row comes with it, so that batches can be any rows.

    Args:
        chain: The chain.
        gamma: Discount for each token.
        backup: Whether a token's next state is that of the next token, or of the first token of the next turn.
    """
    made = [Link(row.prompt_ids + row.completion_ids) for row in chain.rows]
    returns = returns_to_go(chain.rewards, gamma)
    for token, (row, place) in enumerate(zip(chain.row_of, chain.place, strict=True)):
        link, last = made[row], chain.last[token] if backup == "turn" else token
        link.places.append(place)
        # A turn is paid at its last token.
        link.rewards.append(gamma ** (last - token) * chain.rewards[last])
        link.returns.append(returns[token])
        ended = last + 1 == len(chain)
        after = chain.after if ended else (chain.row_of[last + 1], chain.place[last + 1])
        link.discounts.append(gamma ** (last + 1 - token) if after else 0.0)
        if after is None:
            link.after.append(None)
        elif after[0] == row:
            link.after.append((0, after[1]))
        else:
            link.others.append(made[after[0]].ids[: after[1]])
            link.after.append((len(link.others), after[1]))
    return [link for link in made if link.places]


@dataclass(slots=True)
class Batch:
    """Some links as tensors; N tokens of the learner, said in U different states of S different sequences.

    Attributes:
        prefix: (1, shared) what all sequences begin with, as the rules of a game that is asked anew in each turn.
        ids: (S, length) what follows, padded on the right.
        mask: (S, shared + length), 1 for tokens.
        states: (U, 2) sequence and position of each state; positions are those in `ids`.
        state: (N,) the state in which each token was said.
        token: (N,) the tokens.
        reward: (N,).
        returns: (N,).
        after: (N,) the next state.
        discount: (N,) what V of the next state counts; 0 where there is none.
    """

    prefix: torch.Tensor
    ids: torch.Tensor
    mask: torch.Tensor
    states: torch.Tensor
    state: torch.Tensor
    token: torch.Tensor
    reward: torch.Tensor
    returns: torch.Tensor
    after: torch.Tensor
    discount: torch.Tensor


def collate(some: Sequence[Link], pad: int, device: Any = "cpu", bootstrap: bool = True) -> Batch:
    """A batch; what occurs several times is computed once.

    Args:
        some: The links.
        pad: Any token.
        device: Where the batch goes.
        bootstrap: Whether next states are needed.
    """
    sequences: dict[tuple[int, ...], int] = {}
    states: dict[tuple[int, int], int] = {}

    def sequence(ids: Sequence[int]) -> int:
        return sequences.setdefault(tuple(ids), len(sequences))

    def before(number: int, place: int) -> int:
        return states.setdefault((number, place - 1), len(states))

    state, token, reward, returns, after, discount = [], [], [], [], [], []
    for link in some:
        own = sequence(link.ids)
        state += [before(own, place) for place in link.places]
        token += [link.ids[place] for place in link.places]
        reward += link.rewards
        returns += link.returns
        if bootstrap:
            contexts = [own, *(sequence(ids) for ids in link.others)]
            after += [before(contexts[one[0]], one[1]) if one else 0 for one in link.after]
            discount += link.discounts
    width = max(map(len, sequences))
    shared = _shared(list(sequences), min(place for _, place in states))
    whole = {"dtype": torch.long, "device": device}
    return Batch(
        prefix=torch.tensor(next(iter(sequences))[:shared], **whole)[None],
        ids=torch.tensor([[*one[shared:], *[pad] * (width - len(one))] for one in sequences], **whole),
        mask=torch.tensor([[1] * len(one) + [0] * (width - len(one)) for one in sequences], **whole),
        states=torch.tensor([(one, place - shared) for one, place in states], **whole),
        state=torch.tensor(state, **whole),
        token=torch.tensor(token, **whole),
        reward=torch.tensor(reward, device=device),
        returns=torch.tensor(returns, device=device),
        after=torch.tensor(after, **whole),
        discount=torch.tensor(discount, device=device),
    )


def _shared(sequences: Sequence[tuple[int, ...]], limit: int) -> int:
    """How many tokens all sequences begin with, but not more than `limit`; 0 if that is hardly worth a call."""
    first, last = min(sequences), max(sequences)
    same = next((place for place, pair in enumerate(zip(first, last)) if pair[0] != pair[1]), min(map(len, sequences)))
    count = min(same, limit)
    return count if len(sequences) > 1 and count >= WORTH else 0


def hidden(base: Any, batch: Batch) -> torch.Tensor:
    """What a transformer makes of the states, (U, width); of what all sequences begin with once for all of them."""
    given: dict[str, Any] = {"attention_mask": batch.mask, "use_cache": False}
    if batch.prefix.shape[1]:
        from transformers import DynamicCache

        cache = DynamicCache(config=base.config)
        base(input_ids=batch.prefix, past_key_values=cache, use_cache=True)
        cache.batch_repeat_interleave(len(batch.ids))
        given |= {"past_key_values": cache, "use_cache": True}
    # As in every decoder, positions count from the left, where there is no padding.
    found = base(input_ids=batch.ids, **given).last_hidden_state
    return found[batch.states[:, 0], batch.states[:, 1]]


class Learning:
    """A run on values: its data, its batches and its result.

    Attributes:
        session: Folder and record.
        config: The recipe.
        chat: Template and tokenizer.
        policy: The behaviour-cloned model, frozen.
        mean: The mean return of the data, undiscounted.
        total: Steps of the optimizer.
        device: Where the models are.
    """

    def __init__(self, session: Session, config: Returns, data: Sequence[Path], backup: Backup = "token"):
        """Reads the data and loads the policy.

        Args:
            session: Folder and record.
            config: The recipe.
            data: Files of whole episodes.
            backup: What a token's next state is, see `links`.

        Raises:
            UserError: Something is wrong with them.
        """
        self.session, self.config = session, config
        self.chat: Chat = session.load_chat()
        counts = Counts()
        found = []
        for path in data:
            rows = episode_rows(read_data(path), str(path), self.chat, counts, Allowed(config.allow_heldout))
            found += _fitting(chains(rows, config.paid), config, str(path), counts)
        if not found:
            raise UserError(f"{', '.join(map(str, data))}: no episode to learn from ({dict(counts.left_out)})")
        if not any(any(chain.rewards) for chain in found):
            raise UserError(
                "all rewards are 0, so there is nothing to learn: with paid=outcome the outcome pays instead of turns"
            )
        self.mean = math.fsum(math.fsum(chain.rewards) for chain in found) / len(found)
        self._links = [link for chain in found for link in links(chain, config.gamma, backup)]
        session.told["examples"] = counts.to_dict() | {"episodes": len(found), "mean_return": self.mean}
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.policy = _merged(session.load_model(self.chat)).float().to(self.device).eval().requires_grad_(False)
        size = config.batch_size * config.accumulate
        self.total = config.max_steps or math.ceil(len(self._links) / size * config.epochs)

    def values(self, q_heads: Sequence[str], v_head: bool = False) -> Values:
        """The values before training, on the device; with an adapter if the recipe wants one."""
        bias = self.mean if self.config.bias is None else self.config.bias
        values = make_values(self.policy, self.config.heads, q_heads, v_head, bias)
        if adapter := peft_config(values.base, self.config):
            adapter.task_type = None  # there is no head of a language model
            values.base = get_peft_model(values.base, adapter)
        return values.to(self.device)

    def batches(self, step: int, bootstrap: bool) -> Iterator[Batch]:
        """The batches of one step of the optimizer; all rows in a new order for each pass through them."""
        size, count = self.config.batch_size, len(self._links)
        for part in range(self.config.accumulate):
            start = (step * self.config.accumulate + part) * size
            some = [self._links[self._order(place // count)[place % count]] for place in range(start, start + size)]
            yield collate(some, self.chat.end, self.device, bootstrap)

    def _order(self, epoch: int) -> list[int]:
        if getattr(self, "_epoch", None) != epoch:
            self._epoch, self._shuffled = epoch, list(range(len(self._links)))
            Random(f"order/{self.config.seed}/{epoch}").shuffle(self._shuffled)
        return self._shuffled

    def fit(
        self,
        values: Values,
        losses: Callable[[Batch], tuple[torch.Tensor, dict[str, float]]],
        *,
        bootstrap: bool,
        follow: Callable[[], None] = lambda: None,
        **parts: Any,
    ) -> list[dict[str, Any]]:
        """Takes all steps, and saves the result.

        Args:
            values: What is trained.
            losses: Of a batch: the loss, and its parts for the log.
            bootstrap: Whether batches hold the next states.
            follow: What is done after each step.
            **parts: What a checkpoint holds besides.

        Returns:
            The log.
        """
        learned = [one for one in values.parameters() if one.requires_grad]
        adam, schedule = make_optimizer(learned, self.config, self.total)
        with Steps(self.session, self.total, values=values, adam=adam, schedule=schedule, **parts) as steps:
            for step in steps:
                values.train()
                for batch in self.batches(step, bootstrap):
                    with self.precision():
                        loss, numbers = losses(batch)
                    (loss / self.config.accumulate).backward()
                    steps.log(**numbers)
                torch.nn.utils.clip_grad_norm_(values.parameters(), self.config.clip)
                adam.step()
                schedule.step()
                adam.zero_grad()
                follow()
        self.save(values)
        return steps.history

    def precision(self) -> Any:
        """The context in which losses are computed."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.session.bfloat16)

    def save(self, values: Values) -> None:
        """Saves the guided policy, and says that the run is finished."""
        values.base = _merged(values.base)
        model = guided(self.policy, values, self.config.beta)
        model.save_pretrained(self.session.output)
        self.chat.tokenizer.save_pretrained(self.session.output)
        self.session.finish(self.total)


def _merged(model: Any) -> Any:
    """The model itself, with the adapter that it has in its weights."""
    return model.merge_and_unload() if isinstance(model, PeftModel) else model


def _fitting(found: list[Chain], config: Returns, name: str, counts: Counts) -> list[Chain]:
    kept, longest = [], 0
    for chain in found:
        size = max(len(row.prompt_ids) + len(row.completion_ids) for row in chain.rows)
        longest = max(longest, size)
        if size <= config.max_length:
            kept.append(chain)
    if len(kept) < len(found) and config.overlong == "refuse":
        raise UserError(
            f"{name}: {len(found) - len(kept)} episodes have rows longer than max_length {config.max_length} (up to "
            f"{longest} tokens): raise max_length, or leave these episodes out with overlong=drop"
        )
    counts.left_out["of an episode longer than max_length"] += len(found) - len(kept)
    return kept
