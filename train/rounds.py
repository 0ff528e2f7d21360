"""A training by rounds: play a round, learn from it, go on; with its log and its checkpoints.

All that a round draws depends on the seed and the number of the round alone, so a run that goes on at a checkpoint ends
with the weights of an unbroken one.
"""
# pyright: reportMissingImports=false

from __future__ import annotations

import json
import shutil
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean as mean
from typing import Any, Protocol

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState

from playpen_eval.episode import Episode
from playpen_eval.errors import UserError
from playpen_eval.game import Game, Instance

from .chains import Chain, chains
from .chat import Chat
from .config import Gate
from .config_lmrl import Rounds
from .mix import Mix
from .partners import SELF, make_partner
from .players import number
from .rollout import FAILED, Settings, play
from .rows import Row
from .sampler import HFSampler
from .session import Session
from .updates import Updates

STATE = "rounds.json"
"""File of a checkpoint that says what is played next."""
_TRAINER_STATE = "trainer_state.json"


class Learner(Protocol):
    """A method.

    Attributes:
        advice: What to do if it does not learn for long.
    """

    advice: str

    def learn(self, found: Sequence[Chain], name: str) -> Mapping[str, float] | None:
        """Learns from a round.

        Args:
            found: Its chains; there may be none.
            name: Names the round for what is drawn.

        Returns:
            Figures for the log; None if there was nothing to learn from.
        """
        ...

    def save(self, folder: Path) -> None:
        """Writes what belongs to a model beside the model."""
        ...

    def restore(self, folder: Path) -> None:
        """Goes on from what `save` wrote."""
        ...


