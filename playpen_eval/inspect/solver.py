"""One solver for all games: a thin loop between an episode and the models of its roles."""

from __future__ import annotations

import contextvars
import functools
import logging
from collections.abc import Sequence
from typing import Any

from inspect_ai.model import (
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageSystem,
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
from playpen_eval.players import MAX_TOKENS, SELF, STYLES, clean_reply, learner_roles, scripted_reply, scripted_style
from playpen_eval.registry import load_game

_log = logging.getLogger(__name__)

PARTNER_ROLE = "partner"
MODEL = "model"
"""Partner: the model that is bound to the role `partner`."""

current_observation: contextvars.ContextVar[Observation] = contextvars.ContextVar("current_observation")
"""What the model asked now may know; the `playpen-scripted` provider answers from it."""


RECORD = "playpen_episode"
"""Key of the episode in the sample's store: game, version, instance, learner_roles, roles,
replies, to_move and outcome.

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
    kinds = {"system": ChatMessageSystem, "user": ChatMessageUser, "assistant": ChatMessageAssistant}
    return [*before[:kept], *(kinds[message["role"]](content=message["content"]) for message in messages[kept:])]


def resolve_partner(partner: str | None) -> str:
    """Who takes the roles that the evaluated model does not.

    Args:
        partner: `self`, `scripted`, `scripted:STYLE` or `model`; None for the model bound to the role `partner` if
            there is one, else `self`.

    Raises:
        UserError: No such partner, or it does not fit the bound roles.
    """
    bound = PARTNER_ROLE in model_roles()
    if partner is None:
        return MODEL if bound else SELF
    if partner not in (SELF, MODEL) and scripted_style(partner) is None:
        raise unknown("partner", partner, (SELF, MODEL, "scripted", *(f"scripted:{style}" for style in STYLES)))
    if partner == MODEL and not bound:
        raise UserError("-T partner=model needs the partner's model: --model-role partner=PROVIDER/MODEL")
    if partner != MODEL and bound:
        raise UserError(f"a model is bound to the role partner, but the task has partner={partner}; leave that out")
    return partner


@functools.cache
def _warn_of_sampling() -> None:
    """Once in a process, not for every episode."""
    _log.warning("hf/ models sample unless told otherwise; for greedy replies: -M do_sample=false")


def evaluated_model() -> Model | None:
    """The model that is evaluated; None where a task is made before there is one, as for `inspect list`."""
    try:
        return get_model()
    except ValueError:
        return None


def greedy(model: Model | None) -> GenerateConfig:
    """Greedy replies of at most 300 tokens, the setting of the published runs."""
    if model is not None and type(model.api).__name__ == "HuggingFaceAPI":
        # transformers refuses a temperature of 0; greedy decoding is the switch do_sample there.
        if getattr(model.api, "do_sample", False):
            _warn_of_sampling()
        return GenerateConfig(max_tokens=MAX_TOKENS)
    return GenerateConfig(max_tokens=MAX_TOKENS, temperature=0.0)


@solver
def dialogue_game(
    game: str, instances: str = "test", partner: str = SELF, role: str | None = None, spans: bool = True
) -> Solver:
    """Plays one episode per sample.

    Args:
        game: Name of the game.
        instances: Where the instances come from (`load_instances`).
        partner: Who takes the roles that the evaluated model does not: `self`, `scripted[:STYLE]` or `model`.
        role: The evaluated model's role beside a partner.
        spans: Give each role of a game with several a swimlane of its own in Inspect's viewer.
    """
    played = load_game(game)
    roles = learner_roles(played, partner, role)
    style = scripted_style(partner)
    by_id: dict[str, Instance] = {i["id"]: i for i in load_instances(played, instances).instances}

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        learner = get_model()
        other = get_model(role=PARTNER_ROLE, required=True) if partner == MODEL else None
        # Inspect passes none of the evaluation's settings on to a role; the role's own win over ours.
        other_config = greedy(other).merge(other.config) if other else GenerateConfig()
        episode = Episode(played, by_id[str(state.sample_id)])
        chats: dict[str, list[ChatMessage]] = {}

        async def reply(observation: Observation) -> str:
            messages = chats[observation.role] = chat(observation.messages, chats.get(observation.role, ()))
            if observation.role in roles:
                config = _capped(GenerateConfig(), observation.max_tokens)
                output = state.output = await _generate(learner, observation, messages, config)
            elif style is not None:
                return scripted_reply(observation, style)
            else:
                assert other is not None  # learner_roles leaves a role over only beside a partner
                config = _capped(other_config, observation.max_tokens)
                output = await _generate(other, observation, messages, config)
            if output.choices:
                messages.append(output.message)
            return clean_reply(output.completion)

        async def reply_in_lane(observation: Observation) -> str:
            async with span(observation.role, type="agent"):
                return await reply(observation)

        try:
            await play_async(episode, reply_in_lane if spans and len(played.roles) > 1 else reply)
        finally:
            # A limit of Inspect raises through here; what was played so far is kept and scored.
            state.store.set(RECORD, _record(played, roles, episode))
            state.messages = chat(episode.history(roles[0]), chats.get(roles[0], ()))
        return state

    return solve


@solver
def dialogue_games(games: list[str], instances: str = "test", partner: str = SELF, spans: bool = True) -> Solver:
    """Plays one episode per sample, of the game that the sample's metadata name.

    Args:
        games: Names of the games.
        instances: As in `dialogue_game`.
        partner: As in `dialogue_game`.
        spans: As in `dialogue_game`.
    """
    solvers = {game: dialogue_game(game, instances, partner, None, spans) for game in games}

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        return await solvers[state.metadata["game"]](state, generate)

    return solve


def _capped(config: GenerateConfig, cap: int | None) -> GenerateConfig:
    """The configuration with the game's own limit for this reply, if it has one."""
    return config if cap is None else config.merge(GenerateConfig(max_tokens=cap))


async def _generate(
    model: Model, observation: Observation, messages: list[ChatMessage], config: GenerateConfig
) -> ModelOutput:
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
        "to_move": episode.role,
        "outcome": episode.outcome.to_dict() if episode.outcome else None,
    }
