"""What `bench_games.py` plays: instances, and the replies that bring them to their end."""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Generator, Iterator
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from playpen_eval.clembench import translate
from playpen_eval.episode import Episode
from playpen_eval.game import Ask, Game, Instance, Outcome
from playpen_eval.instances import load_instances

# Games are found by path, so type checkers cannot follow these modules.
CARDS: Any = importlib.import_module("playpen_eval.games.taboo.cards").CARDS
CLUES: Any = importlib.import_module("playpen_eval.games.taboo.clues")
ALLOWED_LIST: Any = importlib.import_module("playpen_eval.games.wordle.words").ALLOWED_LIST

GUESSES = ("crane", "sloth", "budge", "wimpy", "knife", "jumpy")
"""Six words that every dictionary in use knows; never the target."""

CLEMBENCH_VERSION = "2.0"
PLAYS = 3000
"""Different episodes per case; a repetition that needs more begins again."""


class Unavailable(Exception):
    """A peer cannot be measured; says why and what to do."""


class Play(NamedTuple):
    """An instance and the replies that play it to its end."""

    instance: Instance
    replies: list[str]


class Still(Game):
    """Six fixed asks to two roles: what the engine costs without any rules."""

    name = "still"
    roles = ("first", "second")

    def play(self, instance: Instance) -> Generator[Ask, str, Outcome]:
        for turn in range(6):
            yield Ask(self.roles[turn % 2], "a message of about the length that the later turns of a game have")
        return Outcome.success()


def sentences(rng: Random) -> Iterator[str]:
    """Endless texts of 8 to 12 words, the words as frequent as in the clues of the taboo cards."""
    words = [word for card in CARDS for hint in card.hints for word in hint.split()]
    while True:
        yield " ".join(rng.choices(words, k=rng.randint(8, 12)))


def identity(game: Game, experiment: str, index: int) -> Instance:
    """The engine's fields of an instance, so that transcripts are as long as real ones."""
    name = f"{game.name}/{game.version}/test/{experiment}/bench-{index}"
    return {"id": name, "experiment": experiment, "split": "test"}


def steps_of(game: Game, play: Play) -> tuple[int, str]:
    """After how many replies an episode ends, and how."""
    episode = Episode(game, play.instance)
    for taken, reply in enumerate(play.replies, 1):
        episode.act(reply)
        if episode.outcome is not None:
            return taken, episode.outcome.kind
    return len(play.replies), "unfinished"


def taboo_plays(game: Game, experiment: dict[str, Any] | None) -> tuple[list[Play], list[Play]]:
    """Taboo episodes of six turns that are won in the last one, with different clues in each.

    Args:
        game: Taboo.
        experiment: One of clembench's, whose prompts the second list has.

    Returns:
        The episodes in our own mode, and the same words and replies in clembench mode (empty without experiment).
    """
    rng = Random("taboo")
    texts = sentences(rng)
    targets = [card.target for card in CARDS if card.target.isalpha()]
    own: list[Play] = []
    upstream: list[Play] = []
    for experiment_name in itertools.cycle(game.experiments):
        drawn = game.generate(experiment_name, rng)
        target, related = drawn["target"], drawn["related"]
        wrong = rng.sample([word for word in targets if word != target], 2)
        guesses = [*wrong, target]
        replies = [text for guess in guesses for text in (f"CLUE: {next(texts)}", f"GUESS: {guess}")]
        play = Play(identity(game, experiment_name, len(own)) | drawn, replies)
        if drawn["tries"] != 3 or steps_of(game, play) != (6, "success"):
            continue  # a clue happens to say a forbidden word
        if experiment is not None:
            row = {"game_id": len(own), "target_word": target, "related_word": related}
            twin = Play(translate(game, experiment, row, CLEMBENCH_VERSION), replies)
            if steps_of(game, twin) != (6, "success"):
                continue
            upstream.append(twin)
        own.append(play)
        if len(own) == PLAYS:
            return own, upstream
    raise AssertionError("the loop above ends by itself")


def wordle_plays(game: Game, data: Path | None) -> list[Play]:
    """Wordle episodes that are lost after the six fixed guesses, with different explanations in each.

    Args:
        game: Wordle.
        data: A clembench folder, to play its instances in clembench mode.
    """
    rng = Random("wordle")
    texts = sentences(rng)
    if data is None:
        instances = []
        for index in range(PLAYS):
            experiment = game.experiments[index % len(game.experiments)]
            instances.append(identity(game, experiment, index) | game.generate(experiment, rng))
    else:
        instances = load_instances(game, f"clembench:{data}@v{CLEMBENCH_VERSION}").instances
    instances = [instance for instance in instances if instance["target"] not in GUESSES]
    plays = []
    for instance in itertools.islice(itertools.cycle(instances), PLAYS):
        plays.append(Play(instance, [f"explanation: {next(texts)}\nguess: {guess}" for guess in GUESSES]))
    for play in plays:
        if steps_of(game, play) != (6, "lose"):
            raise Unavailable(f"wordle does not take the six guesses in {play.instance['id']!r}; change GUESSES")
    return plays