class RoundTrainer:
    """The loop; for `Session.train` it looks like a trainer of TRL's.

    Attributes:
        state: Rounds so far as `global_step`, and the log.
        rows: Those of the last round.
    """

    def __init__(
        self,
        session: Session,
        config: Rounds,
        pools: Sequence[tuple[Game, list[Instance]]],
        chat: Chat,
        updates: Updates,
        learner: Learner,
    ):
        """Args: the run; its recipe; what is played; the learner's template; its model; the method."""
        if session.state.num_processes > 1:
            raise UserError(f"{session.method} runs in one process, not {session.state.num_processes}")
        self._method, self._config, self._chat = session.method, config, chat
        self._updates, self._learner = updates, learner
        self._session = session
        self._mix = Mix(pools, config, Gate(), f"mix/{config.seed}")
        self._partner = make_partner(config, chat, updates.model, session.model)
        self._barren = 0
        self._callbacks: list[TrainerCallback] = []
        self.state = TrainerState(max_steps=config.rounds)
        self.rows: list[Row] = []

    def add_callback(self, callback: TrainerCallback) -> None:
        """Takes one more that is told how far it is."""
        self._callbacks.append(callback)

    def remove_callback(self, callback: type[TrainerCallback]) -> None:
        """There are none but those that were added."""

    def _tell(self, event: str, **more: Any) -> None:
        for callback in self._callbacks:
            getattr(callback, event)(None, self.state, TrainerControl(), **more)

    def train(self, resume_from_checkpoint: str | None = None) -> None:
        """All rounds.

        Raises:
            UserError: For `patience` rounds there was nothing to learn from.
        """
        if resume_from_checkpoint:
            self._restore(Path(resume_from_checkpoint))
        start = time.perf_counter()
        self._tell("on_train_begin")
        while self.state.global_step < self._config.rounds and not self._solved():
            figures = self._round()
            self.state.global_step += 1
            if self.state.global_step % self._config.log_every == 0:
                self._log(figures)
            self._tell("on_step_end")
            if self.state.global_step % self._config.save_every == 0:
                self._checkpoint()
            if self._barren >= self._config.patience and not self._solved():
                raise UserError(
                    f"there was nothing to learn from the last {self._barren} rounds ({_describe(self.rows)}): "
                    f"{self._learner.advice}"
                )
        if self._solved():
            print(f"all games are won, so it stopped after {self.state.global_step} rounds", file=sys.stderr)
        self._log({"train_runtime": time.perf_counter() - start})
        self._tell("on_train_end")

    def _solved(self) -> bool:
        """Whether nothing is left to learn, because all episodes are won alike."""
        told = [row for row in self.rows if row.meta.kind != FAILED]
        return self._barren >= self._config.patience and bool(told) and all(row.meta.kind == "success" for row in told)

    def _round(self) -> dict[str, float]:
        name = f"{self._method}/{self._config.seed}/{self.state.global_step}"
        start = time.perf_counter()
        self.rows = self._play(name)
        played = time.perf_counter()
        torch.manual_seed(number(name))  # of dropout
        found = chains(self.rows, self._config.paid)
        learned = self._learner.learn(found, name)
        self._barren = self._barren + 1 if learned is None else 0
        figures = {"learning_rate": float(self._updates.schedule.get_last_lr()[0])}
        if learned is not None:
            self._updates.next_round()
        figures |= {"seconds/play": played - start, "seconds/update": time.perf_counter() - played}
        return figures | play_figures(self.rows, found) | dict(learned or {})

    def _play(self, name: str) -> list[Row]:
        """The rows of the learner's own seats."""
        config = self._config
        everybody = config.partner == SELF or config.learner == "self"
        units = self._mix.draw(config.episodes // config.group_size)
        plays = [unit for unit in units for _ in range(config.group_size)]
        settings = Settings(
            max_new_tokens=config.max_new_tokens,
            temperature=config.temperature,
            max_context=config.max_length,
            seed=name,
            shaping=config.reward,
            partner=config.partner,
        )
        limits = {"batch_size": config.generate_batch, "batch_tokens": config.generate_tokens}
        sampler = HFSampler(self._updates.model, self._chat.stops, **limits)
        episodes = [Episode(unit.game, unit.instance) for unit in plays]
        seats = [unit.game.roles if everybody else unit.seats for unit in plays]
        with self._updates.precision():
            rows = play(episodes, seats, sampler, self._chat, settings, self._partner)
        own = {(f"{name}/{place}", seat) for place, unit in enumerate(plays) for seat in unit.seats}
        return [row for row in rows if (row.meta.episode, row.meta.seat) in own]

    def _log(self, figures: Mapping[str, float]) -> None:
        self.state.log_history.append({**figures, "step": self.state.global_step})
        self._tell("on_log", logs=dict(figures))

    def save_model(self, output_dir: str) -> None:
        """Writes the model, its tokenizer, and what the method has beside them."""
        folder = Path(output_dir)
        self._updates.model.save_pretrained(folder)
        self._chat.tokenizer.save_pretrained(folder)
        self._learner.save(folder)

    def _checkpoint(self) -> None:
        """A folder that is a model and all that is needed to go on; whole once the trainer's state is in it."""
        folder = self._session.output / f"checkpoint-{self.state.global_step}"
        shutil.rmtree(folder, ignore_errors=True)
        self.save_model(str(folder))
        self._updates.save(folder)
        state = {"mix": self._mix.state(), "barren": self._barren}
        (folder / STATE).write_text(json.dumps(state) + "\n", encoding="utf-8")
        self.state.save_to_json(str(folder / _TRAINER_STATE))
        self._session.drop_old_checkpoints()

    def _restore(self, folder: Path) -> None:
        self.state = TrainerState.load_from_json(str(folder / _TRAINER_STATE))
        state = json.loads((folder / STATE).read_text(encoding="utf-8"))
        self._mix.restore(state["mix"])
        self._barren = state["barren"]
        self._updates.restore(folder)
        self._learner.restore(folder)


def play_figures(rows: Sequence[Row], found: Sequence[Chain]) -> dict[str, float]:
    """What is logged of a round: how its episodes ended, and of those that count the return, the tokens and the turns.

    Args:
        rows: All rows of the round.
        found: Their chains.
    """
    figures: dict[str, float] = {}
    if found:
        figures["return"] = mean(sum(chain.rewards) for chain in found)
    for name, ends in _ends(rows).items():
        told = [kind for kind in ends if kind != FAILED]
        own = [chain for chain in found if chain.rows[0].meta.game == name]
        shares = {
            "return": [sum(chain.rewards) for chain in own],
            "success": [kind == "success" for kind in told],
            "aborted": [kind == "aborted" for kind in told],
            "failed": [kind == FAILED for kind in ends],
            "length": [len(chain) for chain in own],
            "turns": [sum(len(row.turn_rewards) for row in chain.rows) for chain in own],
        }
        figures |= {f"game/{name}/{key}": float(mean(values)) for key, values in shares.items() if values}
    return figures


def _ends(rows: Sequence[Row]) -> dict[str, list[str]]:
    """Game -> how each seat's episode ended."""
    kinds = {(row.meta.game, row.meta.episode, row.meta.seat): row.meta.kind for row in rows}
    ends: dict[str, list[str]] = defaultdict(list)
    for (game, _, _), kind in kinds.items():
        ends[game].append(kind)
    return ends


def _describe(rows: Sequence[Row]) -> str:
    """How the episodes of a round ended, for people."""
    counts = {name: Counter(ends) for name, ends in _ends(rows).items()}
    return "; ".join(
        f"{name}: " + ", ".join(f"{count} {kind}" for kind, count in own.items()) for name, own in counts.items()
    )
