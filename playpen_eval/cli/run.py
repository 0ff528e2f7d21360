"""`playpen-eval run`."""
# pyright: reportMissingImports=false

from __future__ import annotations

import argparse
import json
import math
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from playpen_eval.reply_cache import ReplyCache
    from playpen_eval.run import Job, Reply, RunFolder
    from playpen_eval.train.chat import Chat
    from playpen_eval.train.players import Player

SUMMARY = "play games without a harness: scripted players, a local model, or one behind an OpenAI-compatible endpoint"
LOCAL = "local:"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("games", nargs="*", metavar="GAME")
    parser.add_argument("--all", action="store_true", help="play every game")
    parser.add_argument("--model", required=True, help="scripted, local:DIR, or the endpoint's name of a model")
    parser.add_argument("--base-url", metavar="URL", help="such as http://127.0.0.1:8000/v1; key in OPENAI_API_KEY")
    parser.add_argument("--partner", default="self", help="who takes the other roles: self (default), or as --model")
    parser.add_argument("--partner-base-url", metavar="URL", help="default: --base-url")
    parser.add_argument(
        "--partner-cache",
        type=Path,
        metavar="FILE",
        help="repeat the replies of a partner behind an endpoint from this .jsonl file, and add new ones to it",
    )
    parser.add_argument("--role", help="the learner's role beside a partner (default: the game's own choice)")
    parser.add_argument(
        "--instances", default="test", help="a split, clembench:DIR@v2.0, FILE.jsonl, or a folder (default: test)"
    )
    parser.add_argument("--experiment", help="only this experiment")
    parser.add_argument("--limit", type=int, metavar="N", help="only the first N instances of each game")
    parser.add_argument("--temperature", type=float, default=0.0, help="(default: %(default)s)")
    parser.add_argument("--max-tokens", type=int, default=300, help="tokens of one reply (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of a local model's sampling (default: %(default)s)")
    parser.add_argument(
        "--concurrency", type=int, metavar="N", help="episodes at a time (default: 16; with a local model 256)"
    )
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="a run there is continued")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def run(args: argparse.Namespace) -> int:
    """Plays, and prints the result table."""
    import asyncio

    from playpen_eval.errors import UserError
    from playpen_eval.grid import show
    from playpen_eval.instances import load_instances
    from playpen_eval.registry import load_games, shipped_games
    from playpen_eval.report import figures, games_grid
    from playpen_eval.run import RunFolder, describe, make_jobs

    if bool(args.games) == args.all:
        raise UserError("name the games to play, or give --all")
    for name in ("limit", "concurrency", "max_tokens"):
        value = getattr(args, name)
        if value is not None and value < 1:
            raise UserError(f"--{name.replace('_', '-')} must be at least 1, not {value}")
    if not (math.isfinite(args.temperature) and args.temperature >= 0):
        raise UserError(f"--temperature must be 0 or more, not {args.temperature}")
    if args.partner_cache and (args.partner == "self" or args.partner.startswith(("scripted", LOCAL))):
        raise UserError(f"--partner-cache is for a partner behind an endpoint, not for {args.partner!r}")
    games = load_games(*args.games) if args.games else shipped_games()
    sets = {name: load_instances(game, args.instances, args.experiment) for name, game in games.items()}
    jobs = make_jobs(games, sets, args.partner, args.role, args.limit)
    local = any(player.startswith(LOCAL) for player in (args.model, args.partner))
    settings = {
        "model": args.model,
        "base_url": args.base_url,
        "partner": args.partner,
        "partner_base_url": args.partner_base_url,
        "experiment": args.experiment,
        "temperature": args.temperature,
        "max_tokens": args.max_tokens,
        **({"seed": args.seed} if local else {}),
        **({"partner_cache": str(args.partner_cache)} if args.partner_cache else {}),
    }
    folder = RunFolder(args.output, describe(jobs, settings), {job.game.name: len(job.wanted) for job in jobs})
    try:
        folder.verify(jobs)
        with _partner_cache(args) as cache:
            _play_local(args, jobs, folder, cache) if local else asyncio.run(_play(args, jobs, folder, cache))
        scores = folder.scores(jobs)
    finally:
        folder.close()
    if args.json:
        print(json.dumps(figures(scores), indent=1, allow_nan=False))
    else:
        show(games_grid(scores, f"{args.model}, partner {args.partner}, {args.instances}"))
    return 0


@contextmanager
def _progress(jobs: list[Job], folder: RunFolder) -> Iterator[Callable[[], None]]:
    """A bar on stderr; what it gives is called after each episode."""
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("episodes"), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        total = sum(len(job.wanted) for job in jobs)
        done = sum(instance["id"] in folder.records for job in jobs for instance in job.wanted)
        task = progress.add_task("", total=total, completed=done)
        yield lambda: progress.advance(task)


