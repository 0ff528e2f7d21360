"""Who plays: the learner, its partner, scripted players; and what has to be cut off a model's reply."""

from __future__ import annotations

from collections.abc import Sequence

from playpen_eval.drivers import Generate
from playpen_eval.episode import Observation
from playpen_eval.errors import UserError, unknown
from playpen_eval.game import Game

SELF = "self"
"""Partner: the learner plays every role against itself, Playpen's protocol and the default."""

STYLES = ("best", "breaker")
MAX_TOKENS = 300
"""Tokens of one reply; with temperature 0 the setting of the recorded Playpen runs."""

_END_TOKENS = (
    "<|eot_id|>",
    "<|end_of_text|>",
    "<|eom_id|>",
    "<|im_end|>",
    "<|endoftext|>",
    "<|end|>",
    "<|return|>",
    "<|END_OF_TURN_TOKEN|>",
    "</s>",
    "<eos>",
    "<end_of_turn>",
    "<turn|>",
    "<｜end▁of▁sentence｜>",
    "[EOS]",
)


def clean_reply(text: str) -> str:
    """What a game may see of a live model's text.

    Removes end-of-text tokens that a server left at the end, and replaces halves of surrogate pairs, which neither
    tokenizers nor files take. Recorded replies are replayed as they are.
    """
    if not text.isascii():
        text = text.encode("utf-8", "replace").decode("utf-8")
    end = text.rstrip()
    while token := next(filter(end.endswith, _END_TOKENS), None):
        text = end = end[: -len(token)].rstrip()
    return text


def learner_roles(game: Game, partner: str, role: str | None = None) -> tuple[str, ...]:
    """The roles that the learner plays.

    Args:
        game: The game.
        partner: `self` if the learner plays every role, anything else names who takes the other roles.
        role: The learner's role beside a partner; by default the game's own choice.

    Raises:
        UserError: The game has no such role, or nobody takes the other ones.
    """
    if role is not None and role not in game.roles:
        raise unknown(f"role of {game.name}", role, game.roles)
    if role is not None and partner == SELF and len(game.roles) > 1:
        raise UserError(f"role {role!r} of {game.name} needs a partner in the other roles: scripted, or a model")
    return game.roles if partner == SELF else (role or game.learner,)


def scripted_style(player: str) -> str | None:
    """The style of a player called `scripted` or `scripted:STYLE`; None if it is no scripted player.

    Raises:
        UserError: No such style.
    """
    kind, _, style = player.partition(":")
    if kind != "scripted":
        return None
    if style and style not in STYLES:
        raise unknown("style of scripted player", style, STYLES)
    return style or STYLES[0]


def scripted_reply(observation: Observation, style: str) -> str:
    """What the game's scripted player says."""
    return observation.game.scripted(observation.role, observation.view, style)(observation.messages)


def scripted(style: str = "best") -> Generate:
    """A player for `lockstep` that answers by script."""

    def generate(observations: Sequence[Observation]) -> list[str]:
        return [scripted_reply(observation, style) for observation in observations]

    return generate
