"""Checks that an episode follows from its instance and its replies, and from nothing else."""

from __future__ import annotations

import builtins
import contextlib
import copy
import datetime
import io
import json
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from unittest import mock

from playpen_eval.check.common import Budget, ensure, reply_lists, samples, state
from playpen_eval.episode import Episode
from playpen_eval.game import Game
from playpen_eval.instances import digest
from playpen_eval.registry import load_game


def observing_changes_nothing(game: Game, budget: Budget) -> None:
    """Looking twice shows the same, and what a caller does with it does not reach the episode."""
    for instance in samples(game, budget.instances):
        for replies in reply_lists(game, instance):
            episode = Episode(game, instance)
            for reply in replies:
                before = state(episode)
                episode.observe().messages.clear()
                for message in episode.observe().messages:
                    message["content"] = "changed"
                ensure(state(episode) == before, "observing changed the episode", instance["id"])
                episode.act(reply)


def interleaved_episodes_do_not_meet(game: Game, budget: Budget) -> None:
    """Two episodes played in turns end as they do one after the other, and leave their instances alone."""
    instances = samples(game, budget.instances)
    kept = copy.deepcopy(instances)
    pairs = [(instance, list(replies)) for instance in instances for replies in reply_lists(game, instance)]
    alone = [state(Episode(game, instance, replies)) for instance, replies in pairs]
    episodes = [Episode(game, instance) for instance, _ in pairs]
    for turn in range(max(len(replies) for _, replies in pairs)):
        for episode, (_, replies) in zip(episodes, pairs, strict=True):
            if turn < len(replies):
                episode.act(replies[turn])
    for episode, before, (instance, _) in zip(episodes, alone, pairs, strict=True):
        ensure(state(episode) == before, "another episode in between changed this one", instance["id"])
    ensure(instances == kept, "playing changed an instance")


def copies_and_json_continue_alike(game: Game, budget: Budget) -> None:
    """At every turn a copy, and an episode from JSON, continue exactly as the original does."""
    for instance in samples(game, budget.instances):
        for replies in reply_lists(game, instance):
            episode = Episode(game, instance)
            for turn in range(len(replies) + 1):
                saved = json.loads(json.dumps(episode.to_json(), allow_nan=False))
                for other in (episode.copy(), Episode.from_json(saved, game)):
                    ensure(state(other) == state(episode), "a copy differs", instance["id"], f"turn {turn}")
                    if turn < len(replies):
                        other.act(replies[turn])
                        ensure(len(episode.turns) == turn, "a copy moved the original", instance["id"])
                if turn < len(replies):
                    episode.act(replies[turn])


def touches_nothing_outside(game: Game, budget: Budget) -> None:
    """Playing reads no file, clock, network or global randomness."""
    instances = samples(game, budget.instances)
    pairs = [(instance, list(replies)) for instance in instances for replies in reply_lists(game, instance)]
    before = _global_randomness()
    with _forbidden(game):
        for instance, replies in pairs:
            state(Episode(game, instance, replies))  # metrics may be computed as late as here
    ensure(_global_randomness() == before, "playing used the global random numbers")


def _global_randomness() -> object:
    numpy = sys.modules.get("numpy")
    return random.getstate(), repr(numpy.random.get_state()) if numpy else None


@contextlib.contextmanager
def _forbidden(game: Game) -> Iterator[None]:
    """Makes files, processes, sockets and clocks raise, also where the game's modules imported them by name."""

    def refuse(name: str) -> Callable[..., None]:
        def call(*args: object, **kwargs: object) -> None:
            raise PermissionError(f"a game called {name} while playing")

        return call

    class Never(datetime.datetime):
        now = utcnow = today = refuse("datetime.now")  # type: ignore[assignment]

    outside = [(builtins, "open"), (io, "open"), (os, "open"), (os, "urandom"), (socket, "socket")]
    outside += [(subprocess, "Popen"), *((time, name) for name in ("time", "time_ns", "monotonic", "sleep"))]
    outside += [(time, "monotonic_ns"), (time, "perf_counter"), (time, "perf_counter_ns"), (datetime, "datetime")]
    refused = {
        id(getattr(module, name)): Never if name == "datetime" else refuse(f"{module.__name__}.{name}")
        for module, name in outside
    }
    package = type(game).__module__.rpartition(".")[0] or type(game).__module__
    own = [module for name, module in sys.modules.items() if f"{name}.".startswith(f"{package}.")]
    by_name = [(module, name) for module in own for name, value in vars(module).items() if id(value) in refused]
    with contextlib.ExitStack() as stack:
        for module, name in [*outside, *by_name]:
            stack.enter_context(mock.patch.object(module, name, refused[id(getattr(module, name))]))
        yield


def other_processes_agree(game: Game, budget: Budget) -> None:
    """Processes with other hash seeds play the same episodes alike."""
    episodes = [
        {"instance": instance, "replies": list(replies)}
        for instance in samples(game, budget.instances)
        for replies in reply_lists(game, instance)
    ]
    here = _digest(game, episodes)
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", "from playpen_eval.check.purity import _worker; _worker()", game.name],
            input=json.dumps(episodes),
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            check=False,
        )
        ensure(done.returncode == 0, "another process could not play", done.stderr[-600:])
        ensure(done.stdout.strip() == here, f"a process with PYTHONHASHSEED={seed} played differently")


def _digest(game: Game, episodes: list[dict]) -> str:
    return digest([state(Episode(game, episode["instance"], episode["replies"])) for episode in episodes])


def _worker() -> None:
    print(_digest(load_game(sys.argv[1]), json.load(sys.stdin)))
