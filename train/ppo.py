"""PPO on episodes that are played while training, token by token, as in LMRL-Gym (arXiv 2311.18232, section 5).

    playpen-eval train ppo --model M --recipe lmrl-maze-ppo --output DIR

Each round plays with the policy as it is, then learns from what it said. A turn's reward stands on its last token, and
the log-ratio to the initial policy is taken off every token's. Advantages run over all that the learner said in an
episode, also where a game makes it forget (each exchange is then a row of its own); after the last token nothing comes.

The loop is our own: TRL 1.16 has no PPO any more, and the one it had was for answers to single prompts that a reward
model judges at their end. It knew no turns, and no rewards in between.

The value head lies beside the model, in `value_head.pt`; the folder is evaluated like that of any model or adapter.
"""
# pyright: reportMissingImports=false

from __future__ import annotations

import copy
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

from playpen_eval.train.chains import Chain, advantages, whitened
from playpen_eval.train.chat import Chat
from playpen_eval.train.config_lmrl import PPO
from playpen_eval.train.examples import Allowed, Counts, Fitting, sft_examples
from playpen_eval.train.mix import load_pools
from playpen_eval.train.partners import check_partner
from playpen_eval.train.session import Session, read_data

from playpen_eval.errors import require

if TYPE_CHECKING:
    from playpen_eval.train.updates import Piece, Updates

HEAD = "value_head.pt"
NARROW = 0.2
"""Ziegler et al. 2019 let the coefficient move by at most this for `kl_horizon` episodes."""


def train(config: PPO, model: str | None, output: Path, **options: Any) -> list[dict[str, Any]]:
    """Trains by playing.

    Args:
        config: The recipe.
        model: Folder or name of the model, or an adapter to train on.
        output: Folder of the run.
        **options: `resume` and `again`, as in `Session`.

    Returns:
        The log; a step is a round.

    Raises:
        UserError: Before the first round, if anything is wrong; later if for many rounds nothing can be learned.
    """
    pools = load_pools(config)
    check_partner(config)
    data = [Path(config.bc_data)] if config.bc_data else []
    session = Session("ppo", config, model, output, data, **options)
    if session.finished:
        return []
    chat = session.load_chat()
    session.told["instances"] = {game.name: len(instances) for game, instances in pools}
    demonstrations = [piece for path in data for piece in _demonstrations(config, path, chat, session)]

    from playpen_eval.train.rounds import STATE, RoundTrainer
    from playpen_eval.train.updates import Updates, place_model
    from trl.trainer.utils import disable_dropout_in_model

    policy, new_adapter = place_model(session, chat, config)
    disable_dropout_in_model(policy)
    head = value_head(policy, config)
    updates = Updates(policy, config, session.bfloat16, head.parameters(), config.value_learning_rate)
    # With a new adapter the initial policy is the policy without it.
    frozen = None if new_adapter or not config.kl_coef else copy.deepcopy(policy).eval().requires_grad_(False)
    learner = Learner(config, updates, head, frozen, demonstrations)
    return session.train(RoundTrainer(session, config, pools, chat, updates, learner), needs=(STATE,))


def _demonstrations(config: PPO, path: Path, chat: Chat, session: Session) -> list[Piece]:
    """The data set of `bc_data`."""
    from playpen_eval.train.updates import Piece

    counts = Counts()
    fitting, allowed = Fitting(config.max_length, "refuse", counts), Allowed(config.allow_heldout)
    examples = sft_examples(read_data(path), str(path), chat, fitting, counts, allowed)
    session.told["examples"] = counts.to_dict()
    places = [[place for place, label in enumerate(one["labels"]) if label >= 0] for one in examples]
    return [Piece(one["input_ids"], own, own) for one, own in zip(examples, places, strict=True)]


def value_head(policy: Any, config: PPO) -> Any:
    """V of the state before a token, linear in the last hidden state there; at first the same for all states."""
    nn = require("torch", "train").nn
    head = nn.Linear(policy.config.get_text_config().hidden_size, 1)
    nn.init.zeros_(head.weight)
    nn.init.constant_(head.bias, config.value_bias)
    return head.to(next(policy.parameters()).device)


