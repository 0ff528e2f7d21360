"""Plays dialogue games with the harness's models: all episodes of a run in lockstep.

The harness knows no multi-turn requests, but it hands all requests of one type to the model's method of that name.
Importing this module therefore adds one method, `playpen_dialogue`, to the base class of all its models. Nothing of
the harness is replaced, and importing twice changes nothing.

The engine's own `lockstep` does not fit here: who is asked, and with which settings, differs between the episodes of
a run, and an episode can end because a context is full.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from typing import Any

from lm_eval.api.model import LM

from playpen_eval.episode import Episode
from playpen_eval.game import Outcome
from playpen_eval.lmeval.player import ModelPlayer, check_partner, log, partner_player
from playpen_eval.players import MAX_TOKENS, learner_roles, scripted_reply, scripted_style
from playpen_eval.registry import load_game

REQUEST_TYPE = "playpen_dialogue"
"""Type of our requests, and name of the method that answers them."""

_encode = json.JSONEncoder(allow_nan=False).encode

_TOKEN_LIMITS = ("max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens")  # first one given counts


class Play:
    """One episode of a run, with its players.

    Attributes:
        episode: The episode.
        settings: Generation settings of its task.
        outcome: None while it runs; differs from the episode's if a context was full.
    """

    __slots__ = ("_learner", "_partner", "_roles", "_spec", "_style", "episode", "outcome", "settings")

    def __init__(self, request: Any, players: Players):
        _, settings, what = request.args
        game = load_game(what["game"])
        spec = check_partner(what["partner"])
        self.episode = Episode(game, json.loads(request.doc["instance"]))
        self.settings = _settings(settings)
        self.outcome: Outcome | None = self.episode.outcome
        self._spec = spec
        self._style = scripted_style(spec) if isinstance(spec, str) else None
        self._roles = learner_roles(game, spec if isinstance(spec, str) else "model", what["role"])
        self._learner = players.learner
        self._partner = players.learner if isinstance(spec, str) else players.partner(spec)
        self._script()

    @property
    def player(self) -> ModelPlayer:
        """The model to move."""
        return self._learner if self.episode.role in self._roles else self._partner

    def take(self, answer: str | Outcome) -> None:
        """Continues with the answer of the model that was asked."""
        if isinstance(answer, Outcome):
            self.outcome = answer
            return
        self.episode.act(answer)
        self._script()

    def _script(self) -> None:
        # At once, so that every episode waits for a model and the batches stay full.
        episode = self.episode
        if self._style:
            while episode.outcome is None and episode.role not in self._roles:
                episode.act(scripted_reply(episode.observe(), self._style))
        self.outcome = episode.outcome

    def result(self) -> str:
        """The finished episode, every message once, as the harness's log keeps it."""
        episode, outcome = self.episode, self.outcome
        assert outcome is not None
        return _encode(
            {
                "game": episode.game.name,
                "version": episode.game.version,
                "id": episode.instance["id"],
                "replies": episode.replies,
                "turns": [(turn.role, turn.text, turn.reply) for turn in episode.turns],
                "outcome": outcome.to_dict(),
                "learner_roles": self._roles,
                "partner": self._spec,
                "template": self._learner.template,
            }
        )


class Players:
    """The models of a run: the learner, and one partner for each specification."""

    def __init__(self, lm: LM, stack: contextlib.ExitStack):
        self._lm, self._stack = lm, stack
        self._partners: dict[str, ModelPlayer] = {}
        self.learner = self._steady(ModelPlayer(lm))

    def partner(self, spec: dict[str, Any]) -> ModelPlayer:
        """The partner of a specification; loaded when first asked for."""
        key = json.dumps(spec, sort_keys=True)
        if key not in self._partners:
            self._partners[key] = self._steady(partner_player(spec, self._lm))
        return self._partners[key]

    def _steady(self, player: ModelPlayer) -> ModelPlayer:
        self._stack.enter_context(player.steady())
        return player


def _settings(given: dict[str, Any]) -> dict[str, Any]:
    settings = dict(given)
    limits = [limit for name in _TOKEN_LIMITS if (limit := settings.pop(name, None)) is not None]
    settings["max_gen_toks"] = int(limits[0]) if limits else MAX_TOKENS
    until = settings.get("until") or []
    settings["until"] = [until] if isinstance(until, str) else until
    return settings


def playpen_dialogue(lm: LM, requests: Sequence[Any]) -> list[str]:
    """Plays one episode for each request; every round asks each model once, for all episodes that wait for it.

    Args:
        lm: The model under evaluation.
        requests: The harness's requests of type `playpen_dialogue`. One that is there twice is played twice.

    Returns:
        One JSON text per request: game, version, id, replies, turns (role, what it was told, reply), outcome,
        learner_roles, partner, template (`chat` or `plain`).
    """
    with contextlib.ExitStack() as stack:
        players = Players(lm, stack)
        plays = [Play(request, players) for request in requests]
        live = [play for play in plays if play.outcome is None]
        turn = 0
        while live:
            turn += 1
            if lm.rank == 0:
                log.info("turn %d: %d of %d episodes go on", turn, len(live), len(plays))
            batches: dict[ModelPlayer, list[Play]] = {}
            for play in live:
                batches.setdefault(play.player, []).append(play)
            for player, batch in batches.items():
                answers = player([(play.episode.observe(), play.settings) for play in batch])
                for play, answer in zip(batch, answers, strict=True):
                    play.take(answer)
            live = [play for play in live if play.outcome is None]
        return [play.result() for play in plays]


def install() -> None:
    """Gives every model of the harness the method `playpen_dialogue`."""
    setattr(LM, REQUEST_TYPE, playpen_dialogue)


install()
