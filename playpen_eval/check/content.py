"""Checks of what a game declares, of its instances and of who may know what."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Any

from playpen_eval.check.common import Budget, ensure, reply_lists, samples, splits
from playpen_eval.episode import Episode
from playpen_eval.game import Game, Instance, content
from playpen_eval.instances import digest, generate, make_split, shipped_file, split_of

_NAME = re.compile(r"[a-z][a-z0-9_]*")


def declares_what_the_engine_needs(game: Game, budget: Budget) -> None:
    """Name, version, roles, learner, experiments and visible fields are there and fit together."""
    ensure(_NAME.fullmatch(game.name), "the name is not lower case with underscores", game.name)
    ensure(isinstance(game.version, int) and game.version > 0, "the version is not a positive integer", game.version)
    ensure(game.roles and len(set(game.roles)) == len(game.roles), "the roles are missing or not distinct", game.roles)
    ensure(game.learner in game.roles, "the learner is none of the roles", game.learner)
    ensure(game.summary.endswith("."), "the class's docstring does not begin with a sentence", game.summary)
    ensure(set(game.visible) == set(game.roles), "`visible` does not name every role", dict(game.visible))
    ensure(len(set(game.experiments)) == len(game.experiments), "experiments are not distinct", game.experiments)
    ensure(game.sizes.get("test"), "there is no test split", dict(game.sizes))


def instances_come_from_the_generator(game: Game, budget: Budget) -> None:
    """Shipped sets are complete, distinct and what the generator makes; another seed makes another stream."""
    for split, instances in splits(game).items():
        ids = [instance["id"] for instance in instances]
        ensure(len(set(ids)) == len(ids), f"the {split} split has an id twice")
        expected = game.sizes[split] * len(game.experiments)
        ensure(len(ids) == expected, f"the {split} split has {len(ids)} instances, not {expected}")
        contents = {digest([instance["experiment"], content(instance)]) for instance in instances}
        ensure(len(contents) == len(ids), f"the {split} split has the same content twice")
        if shipped_file(game, split):
            ensure(
                instances == make_split(game, split),
                f"the shipped {split} file is not what the generator makes; "
                f"raise the version and run: playpen-eval generate {game.name} --ship",
            )
    experiment = game.experiments[0]
    streams = [list(itertools.islice(generate(game, "train", experiment, seed), 20)) for seed in ("0", "1")]
    if len(streams[0]) == 20:
        ensure(
            [content(i) for i in streams[0]] != [content(i) for i in streams[1]],
            "two seeds generate the same instances in the same order",
        )


def splits_share_no_content(game: Game, budget: Budget) -> None:
    """No key (target word, board) is in two splits, by content and not only by id."""
    owner: dict[str, str] = {}
    for split, instances in splits(game).items():
        for instance in instances:
            key = game.key(instance)
            ensure(split_of(key) == split, f"{instance['id']} belongs to the {split_of(key)} split", key)
            ensure(owner.setdefault(digest(key), split) == split, "two splits share content", key)


def secrets_stay_secret(game: Game, budget: Budget) -> None:
    """No role is told the value of a field that it must not see, unless a player said it first."""
    for instance in samples(game, 5 * budget.instances):
        secrets = {role: _secrets(game, instance, role) for role in game.roles}
        for replies in reply_lists(game, instance):
            episode = Episode(game, instance)
            for reply in [*replies, None]:
                if episode.outcome is not None:
                    break
                _look(episode, secrets)
                if reply is not None:
                    episode.act(reply)


def _secrets(game: Game, instance: Instance, role: str) -> set[str]:
    """What the instance holds and the role must not be told, as far as it is long enough to be recognized."""
    view = game.view(instance, role)
    hidden = {name: value for name, value in content(instance).items() if name not in view}
    return {text for text in set(_texts(hidden)) - set(_texts(view)) if len(text) >= 3}


def _look(episode: Episode, secrets: dict[str, set[str]]) -> None:
    seen = episode.observe()
    shown = seen.messages[-1]["content"]
    told = sorted(secret for secret in secrets[seen.role] if _contains(shown, secret))
    said = " ".join(turn.reply for turn in episode.turns) if told else ""
    for secret in told:
        ensure(_contains(said, secret), f"{seen.role} of {episode.instance['id']} is told the secret {secret!r}", shown)


def _contains(text: str, secret: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(secret)}(?!\w)", text, re.IGNORECASE) is not None


def _texts(value: Any) -> Iterator[str]:
    """All strings anywhere inside JSON data."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from _texts(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _texts(part)
