"""`playpen-eval play`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

SUMMARY = "play a game yourself in the terminal, against a scripted or a model partner"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("game", metavar="GAME")
    parser.add_argument("--role", help="your role (default: the learner's); `all` to play every role")
    parser.add_argument("--partner", default="scripted", help="who takes the other roles: scripted (default), a model")
    parser.add_argument("--base-url", metavar="URL", help="endpoint of a model partner")
    parser.add_argument("--instances", default="validation", help="a split, clembench:DIR or FILE.jsonl")
    parser.add_argument("--index", type=int, default=0, help="which instance, from 0 (default: %(default)s)")
    parser.add_argument("--save", type=Path, metavar="FILE", help="append the finished episode as one JSON line")


def run(args: argparse.Namespace) -> int:
    """Plays one episode; 1 if it was left before its end."""
    import asyncio

    from rich.console import Console

    from playpen_eval.endpoint import Endpoint
    from playpen_eval.episode import Episode, Observation
    from playpen_eval.errors import UserError
    from playpen_eval.instances import load_instances
    from playpen_eval.players import learner_roles, scripted_reply, scripted_style
    from playpen_eval.registry import load_game

    game = load_game(args.game)
    instances = load_instances(game, args.instances).instances
    if not 0 <= args.index < len(instances):
        raise UserError(f"--index {args.index} is not in 0..{len(instances) - 1}")
    mine = game.roles if args.role == "all" else learner_roles(game, args.partner, args.role)
    style = scripted_style(args.partner)
    if style is None and args.base_url is None and set(mine) != set(game.roles):
        raise UserError(f"partner {args.partner!r} is no scripted player and needs --base-url")
    endpoint = Endpoint(args.partner, args.base_url) if style is None and args.base_url else None
    console = Console(highlight=False, soft_wrap=True)
    console.print("Finish a reply with an empty line; Ctrl-D leaves the game.", style="dim")

    def reply(observation: Observation, runner: asyncio.Runner) -> str:
        if observation.role in mine:
            console.rule(f"to the {observation.role} (you)")
            console.print(_printable(observation.messages[-1]["content"]), markup=False)
            return _read(console)
        console.rule(f"the {observation.role} answers")
        return runner.run(endpoint.reply(observation)) if endpoint else scripted_reply(observation, style or "best")

    episode = Episode(game, instances[args.index])
    try:
        # Not play_async: while a person types nothing else has to run, and Ctrl-C must get through.
        with asyncio.Runner() as runner:
            while episode.outcome is None:
                episode.act(reply(episode.observe(), runner))
    except EOFError:
        console.print("left before the end")
        return 1
    outcome = episode.outcome
    console.rule()
    score = "" if outcome.score is None else f", score {100 * outcome.score:.2f}"
    console.print(f"{outcome.kind}{score}: {outcome.reason}", markup=False)
    if args.save:
        try:
            with args.save.open("a", encoding="utf-8") as lines:
                lines.write(json.dumps(episode.to_json()) + "\n")
        except OSError as error:
            raise UserError(f"cannot write {args.save}: {error}") from None
        console.print(f"saved to {args.save}", markup=False)
    return 0


def _printable(text: str) -> str:
    """A model's text without control characters, which could take over the terminal."""
    return "".join(c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text)


def _read(console) -> str:
    lines = [console.input("> ", markup=False)]
    while lines[-1]:
        lines.append(console.input("  ", markup=False))
    return "\n".join(lines[:-1])
