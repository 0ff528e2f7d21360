"""Fresh play for a data set: scripts, scripts that err, or models, many episodes side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from playpen_eval.episode import Episode
from playpen_eval.errors import UserError
from playpen_eval.game import Game, Instance

from ..players import Asked, Failure, Player
from .dialogues import Dialogue, Fingerprint, SeatLog, dialogues, fingerprint, replayed
from .files import batched
from .journal import Journal


@dataclass(frozen=True)
class Cast:
    """Who plays.

    Attributes:
        learner: Plays the seats whose side is kept.
        partner: Plays the other ones.
        names: Names of the two, for the data.
        seats: Game -> the learner's roles; all of a game that is not in it.
    """

    learner: Player
    partner: Player
    names: tuple[str, str]
    seats: Mapping[str, tuple[str, ...]]

    def roles(self, game: Game) -> tuple[str, ...]:
        """The learner's roles in a game."""
        return self.seats.get(game.name, game.roles)

    def player_names(self, game: Game) -> dict[str, str]:
        """Role -> name of its player."""
        learner, partner = self.names
        return {role: learner if role in self.roles(game) else partner for role in game.roles}


@dataclass(slots=True)
class TextPlay:
    """One episode that is being played.

    Attributes:
        episode: The episode.
        name: Its name in the data set; with the seed it determines every random choice.
        print: Fingerprint of the instance.
        roles: The learner's seats.
        logs: Their sides so far.
        failure: Why nobody could go on, if so.
    """

    episode: Episode
    name: str
    print: Fingerprint
    roles: tuple[str, ...]
    logs: dict[str, SeatLog] = field(default_factory=dict)
    failure: str | None = None

    def __post_init__(self) -> None:
        if not self.logs:
            self.logs = {role: SeatLog() for role in self.roles}

    @property
    def running(self) -> bool:
        """Whether somebody is to move."""
        return self.episode.outcome is None and self.failure is None


def advance(plays: Sequence[TextPlay], cast: Cast, seed: str) -> None:
    """One reply in every running episode."""
    for player, mine in ((cast.learner, True), (cast.partner, False)):
        group = [play for play in plays if play.running and (play.episode.role in play.roles) == mine]
        if not group:
            continue
        asked = [Asked(play.episode.observe(), f"{seed}/{play.name}/{len(play.episode.turns)}") for play in group]
        for play, one, reply in zip(group, asked, player(asked), strict=True):
            if isinstance(reply, Failure):
                play.failure = reply.reason
                continue
            play.episode.act(reply)
            if log := play.logs.get(one.observation.role):
                log.take(one.observation, play.episode.turns[-1])


def play_out(plays: Sequence[TextPlay], cast: Cast, seed: str) -> None:
    """Plays to the end of all episodes."""
    while live := [play for play in plays if play.running]:
        advance(live, cast, seed)


def fresh(
    wanted: Iterable[tuple[Game, Instance, int]],
    cast: Cast,
    seed: str,
    failed: Counter[str],
    journal: Journal | None = None,
    batch: int = 256,
) -> Iterator[tuple[TextPlay, list[Dialogue]]]:
    """Plays instances, a batch at a time.

    Args:
        wanted: Game, instance and number of the repeat.
        cast: Who plays.
        seed: Seed of the whole set.
        failed: Takes the reasons why episodes could not be played to their end; those are left out.
        journal: Has the episodes that were played before, and takes the new ones.
        batch: Episodes side by side.

    Raises:
        UserError: A whole batch failed.

    Yields:
        Each finished episode with the dialogues of the learner's seats.
    """
    prints: dict[str, Fingerprint] = {}
    for group in batched(wanted, batch):
        plays = []
        for game, instance, repeat in group:
            print_ = prints.get(instance["id"]) or prints.setdefault(instance["id"], fingerprint(game, instance))
            plays.append(_begin(game, instance, f"{instance['id']}#{repeat}", print_, cast.roles(game), journal))
        while live := [play for play in plays if play.running]:
            advance(live, cast, seed)
            for play in live:
                if journal and play.episode.outcome is not None:
                    journal.add(play.name, play.episode.replies)
        if plays and all(play.failure is not None for play in plays):
            # A server that is gone, or a wrong name: the others would fail as well.
            raise UserError(f"all {len(plays)} episodes side by side failed: {plays[0].failure}")
        for play in plays:
            if play.failure is not None:
                failed[play.failure] += 1
                continue
            names = cast.player_names(play.episode.game)
            yield play, dialogues(play.episode, play.logs, play.print, play.name, names, "play")


def _begin(
    game: Game, instance: Instance, name: str, print_: Fingerprint, roles: tuple[str, ...], journal: Journal | None
) -> TextPlay:
    replies = journal.replies.get(name) if journal else None
    if replies is None:
        return TextPlay(Episode(game, instance), name, print_, roles)
    try:
        episode, logs = replayed(game, instance, replies, roles)
    except UserError as error:
        raise UserError(f"{journal and journal.path}: {name}: {error}; the game has changed, remove the file") from None
    return TextPlay(episode, name, print_, roles, logs)
