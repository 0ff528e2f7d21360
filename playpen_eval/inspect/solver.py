"""One solver for all games: a thin loop between an episode and the models of its roles."""

from __future__ import annotations

import contextvars
from collections.abc import Sequence
from typing import Any

from inspect_ai.model import (
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageUser,
    GenerateConfig,
    Model,
    ModelOutput,
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


def chat(messages: list[Message], before: Sequence[ChatMessage] = ()) -> list[ChatMessage]:
    """Our messages as Inspect's.

    Args:
        messages: A chat.
        before: An earlier state of it. What is the same stays the same object: it keeps its id, and logs hold it once.
    """
    kept = 0
    for message, known in zip(messages, before):
        if message["content"] != known.content or message["role"] != known.role:
            break
        kept += 1
    kinds = {"user": ChatMessageUser, "assistant": ChatMessageAssistant}
    return [*before[:kept], *(kinds[message["role"]](content=message["content"]) for message in messages[kept:])]


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
        chats: dict[str, list[ChatMessage]] = {}

        async def reply(observation: Observation) -> str:
            messages = chats[observation.role] = chat(observation.messages, chats.get(observation.role, ()))
            if observation.role not in roles and style is not None:
                return scripted_reply(observation, style)
            if observation.role in roles:
                output = state.output = await _generate(learner, observation, messages, GenerateConfig())
            else:
                assert other is not None  # learner_roles leaves a role over only beside a partner
                output = await _generate(other, observation, messages, PARTNER_DEFAULTS)
            if output.choices:
                messages.append(output.message)
            return clean_reply(output.completion)

        async def reply_in_span(observation: Observation) -> str:
            async with span(observation.role, type="agent"):
                return await reply(observation)

        try:
            await play_async(episode, reply_in_span if spans else reply)
        finally:
            # A limit of Inspect raises through here; what was played so far is kept and scored.
            state.store.set(RECORD, _record(played, roles, episode))
            state.messages = chat(_learner_chat(episode, roles[0]), chats.get(roles[0], ()))
        return state

    return solve


async def _generate(
    model: Model, observation: Observation, messages: list[ChatMessage], defaults: GenerateConfig
) -> ModelOutput:
    config = defaults.merge(model.config) if defaults.max_tokens else defaults
    if observation.max_tokens is not None:
        limit = min(observation.max_tokens, config.max_tokens or MAX_TOKENS)
        config = config.merge(GenerateConfig(max_tokens=limit))
    token = current_observation.set(observation)
    try:
        return await model.generate(messages, config=config)
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


def _learner_chat(episode: Episode, role: str) -> list[Message]:
    messages: list[Message] = []
    for turn in episode.turns:
        if turn.role == role and turn.remember:
            messages.append({"role": "user", "content": turn.text})
            messages.append({"role": "assistant", "content": turn.reply})
    return messages
