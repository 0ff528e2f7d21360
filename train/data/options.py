"""What the command line says, as the objects that make a data set."""

from __future__ import annotations

import math
from argparse import Namespace
from pathlib import Path

from playpen_eval.errors import UserError, unknown
from playpen_eval.game import Game
from playpen_eval.instances import SPLITS, load_instances
from playpen_eval.players import SELF, scripted_style
from playpen_eval.registry import load_game, load_games, shipped_games

from ..players import Player, Slips, check_rate, endpoint_player, erring_player, sampler_player, scripted_player
from ..rewards import Shaping
from .branching import Branching
from .fresh import Cast
from .make import FreshPlay, Recipe
from .pairs import CAP, CAPS, Pairing
from .policy import Policy
from .records import FORMATS
from .selection import Selection
from .sources import Request

OUTCOMES = ("success", "lose", "aborted")
LEARNER = "learner"


def policy(args: Namespace) -> Policy:
    """What may be trained on."""
    return Policy(args.allow_heldout, args.allow_validation)


def recipe(args: Namespace) -> Recipe:
    """What becomes of the dialogues.

    Raises:
        UserError: An option has no such value.
    """
    if args.format not in FORMATS:
        raise unknown("format", args.format, FORMATS)
    for kind in args.outcomes:
        if kind not in OUTCOMES:
            raise unknown("outcome", kind, OUTCOMES)
    for name in ("top", "negatives", "limit", "repeats", "max_tokens", "batch", "branch", "continuations"):
        value = getattr(args, name)
        if value is not None and value < 1:
            raise UserError(f"--{name.replace('_', '-')} must be at least 1, not {value}")
    cap, caps = _caps(args.cap)
    selection = Selection(
        tuple(args.outcomes), args.min_score, args.top, tuple(args.ranking), _balance(args.balance), args.seed
    )
    pairing = Pairing(
        args.format == "turn-pairs", not args.no_aborted, args.negatives, cap, caps, args.cap_first_turns, args.seed
    )
    for name in ("abort", "credit"):
        if not math.isfinite(getattr(args, name)):
            raise UserError(f"--{name} must be a number, not {getattr(args, name)}")
    return Recipe(args.format, selection, pairing, Shaping(args.value, args.abort, args.credit))


def _balance(text: str | None) -> int | None:
    if text is None or text == "min":
        return None if text is None else 0
    if not (text.isascii() and text.isdigit() and int(text)):
        raise UserError(f"--balance takes a number or `min`, not {text!r}")
    return int(text)


def _caps(given: list[str]) -> tuple[int, dict[str, int]]:
    cap, caps = CAP, dict(CAPS)
    for text in given:
        game, _, number = text.rpartition("=")
        if not (number.isascii() and number.isdigit() and int(number)):
            raise UserError(f"--cap takes N or GAME=N, not {text!r}")
        if game:
            caps[load_game(game).name] = int(number)
        else:
            cap, caps = int(number), {}
    return cap, caps


def request(args: Namespace, policy: Policy) -> Request:
    """What is wanted of sources."""
    if args.branch is not None:
        raise UserError("--branch needs somebody to play on: it goes with --play, not with sources")
    games = load_games(*args.games) if args.games else {}
    for game in games.values():
        policy.check_game(game)
    seats = {seat for seat in args.seats if seat != LEARNER}
    known = {role for game in load_games().values() for role in game.roles}
    for seat in seats - known:
        raise unknown("role", seat, known)
    return Request(policy, tuple(games), tuple(seats), args.clembench, LEARNER in args.seats)