class Known(NamedTuple):
    """What is known of the tokens of a round before it is learned from; all (N,), by the tokens' numbers.

    Attributes:
        logprobs: Under the policy that played.
        values: V of the states in which they were said.
        advantages: Whitened over the round.
        targets: Of the values.
    """

    logprobs: Any
    values: Any
    advantages: Any
    targets: Any

    def of(self, numbers: Any) -> Known:
        """That of some tokens."""
        return Known(*(one[numbers] for one in self))


def losses(config: PPO, logprobs: Any, values: Any, known: Known) -> tuple[Any, Any, Any]:
    """The clipped losses of N tokens.

    Args:
        config: How far is clipped.
        logprobs: (N,) under the policy as it is now.
        values: (N,) as they are now.
        known: Of the same tokens.

    Returns:
        Each (N,): the policy's loss, the values' loss, 1 where the ratio is out of its bounds.
    """
    ratio = (logprobs - known.logprobs).exp()
    near = ratio.clamp(1 - config.clip_ratio, 1 + config.clip_ratio)
    policy = -(ratio * known.advantages).minimum(near * known.advantages)
    held = known.values + (values - known.values).clamp(-config.clip_value, config.clip_value)
    value = 0.5 * (values - known.targets).square().maximum((held - known.targets).square())
    return policy, value, (ratio != near).float()


