"""Online filtered behaviour cloning: rounds of playing, each of which trains on its own best episodes.

    playpen-eval train online-bc --model M --recipe lmrl-maze-online-bc --output DIR

The loss is that of SFT on what the learner said in the episodes that are kept: all that were won, or the `top` share by
return. The optimizer goes on from round to round. `train rft` is a single round of it through TRL.
"""
# pyright: reportMissingImports=false

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from playpen_eval.train.chains import Chain
from playpen_eval.train.config_lmrl import OnlineBC
from playpen_eval.train.mix import load_pools
from playpen_eval.train.partners import check_partner
from playpen_eval.train.session import Session

if TYPE_CHECKING:
    from playpen_eval.train.updates import Piece, Updates


def train(config: OnlineBC, model: str | None, output: Path, **options: Any) -> list[dict[str, Any]]:
    """Trains by playing.

    Args:
        config: The recipe.
        model: Folder or name of the model, or an adapter to train on.
        output: Folder of the run.
        **options: `resume` and `again`, as in `Session`.

    Returns:
        The log; a step is a round.

    Raises:
        UserError: Before the first round, if anything is wrong; later if for many rounds no episode was kept.
    """
    pools = load_pools(config)
    check_partner(config)
    session = Session("online-bc", config, model, output, **options)
    if session.finished:
        return []
    chat = session.load_chat()
    session.told["instances"] = {game.name: len(instances) for game, instances in pools}

    from playpen_eval.train.rounds import STATE, RoundTrainer
    from playpen_eval.train.updates import Updates, place_model

    policy, _ = place_model(session, chat, config)
    updates = Updates(policy, config, session.bfloat16)
    learner = Learner(config, updates)
    return session.train(RoundTrainer(session, config, pools, chat, updates, learner), needs=(STATE,))


def kept(found: Sequence[Chain], top: float | None, seed: str) -> list[Chain]:
    """The episodes to learn from.

    Args:
        found: Those of a round.
        top: Share of them with the highest returns, at least one; None for all successes.
        seed: Draws among equal ones.
    """
    if top is None:
        return [chain for chain in found if chain.rows[0].meta.kind == "success"]
    drawn = Random(seed).sample(list(found), len(found))
    drawn.sort(key=lambda chain: -sum(chain.rewards))
    return drawn[: max(1, round(top * len(found)))]


class Learner:
    """Learns from rounds.

    Attributes:
        advice: What to do if it does not.
    """

    advice = (
        "no episode was won; warm the model up by SFT, play more episodes or easier instances, or keep the best ones "
        "of each round with top=0.3"
    )

    def __init__(self, config: OnlineBC, updates: Updates):
        """Args: the recipe; the model."""
        self._config, self._updates = config, updates

    def learn(self, found: Sequence[Chain], name: str) -> Mapping[str, float] | None:
        """A round: the loss of SFT on what is kept."""
        from playpen_eval.train.updates import pieces, shuffled

        own = kept(found, self._config.top, f"{name}/kept")
        if not own:
            return None
        rows, losses = pieces(own), []
        for epoch in range(int(self._config.epochs)):
            for batch in shuffled(rows, self._updates.size, f"{name}/{epoch}"):
                self._updates.step(batch, lambda part: self._loss(part, losses))
        return {
            "loss": sum(losses) / sum(len(piece.places) for piece in rows) / self._config.epochs,
            "kept": len(own) / len(found),
            "kept_return": sum(sum(chain.rewards) for chain in own) / len(own),
        }

    def _loss(self, part: Sequence[Piece], losses: list[float]) -> Any:
        loss = -self._updates.read(part).logprobs.sum()
        losses.append(loss.item())
        return loss

    def save(self, folder: Path) -> None:
        """There is nothing beside the model."""

    def restore(self, folder: Path) -> None:
        """There is nothing beside the model."""


if __name__ == "__main__":
    from playpen_eval.cli import main

    sys.exit(main(["train", "online-bc", *sys.argv[1:]]))