@contextmanager
def _partner_cache(args: argparse.Namespace) -> Iterator[ReplyCache | None]:
    from playpen_eval.reply_cache import ReplyCache

    if args.partner_cache is None:
        yield None
        return
    cache = ReplyCache(args.partner_cache, args.partner, args.temperature, args.max_tokens)
    try:
        yield cache
    finally:
        cache.close()


async def _play(args: argparse.Namespace, jobs: list[Job], folder: RunFolder, cache: ReplyCache | None) -> None:
    from playpen_eval.run import play_jobs

    learner, close_learner = _seat(args.model, args.base_url, args)
    if args.partner == "self":
        partner, close_partner = learner, None
    else:
        partner, close_partner = _seat(args.partner, args.partner_base_url or args.base_url, args)
    partner = cache.reply(partner) if cache else partner
    with _progress(jobs, folder) as on_done:
        try:
            await play_jobs(jobs, folder, learner, partner, args.concurrency or 16, on_done)
        finally:
            for close in filter(None, (close_learner, close_partner)):
                await close()


def _play_local(args: argparse.Namespace, jobs: list[Job], folder: RunFolder, cache: ReplyCache | None) -> None:
    """Plays as training plays: many episodes in step, one call of generate for all of them."""
    from playpen_eval.run import play_jobs_in_step

    if all(instance["id"] in folder.records for job in jobs for instance in job.wanted):
        return
    batch = args.concurrency or 256
    learner, weights = _player(args.model, args.base_url, args, batch)
    folder.tell(weights)
    partner = learner
    if args.partner not in ("self", args.model):
        partner, _ = _player(args.partner, args.partner_base_url or args.base_url, args, batch)
    partner = cache.player(partner) if cache else partner
    with _progress(jobs, folder) as on_done:
        play_jobs_in_step(jobs, folder, learner, partner, batch, str(args.seed), on_done)


def _player(
    spec: str, base_url: str | None, args: argparse.Namespace, batch: int
) -> tuple[Player, dict[str, str | None]]:
    """A player that answers batches, and for a local model the precision of its weights."""
    from playpen_eval.endpoint import Endpoint
    from playpen_eval.errors import UserError, require
    from playpen_eval.players import scripted_style
    from playpen_eval.train.chat import load_chat
    from playpen_eval.train.players import endpoint_player, sampler_player, scripted_player
    from playpen_eval.train.sampler import HFSampler
    from playpen_eval.train.session import quiet

    if style := scripted_style(spec):
        return scripted_player(style), {}
    if not spec.startswith(LOCAL):
        if base_url is None:
            raise UserError(f"{spec!r} is no scripted player and no local:DIR; a model needs --base-url")
        return endpoint_player(Endpoint(spec, base_url, args.temperature, args.max_tokens)), {}
    quiet()
    path = spec.removeprefix(LOCAL)
    if not Path(path).is_dir():
        raise UserError(f"{spec}: there is no folder {path}")
    require("transformers", "hf").utils.logging.disable_progress_bar()
    chat = load_chat(path)
    _tell_template(path, chat)
    sampler = HFSampler.load(path, chat.stops, batch_size=batch)
    context = getattr(sampler.model.config, "max_position_embeddings", None)
    player = sampler_player(
        sampler, chat, max_new_tokens=args.max_tokens, temperature=args.temperature, max_context=context
    )
    return player, _precision(sampler.model)


def _precision(model: Any) -> dict[str, str | None]:
    """Number format and quantization of loaded weights, as `RunMeta` has them."""
    from playpen_eval.runs.collect import precision

    told = getattr(model.config, "quantization_config", None) or {}
    told = told if isinstance(told, dict) else told.to_dict()
    dtype, quantization = precision({"dtype": model.dtype, "quantization": told.get("quant_method"), **told})
    return {"dtype": dtype, "quantization": quantization}


def _tell_template(path: str, chat: Chat) -> None:
    import sys

    if chat.template != "own":
        print(f"{path}: its template rewrites history; played with TRL's for training, as in training", file=sys.stderr)


def _seat(
    player: str, base_url: str | None, args: argparse.Namespace
) -> tuple[Reply, Callable[[], Awaitable[None]] | None]:
    """How a player answers, and how to close its connections (None for a script)."""
    from playpen_eval.endpoint import Endpoint
    from playpen_eval.errors import UserError
    from playpen_eval.players import scripted_reply, scripted_style

    if style := scripted_style(player):

        async def reply(observation) -> str:
            return scripted_reply(observation, style)

        return reply, None
    if base_url is None:
        raise UserError(
            f"{player!r} is no scripted player (scripted, scripted:breaker) and no local:DIR; a model needs --base-url"
        )
    endpoint = Endpoint(player, base_url, args.temperature, args.max_tokens)
    return endpoint.reply, endpoint.close
