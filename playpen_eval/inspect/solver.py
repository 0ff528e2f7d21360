"""One solver for all games: a thin loop between an episode and the models of its roles."""

from __future__ import annotations

import contextvars
from typing import Any

from inspect_ai.model import (
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageUser,
    GenerateConfig,
    Model,
    get_model,
    model_roles,
)
from inspect_ai.solver import Generate, Solver, TaskState, solver
from inspect_ai.util import span

from playpen_eval.drivers import play_async
from playpen_eval.episode import Episode, Message, Observation
from playpen_eval.errors import UserError, unknown
from playpen_eval.game import Game, Instance
from playpen_eval.instances import load_instances
from playpen_eval.players import MAX_TOKENS, SELF, clean_reply, learner_roles, scripted_reply, scripted_style
from playpen_eval.registry import load_game

PARTNER_ROLE = "partner"
PARTNER_DEFAULTS = GenerateConfig(temperature=0.0, max_tokens=MAX_TOKENS)
"""A partner gets none of the evaluated model's settings from Inspect; its own settings win over these."""

current_observation: contextvars.ContextVar[Observation] = contextvars.ContextVar("current_observation")
"""What the model asked now may know; the `playpen-scripted` provider answers from it."""


RECORD = "playpen_episode"
"""Key of the episode in the sample's store: game, version, instance, learner_roles, roles, replies and outcome.

Together with the instance the replies are the whole episode. Everything else in a log follows from them, so nothing
is written twice; `outcome` is null if a limit of Inspect ended the sample first.
"""


def chat(messages: list[Message]) -> list[ChatMessage]:
    """Our messages as Inspect's."""
    return [
        ChatMessageUser(content=message["content"])
        if message["role"] == "user"
        else ChatMessageAssistant(content=message["content"])
        for message in messages
    ]


def partner_model(partner: str) -> Model | None:
    """The model bound to the role `partner`; None if no model takes that part.

    Raises:
        UserError: The task's argument and the bound roles do not fit together.
    """
    bound = get_model(role=PARTNER_ROLE, required=True) if PARTNER_ROLE in model_roles() else None
    if partner == "model" and bound is None:
        raise UserError("-T partner=model needs the partner's model: --model-role partner=PROVIDER/MODEL")
    if partner != "model" and bound is not None:
        raise UserError(f"a model is bound to the role partner, but the task has partner={partner}; -T partner=model")
    return bound


@solver
def dialogue_game(
    game: str, instances: str = "test", partner: str = SELF, role: str | None = None, spans: bool = False
) -> Solver:
    """Plays one episode per sample.

    Args:
        game: Name of the game.
        instances: Where the instances come from (`load_instances`).
        partner: Who takes the roles that the evaluated model does not: `self`, `scripted[:STYLE]` or `model`.
        role: The evaluated model's role beside a partner.
        spans: Give each role a swimlane of its own in Inspect's viewer; a tenth more CPU time per episode.
    """
    played = load_game(game)
    roles = learner_roles(played, partner, role)
    style = scripted_style(partner)
    if style is None and partner not in (SELF, "model"):
        raise unknown("partner", partner, (SELF, "model", "scripted", "scripted:breaker"))
    by_id: dict[str, Instance] = {i["id"]: i for i in load_instances(played, instances).instances}

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        learner, other = get_model(), partner_model(partner)
        episode = Episode(played, by_id[str(state.sample_id)])

        async def reply(observation: Observation) -> str:
            if observation.role in roles:
                state.output = await _generate(learner, observation, GenerateConfig())
                return clean_reply(state.output.completion)
            if style is not None:
                return scripted_reply(observation, style)
            assert other is not None  # learner_roles leaves a role over only beside a partner
            return clean_reply((await _generate(other, observation, PARTNER_DEFAULTS)).completion)

        async def reply_in_span(observation: Observation) -> str:
            async with span(observation.role, type="agent"):
                return await reply(observation)

        try:
            await play_async(episode, reply_in_span if spans else reply)
        finally:
            # A limit of Inspect raises through here; what was played so far is kept and scored.
            state.store.set(RECORD, _record(played, roles, episode))
            state.messages = _learner_chat(episode, roles[0])
        return state

    return solve


async def _generate(model: Model, observation: Observation, defaults: GenerateConfig):
    config = defaults.merge(model.config) if defaults.max_tokens else defaults
    if observation.max_tokens is not None:
        limit = min(observation.max_tokens, config.max_tokens or MAX_TOKENS)
        config = config.merge(GenerateConfig(max_tokens=limit))
    token = current_observation.set(observation)
    try:
        return await model.generate(chat(observation.messages), config=config)
    finally:
        current_observation.reset(token)


def _record(game: Game, roles: tuple[str, ...], episode: Episode) -> dict[str, Any]:
    return {
        "game": game.name,
        "version": game.version,
        "instance": episode.instance["id"],
        "learner_roles": list(roles),
        "roles": [turn.role for turn in episode.turns],
        "replies": episode.replies,
        "outcome": episode.outcome.to_dict() if episode.outcome else None,
    }


def _learner_chat(episode: Episode, role: str) -> list[ChatMessage]:
    messages: list[Message] = []
    for turn in episode.turns:
        if turn.role == role and turn.remember:
            messages.append({"role": "user", "content": turn.text})
            messages.append({"role": "assistant", "content": turn.reply})
    return chat(messages)