def fresh_play(args: Namespace, policy: Policy) -> FreshPlay:
    """What is played.

    Raises:
        UserError: A game may not be trained on, or a player does not exist.
    """
    if args.play == ["all"]:
        # Games of other suites are trained on by themselves; those of no suite are the user's own.
        shipped = {name: game for name, game in shipped_games().items() if game.suite in ("playpen", "")}
        games = {name: game for name, game in shipped.items() if policy.allow_heldout or not game.held_out}
    else:
        games = load_games(*args.play)
    for game in games.values():
        policy.check_game(game)
    check_rate("--error-rate", args.error_rate)
    if not (math.isfinite(args.temperature) and args.temperature >= 0):
        raise UserError(f"--temperature must be 0 or more, not {args.temperature}")
    for game in games.values():
        if args.instances in SPLITS and game.sizes and not game.sizes.get(args.instances):
            raise UserError(
                f"{game.name} ships no {args.instances} instances; make some with `playpen-eval generate {game.name}` "
                "and name the file with --instances"
            )
    sets = [(game, load_instances(game, args.instances)) for game in games.values()]
    slips = Slips([(game, found.instances) for game, found in sets]) if _slips(args) else None
    learner = _player(args.player, args.base_url, args, slips)
    partner = learner
    if args.partner != SELF:
        partner = _player(args.partner, args.partner_base_url or args.base_url, args, None, errs=False)
    names = (_name(args), _name(args) if args.partner == SELF else args.partner)
    cast = Cast(learner, partner, names, {name: _roles(game, args.seats) for name, game in games.items()})
    identity = {
        "games": {game.name: {"version": game.version, "sha256": found.sha256} for game, found in sets},
        "players": names,
        "seats": dict(cast.seats),
        "instances": args.instances,
        "temperature": args.temperature,
        "max_tokens": args.max_tokens,
    }
    return FreshPlay(sets, cast, args.limit, args.repeats, args.seed, args.batch, identity)


def branching(args: Namespace, recipe: Recipe) -> Branching | None:
    """How to branch; None if not asked for.

    Raises:
        UserError: The budget allows no copy.
    """
    if args.branch is None:
        return None
    if args.branch_budget is not None and args.branch_budget < 1:
        raise UserError(f"--branch-budget must be at least 1, not {args.branch_budget}")
    return Branching(args.branch, args.branch_budget, args.continuations, 0.0, args.seed, recipe.shaping)


def _roles(game: Game, seats: list[str]) -> tuple[str, ...]:
    """The seats of one game; a role is looked for in each of the games."""
    if not seats:
        return game.roles
    wanted = {game.learner if seat == LEARNER else seat for seat in seats}
    found = tuple(role for role in game.roles if role in wanted)
    if not found:
        raise unknown(f"role of {game.name}", seats[0], game.roles)
    return found


def _slips(args: Namespace) -> bool:
    return args.error_rate > 0 and args.error == "slip"


def _name(args: Namespace) -> str:
    return f"{args.player}+{args.error}:{args.error_rate:g}" if args.error_rate > 0 else args.player


def _player(spec: str, base_url: str | None, args: Namespace, slips: Slips | None, *, errs: bool = True) -> Player:
    if style := scripted_style(spec):
        if errs and args.error_rate > 0:
            return erring_player(args.error_rate, slips, style)
        return scripted_player(style)
    if errs and args.error_rate > 0:
        raise UserError(f"--error-rate is for scripted players, not for {spec}")
    if spec.startswith("hf:"):
        from ..chat import load_chat
        from ..sampler import HFSampler

        path = spec.removeprefix("hf:")
        if not Path(path).is_dir():
            raise UserError(f"{path!r} is no folder with a model")
        chat = load_chat(path, args.chat_template)
        sampler = HFSampler.load(path, chat.stops)
        limit = getattr(sampler.model.config, "max_position_embeddings", None)
        return sampler_player(
            sampler, chat, max_new_tokens=args.max_tokens, temperature=args.temperature, max_context=limit
        )
    if base_url is None:
        raise UserError(
            f"{spec!r} is no scripted player (scripted, scripted:breaker) and no hf:DIR; it needs --base-url"
        )
    from playpen_eval.endpoint import Endpoint

    return endpoint_player(Endpoint(spec, base_url, args.temperature, args.max_tokens))
