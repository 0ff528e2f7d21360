"""What may be trained on.

Never the test split; never a held-out game unless that is allowed; validation instances only if that is allowed.
clembench's instances are of no split of ours. The published figures are measured on them, so whoever trains on
recordings cannot evaluate on the same clembench version: the manifest says so, and `data check` finds it by id. Those
whose key is in our own test split (clembench's wordle has words that ours has) are left out here.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

from playpen_eval.errors import UserError
from playpen_eval.game import Game, Instance
from playpen_eval.instances import SPLITS, digest, load_instances, split_of
from playpen_eval.registry import load_game, shipped_games

HELD_OUT = "held-out game"
TEST = "test split"
TEST_KEY = "shares its key with the test split"
VALIDATION = "validation split"


@dataclass(frozen=True)
class Policy:
    """What is let through.

    Attributes:
        allow_heldout: Also games that are kept to test generalisation.
        allow_validation: Also instances of the validation split.
    """

    allow_heldout: bool = False
    allow_validation: bool = False

    def refusal(self, game: Game, instance: Instance) -> str | None:
        """Why an instance may not be trained on; None if it may."""
        if game.held_out and not self.allow_heldout:
            return HELD_OUT
        if instance["split"] not in SPLITS:
            return TEST_KEY if digest(game.key(instance)) in test_keys() else None
        # The hash of the key decides, whatever a file says; both must agree.
        for split in (instance["split"], split_of(game.key(instance))):
            if split == "test":
                return TEST
            if split == "validation" and not self.allow_validation:
                return VALIDATION
        return None

    def check_game(self, game: Game) -> None:
        """Raises a `UserError` for a held-out game that was asked for by name."""
        if game.held_out and not self.allow_heldout:
            raise UserError(
                f"{game.name} is held out from training: leave it out, or give --allow-heldout if figures of unseen "
                "games are not wanted"
            )


def test_keys() -> frozenset[str]:
    """Digests of all keys in the shipped test splits; games may share a kind of key."""
    return _test_keys(tuple(sorted(name for name, game in shipped_games().items() if game.sizes.get("test"))))


@functools.lru_cache(maxsize=4)
def _test_keys(names: tuple[str, ...]) -> frozenset[str]:
    games = (load_game(name) for name in names)
    return frozenset(
        digest(game.key(instance)) for game in games for instance in load_instances(game, "test").instances
    )