class Learner:
    """Learns from rounds.

    Attributes:
        advice: What to do if it does not.
        kl_coef: As it is now.
    """

    advice = (
        "all episodes of a game had the same return; warm the model up by SFT, take other games or instances or more "
        "episodes, or paid=outcome where a game pays nothing for turns"
    )

    def __init__(self, config: PPO, updates: Updates, head: Any, frozen: Any, demonstrations: Sequence[Piece]):
        """Takes what a run is made of.

        Args:
            config: The recipe.
            updates: The policy with its optimizer.
            head: The value head.
            frozen: A copy of the initial policy; None if it is the policy without its adapter, or is not needed.
            demonstrations: Rows of `bc_data`.
        """
        self._config, self._updates, self._head = config, updates, head
        self._frozen, self._demonstrations = frozen, demonstrations
        self.kl_coef = config.kl_coef

    def learn(self, found: Sequence[Chain], name: str) -> Mapping[str, float] | None:
        """A round: scores its tokens, then takes the steps."""
        from playpen_eval.train.updates import pieces, shuffled

        returns = {(chain.rows[0].meta.game, sum(chain.rewards)) for chain in found}
        if len(returns) == len({game for game, _ in returns}):
            return None
        rows, size = pieces(found), self._updates.size
        scored, known = self._score(shuffled(rows, size, f"{name}/0"), found)
        steps: list[Any] = []
        for epoch in range(int(self._config.epochs)):
            # The first pass goes in the batches that were scored: there the ratio is 1 to the last bit.
            for number, batch in enumerate(shuffled(rows, size, f"{name}/{epoch}")):
                imitation = partial(self._imitation, f"{name}/{epoch}/{number}")
                self._updates.step(batch, lambda part: self._loss(part, known, steps), imitation)
        figures = self._figures(found, scored, known, steps)
        self._adapt(figures.get("kl", 0.0), len(found))
        return figures

    def _score(self, batches: Sequence[Sequence[Piece]], found: Sequence[Chain]) -> tuple[dict[str, Any], Known]:
        """Entropy and log-ratio to the initial policy of all tokens, and what else is known of them."""
        torch, updates, config = require("torch", "train"), self._updates, self._config
        count = sum(map(len, found))
        logprobs, values, entropy, gaps = torch.zeros(4, count, device=updates.device).unbind()
        with torch.no_grad():
            for part in (part for batch in batches for part in updates.batches(batch)):
                said = updates.read(part, config.temperature)
                logprobs[said.numbers], entropy[said.numbers] = said.logprobs, said.entropy
                values[said.numbers] = self._head(said.hidden)[:, 0]
                if self.kl_coef:
                    gaps[said.numbers] = said.logprobs - self._initial(part)
        rewards = [paid for chain in found for paid in chain.rewards]
        paid = [reward - self.kl_coef * gap for reward, gap in zip(rewards, gaps.tolist(), strict=True)]
        own, start = [], 0
        for chain in found:
            end = start + len(chain)
            own.append(advantages(paid[start:end], values[start:end].tolist(), config.gamma, config.lam))
            start = end
        estimates, white = (
            torch.tensor([value for one in some for value in one], dtype=values.dtype, device=values.device)
            for some in (own, whitened(own))
        )
        return {"entropy": entropy, "kl": gaps}, Known(logprobs, values, white, values + estimates)

    def _initial(self, part: Sequence[Piece]) -> Any:
        """Log-probabilities under the initial policy."""
        if self._frozen is not None:
            return self._updates.read(part, self._config.temperature, self._frozen).logprobs
        with self._updates.model.disable_adapter():
            return self._updates.read(part, self._config.temperature).logprobs

    def _loss(self, part: Sequence[Piece], known: Known, steps: list[Any]) -> Any:
        """Sum over the tokens of some rows; notes its parts."""
        said = self._updates.read(part, self._config.temperature)
        made = losses(self._config, said.logprobs, self._head(said.hidden)[:, 0], known.of(said.numbers))
        steps.append([len(said.numbers), *(one.detach().sum().item() for one in made)])
        return (made[0] + self._config.value_coef * made[1]).sum()

    def _imitation(self, draw: str) -> Any:
        """The weighted loss of a batch of the data set; None without one."""
        if not self._demonstrations:
            return None
        some = Random(draw).sample(self._demonstrations, min(self._config.batch_size, len(self._demonstrations)))
        return -self._config.bc_weight * self._updates.read(some).logprobs.mean()

    def _figures(
        self, found: Sequence[Chain], scored: Mapping[str, Any], known: Known, steps: Sequence[Sequence[float]]
    ) -> dict[str, float]:
        """For the log; what was scored also by game."""
        totals = [sum(column) for column in zip(*steps, strict=True)]
        names = ("policy_loss", "value_loss", "clip_fraction")
        figures = {name: total / totals[0] for name, total in zip(names, totals[1:], strict=True)}
        figures["value"] = known.values.mean().item()
        spread = known.targets.var(correction=0).item()
        if spread:
            figures["explained_variance"] = 1 - (known.targets - known.values).var(correction=0).item() / spread
        games: dict[str, list[int]] = defaultdict(list)
        start = 0
        for chain in found:
            games[chain.rows[0].meta.game] += range(start, start + len(chain))
            start += len(chain)
        for name, values in scored.items():
            if name != "kl" or self.kl_coef:
                figures[name] = values.mean().item()
                figures |= {f"game/{game}/{name}": values[own].mean().item() for game, own in games.items()}
        return figures | {"kl_coef": self.kl_coef}

    def _adapt(self, kl: float, episodes: int) -> None:
        """Moves the coefficient so that the divergence comes nearer to its target."""
        if self._config.kl_target is not None:
            error = min(max(kl / self._config.kl_target - 1, -NARROW), NARROW)
            self.kl_coef *= 1 + error * episodes / self._config.kl_horizon

    def save(self, folder: Path) -> None:
        """Writes the value head and the coefficient."""
        require("torch", "train").save({"head": self._head.state_dict(), "kl_coef": self.kl_coef}, folder / HEAD)

    def restore(self, folder: Path) -> None:
        """Reads what `save` wrote."""
        saved = require("torch", "train").load(folder / HEAD, map_location=self._updates.device, weights_only=True)
        self._head.load_state_dict(saved["head"])
        self.kl_coef = saved["kl_coef"]


if __name__ == "__main__":
    from playpen_eval.cli import main

    sys.exit(main(["train", "ppo", *sys.argv[1:]]))
