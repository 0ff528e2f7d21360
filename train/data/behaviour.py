"""Data sets of behaviour policies: programs play, and what the learner's seat was told, said and was paid is kept.

The seed decides everything that is played, so an interrupted making that goes on ends with the bytes of an unbroken
one.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from playpen_eval.episode import Episode
from playpen_eval.errors import UserError, unknown
from playpen_eval.game import Game, Instance
from playpen_eval.instances import SPLITS, generate, load_instances

from ..rewards import Shaping
from .dialogues import Dialogue, SeatLog, dialogues, fingerprint
from .draft import Draft
from .files import batched
from .manifest import read_manifest, write_manifest
from .policy import Policy
from .records import whole_chats

EPOCH = 10_000
"""Instances of an experiment that are drawn without repetition. A game that has fewer begins again; one that has more
goes on with others, among which one of before may come up again, as it would take memory to know them all."""
_CHUNK = 250
"""Episodes that a killed process loses at most."""

Drawn = tuple[Instance, int]
"""An instance, and how often it was played before."""


@dataclass(frozen=True)
class Behaviour:
    """What is played.

    Attributes:
        game: The game.
        policy: One of its behaviour policies.
        episodes: How many.
        split: Of which split the instances are generated, without end.
        source: Instances to play in turn instead: a split for the shipped ones, FILE.jsonl, or a folder.
        experiments: Only these; all if empty.
        seed: Of the generated instances and of the policy.
    """

    game: Game
    policy: str
    episodes: int
    split: str = "train"
    source: str | None = None
    experiments: tuple[str, ...] = ()
    seed: str = "0"

    def check(self, allowed: Policy) -> None:
        """Raises a `UserError` if it cannot be played, or must not be trained on."""
        self.game.check_policy(self.policy)
        allowed.check_game(self.game)
        if self.episodes < 1:
            raise UserError(f"-n must be at least 1, not {self.episodes}")
        for name in self.experiments:
            if name not in self.game.experiments:
                raise unknown(f"experiment of {self.game.name}", name, self.game.experiments)
        if self.split not in SPLITS:
            raise unknown("split", self.split, SPLITS)
        if self.split == "test":
            raise UserError("instances of the test split are never trained on; use train")
        if self.split == "validation" and not allowed.allow_validation:
            raise UserError("the validation split is kept to choose by; --allow-validation lets it be trained on")

    def draw(self, allowed: Policy) -> tuple[Iterator[Drawn], dict[str, Any]]:
        """The instances, without end, and where they come from.

        Raises:
            UserError: There are none.
        """
        game, experiments = self.game, self.experiments or self.game.experiments
        if self.source is None:
            streams = [_endless(game, self.split, name, self.seed) for name in experiments]
            mixed = itertools.chain.from_iterable(zip(*streams))
            return mixed, {"split": self.split, "experiments": list(experiments)}
        found = load_instances(game, self.source)
        left_out: Counter[str] = Counter()
        kept = []
        for instance in found.instances:
            if instance["experiment"] not in experiments:
                left_out["another experiment"] += 1
            elif refused := allowed.refusal(game, instance):
                left_out[refused] += 1
            else:
                kept.append(instance)
        if not kept:
            raise UserError(f"{game.name}: no instance of {self.source!r} may be trained on ({dict(left_out)})")
        return _in_turn(kept), {"instances": found.source, "sha256": found.sha256, "experiments": list(experiments)}


def _endless(game: Game, split: str, experiment: str, seed: str) -> Iterator[Drawn]:
    for epoch in itertools.count():
        found = []
        stream = generate(game, split, experiment, f"{seed}.{epoch}" if epoch else seed)
        for instance in itertools.islice(stream, EPOCH):
            found.append(instance)
            yield instance, 0
        if not found:
            raise UserError(f"{game.name} has no instance of {experiment} in the {split} split")
        if len(found) < EPOCH:
            yield from _in_turn(found, 1)


def _in_turn(instances: Sequence[Instance], first: int = 0) -> Iterator[Drawn]:
    return ((instance, repeat) for repeat in itertools.count(first) for instance in instances)


@dataclass
class Totals:
    """Counts over the episodes, of constant size; what the manifest tells.

    Attributes:
        game: Name of the game.
        player: Who played.
        episodes: Episodes.
        instances: Instances that were played for the first time.
        records: Records.
        turns: Turns of the learner.
        kinds: How episodes ended -> records.
        ends: How episodes ended -> episodes.
        by_split: Split -> records.
        seats: Seat -> records.
        paid: Sum of the returns.
        squares: Sum of their squares.
    """

    game: str
    player: str
    episodes: int = 0
    instances: int = 0
    records: int = 0
    turns: int = 0
    kinds: dict[str, int] = field(default_factory=dict)
    ends: dict[str, int] = field(default_factory=dict)
    by_split: dict[str, int] = field(default_factory=dict)
    seats: dict[str, int] = field(default_factory=dict)
    paid: float = 0.0
    squares: float = 0.0

    def add(self, side: Dialogue, repeat: int, records: int) -> None:
        """Counts an episode."""
        value, meta = sum(side.credit), side.meta
        self.episodes += 1
        self.instances += repeat == 0
        self.records += records
        self.turns += len(side.steps)
        self.ends[meta.kind] = self.ends.get(meta.kind, 0) + 1
        for counts, name in ((self.kinds, meta.kind), (self.by_split, meta.split), (self.seats, meta.seat)):
            counts[name] = counts.get(name, 0) + records
        self.paid += value
        self.squares += value * value

    def games(self) -> dict[str, dict[str, Any]]:
        """The counts of the game."""
        return {
            self.game: {
                "records": self.records,
                "episodes": self.episodes,
                "instances": self.instances,
                "learned_turns": self.turns,
                "kinds": dict(sorted(self.kinds.items())),
                "seats": dict(sorted(self.seats.items())),
                "players": {self.player: self.records},
            }
        }

    def splits(self) -> dict[str, int]:
        """Records by split."""
        return dict(sorted(self.by_split.items()))

    def figures(self) -> dict[str, Any]:
        """What an episode is like. The return is what it was paid, up to where the policy stopped."""
        mean = self.paid / self.episodes
        return {
            "mean_return": mean,
            "sd_return": math.sqrt(max(0.0, self.squares / self.episodes - mean * mean)),
            "success_rate": self.ends.get("success", 0) / self.episodes,
            "mean_turns": self.turns / self.episodes,
            "ends": dict(sorted(self.ends.items())),
        }


def make_from_policy(
    output: Path, behaviour: Behaviour, allowed: Policy, *, resume: bool, progress: Callable[[int], None]
) -> dict[str, Any]:
    """Makes a data set of episodes by a behaviour policy, a chunk at a time.

    Args:
        output: The file.
        behaviour: What is played.
        allowed: What may be trained on.
        resume: Go on with an interrupted making of the same data set.
        progress: Called with the number of all episodes, negative, then with numbers of episodes that are there.

    Returns:
        The manifest.

    Raises:
        UserError: It cannot be played or must not be trained on, the file is there, or was begun and `resume` is not
            given.
    """
    behaviour.check(allowed)
    game, seed = behaviour.game, behaviour.seed
    drawn, source = behaviour.draw(allowed)
    identity = {"game": game.name, "version": game.version, "policy": behaviour.policy, "episodes": behaviour.episodes}
    identity |= {"seed": seed, **source}
    if output.exists() and not Draft.of(output):
        manifest = read_manifest(output) if resume else None
        if manifest and manifest.get("behaviour") == identity:
            return manifest
        raise UserError(f"{output} exists; remove it or choose another -o")
    progress(-behaviour.episodes)
    with Draft(output, identity, resume=resume) as draft:
        totals = Totals(**draft.told) if draft.told else Totals(game.name, _player(behaviour.policy))
        progress(totals.episodes)
        for chunk in batched(itertools.islice(drawn, totals.episodes, behaviour.episodes), _CHUNK):
            for instance, repeat in chunk:
                side = _side(game, behaviour.policy, instance, f"{behaviour.policy}/{seed}/{repeat}")
                records = [draft.put(record) for record in whole_chats([side], Shaping())]
                totals.add(side, repeat, len(records))
                progress(1)
            draft.commit(asdict(totals))
        draft.finish()
        manifest = write_manifest(output, totals, {"behaviour": identity, "seed": seed, "figures": totals.figures()})
        draft.remove()
    return manifest


def _player(policy: str) -> str:
    return f"policy:{policy}"


def _side(game: Game, policy: str, instance: Instance, number: str) -> Dialogue:
    """The learner's side of one episode; its name determines every random choice."""
    name = f"{instance['id']}#{number}"
    episode, log = Episode(game, instance), SeatLog()
    for reply in game.behave(policy, instance, Random(name)):
        if episode.outcome is not None:
            raise UserError(f"{game.name}: the policy {policy} goes on after the end of {name}; see playpen-eval check")
        observation = episode.observe() if episode.role == game.learner else None
        episode.act(reply)
        if observation:
            log.take(observation, episode.turns[-1])
    players = dict.fromkeys(game.roles, _player(policy))
    for side in dialogues(episode, {game.learner: log}, fingerprint(game, instance), name, players, "policy"):
        return side
    raise UserError(f"{game.name}: the policy {policy} says nothing in {name}; see playpen-eval check")
