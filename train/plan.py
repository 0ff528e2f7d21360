"""The plan of a loop: its stages as commands, checked before anything runs.

A stage is one command of `playpen-eval`, and an evaluation may be one of Inspect's. Options of a stage are those of its
command (`playpen-eval COMMAND --help`) with underscores for hyphens; the loop fills in folders, the model, the data and
the seed. A value of `model`, `data` or `instances` that is the name of an earlier stage stands for what it made.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from playpen_eval.errors import UserError, unknown
from playpen_eval.instances import load_instances
from playpen_eval.registry import AXES, load_games, shipped_games

from .config import Play
from .data.policy import Policy
from .mix import load_pools
from .partners import check_partner
from .recipe_files import load_config, read_mapping, recipe_path

LOOPS = Path(__file__).resolve().parent / "loops"
KEYS = ("model", "seed", "evaluations", "stages")
KINDS = ("nano", "generate", "data", "train", "evaluate")
INSPECT = (
    "tasks",
    "model",
    "model_args",
    "task_args",
    "limit",
    "temperature",
    "max_tokens",
    "epochs",
    "max_connections",
)
"""Options of an evaluation through Inspect; `{model}` in them stands for the folder of the model."""
MADE = {"nano": "model", "generate": "instances", "data": "data.jsonl", "train": "model"}
"""What a stage leaves in its folder, by kind."""


@dataclass(frozen=True)
class Step:
    """One command.

    Attributes:
        program: `playpen-eval` or `inspect`.
        words: Its arguments.
        made: The file or folder that it writes.
        name: Of the evaluation; empty for other stages.
    """

    program: str
    words: tuple[str, ...]
    made: Path
    name: str = ""


@dataclass(frozen=True)
class Stage:
    """One stage.

    Attributes:
        name: As the config gives it, or its kind.
        kind: One of `KINDS`.
        folder: `OUT/NN-name`.
        steps: One, or one for each evaluation.
        digest: Of all that decides its result: options, recipe, and the digests of the stages it builds on.
        model: Name of the model that is evaluated or that comes out.
        parent: Name of the model that it was trained from, if any.
    """

    name: str
    kind: str
    folder: Path
    steps: tuple[Step, ...]
    digest: str
    model: str = ""
    parent: str = ""


@dataclass
class _Known:
    """What earlier stages made, while a plan is drawn up."""

    made: dict[str, Path] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    data: str = ""
    model: str = ""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UserError(message)


def load_plan(config: str, output: Path, seed: int | None = None) -> list[Stage]:
    """Reads a config and checks all that can be checked before the first stage.

    Args:
        config: Name of one that comes with the package, or a .yaml file.
        output: Folder of the loop.
        seed: Instead of the config's.

    Raises:
        UserError: Says in which stage something is wrong.
    """
    data = _read(config)
    for key in data:
        if key not in KEYS:
            raise unknown(f"key of {config}", str(key), KEYS)
    number = data.get("seed", 0) if seed is None else seed
    if not isinstance(number, int) or isinstance(number, bool) or number < 0:
        raise UserError(f"{config}: the seed must be a whole number of 0 or more, not {number!r}")
    stages, evaluations = data.get("stages"), data.get("evaluations") or {}
    if not isinstance(stages, list) or not stages:
        raise UserError(f"{config}: `stages` must be a list of stages such as `- nano: {{}}` or `- evaluate`")
    if not isinstance(evaluations, dict) or not all(isinstance(one, dict) for one in evaluations.values()):
        raise UserError(f"{config}: `evaluations` must map names to what is run, such as `greedy: {{run: {{...}}}}`")
    known = _Known()
    if data.get("model") is not None:
        known.model = str(data["model"])
        known.made[known.model], known.digests[known.model] = Path(known.model), known.model
    plan: list[Stage] = []
    for index, entry in enumerate(stages):
        kind, options = _entry(entry, index)
        name = str(options.pop("name", options.get("method", kind) if kind == "train" else kind))
        folder = output / f"{index:02d}-{name}"
        try:
            if not name.replace("-", "").replace("_", "").isalnum():
                raise UserError(f"a name is made of letters, digits, - and _, not {name!r}")
            if kind != "evaluate" and name in known.made:
                raise UserError(f"there is a stage called {name} already; give this one another `name`")
            plan.append(_stage(kind, name, options, evaluations, folder, number, known))
        except UserError as error:
            raise UserError(f"stage {folder.name}: {error}") from None
    return plan


def _read(config: str) -> dict[str, Any]:
    path = Path(config) if config.endswith((".yaml", ".yml")) else LOOPS / f"{config}.yaml"
    if not path.is_file():
        if path.parent == LOOPS:
            raise unknown("loop", config, [one.stem for one in LOOPS.glob("*.yaml")])
        raise UserError(f"{config} does not exist")
    return read_mapping(path, config)


def _entry(entry: Any, index: int) -> tuple[str, dict[str, Any]]:
    if isinstance(entry, str):
        entry = {entry: {}}
    if not isinstance(entry, dict) or len(entry) != 1:
        raise UserError(
            f"stage {index} must be one kind with its options, such as `- nano: {{size: small}}`: {entry!r}"
        )
    [(kind, options)] = entry.items()
    if kind not in KINDS:
        raise unknown(f"kind of stage {index}", str(kind), KINDS)
    if not isinstance(options or {}, dict):
        raise UserError(f"stage {index}: the options of {kind} must be a mapping, not {options!r}")
    return kind, dict(options or {})


def _stage(
    kind: str,
    name: str,
    options: dict[str, Any],
    evaluations: Mapping[str, Mapping[str, Any]],
    folder: Path,
    seed: int,
    known: _Known,
) -> Stage:
    if kind == "evaluate":
        return _evaluate(name, options, evaluations, folder, seed, known)
    made = folder / MADE[kind]
    builds_on: list[str] = []
    parent = ""
    if kind == "train":
        parent = str(options.get("model", known.model))
        if not parent:
            raise UserError("no model to train: begin with a nano stage, or name one with `model:`")
        builds_on.append(parent)
        options["model"] = parent
        if options.get("method") in ("sft", "dpo", "kto") and not options.get("data"):
            if not known.data:
                raise UserError("it trains on data, and there is none: add a data stage, or name files with `data:`")
            options["data"] = known.data
    if kind == "train":
        options["set"] = {"seed": seed, **_mapping("set", options.get("set"))}
    else:
        options.setdefault("seed", seed)
    settings = options.get("set", {})
    for key, place in (("data", options), ("instances", options), ("instances", settings)):
        builds_on += [value for value in _listed(place.get(key)) if value in known.made]
    decided = json.dumps([kind, options], sort_keys=True, default=str)
    for key, place in (("model", options), ("data", options), ("instances", options), ("instances", settings)):
        if key in place:
            values = [str(known.made.get(value, value)) for value in _listed(place[key])]
            place[key] = values if key == "data" else values[0]
    words, args = _command(kind, options, made)
    _check(kind, args, {str(path) for path in known.made.values()})
    if recipe := getattr(args, "recipe", None):
        decided += recipe_path(recipe).read_text(encoding="utf-8")
    digest = _digest(decided, [known.digests.get(one, one) for one in builds_on])
    known.made[name], known.digests[name] = made, digest
    if kind == "data":
        known.data = name
    if kind in ("nano", "train"):
        known.model = name
    model = name if kind in ("nano", "train") else ""
    return Stage(name, kind, folder, (Step("playpen-eval", words, made),), digest, model, parent)


def _listed(value: Any) -> list[str]:
    return [] if value is None else [str(one) for one in (value if isinstance(value, list) else [value])]


def _mapping(key: str, value: Any) -> dict[str, Any]:
    if not isinstance(value or {}, dict):
        raise UserError(f"`{key}` must map names to values, not {value!r}")
    return dict(value or {})


def _command(kind: str, options: Mapping[str, Any], made: Path) -> tuple[tuple[str, ...], argparse.Namespace]:
    """The words of a command of `playpen-eval` and what it makes of them."""
    module = importlib.import_module(f"playpen_eval.cli.{kind}")
    parser = _Parser(prog=f"playpen-eval {kind}", add_help=False, allow_abbrev=False)
    begin = ["make"] if kind == "data" else []
    (module.add_make_arguments if kind == "data" else module.add_arguments)(parser)
    given = dict(options)
    if kind == "train":
        given["set"] = [f"{key}={_plain(value)}" for key, value in options["set"].items()]
    words = _words(parser, given, {"folder" if kind == "nano" else "output": made}, kind)
    return (kind, *begin, *words), parser.parse_args(words)


def _words(
    parser: argparse.ArgumentParser, options: Mapping[str, Any], ours: Mapping[str, Any], kind: str
) -> list[str]:
    """Options as arguments, and those that the loop fills in; positional ones come first: lists would swallow them."""
    actions = {_key(action): action for action in parser._actions}
    free = set(actions) - set(ours) - {"json"}
    for key in options:
        if key not in free:
            raise unknown(f"option of {kind}", str(key), free)
    first, rest = [], []
    for key, value in {**options, **ours}.items():
        action = actions[key]
        values = [_plain(one) for one in (value if isinstance(value, list) else [value])]
        flag = "" if not action.option_strings else action.option_strings[-1]
        if not flag:
            first += values
        elif action.nargs == 0:
            if not isinstance(value, bool):
                raise UserError(f"{key} must be true or false, not {value!r}")
            rest += [flag] if value else []
        elif action.nargs in ("+", "*"):
            rest += [flag, *values]
        else:
            rest += [word for one in values for word in (flag, one)]
    return first + rest


def _key(action: argparse.Action) -> str:
    return action.option_strings[-1].lstrip("-").replace("-", "_") if action.option_strings else action.dest


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else str(value) if isinstance(value, Path) else json.dumps(value)


def _check(kind: str, args: argparse.Namespace, made: set[str]) -> None:
    """Refuses what a command would refuse only when its turn comes."""
    if kind == "generate":
        for game in load_games(*args.games).values():
            if args.split == "train" and not args.allow_held_out:
                Policy().check_game(game)
    elif kind == "data":
        _check_data(args, made)
    elif kind == "train":
        overrides = [*args.overrides, *(["allow_heldout=true"] if args.allow_heldout else [])]
        config: Any = load_config(args.method, args.recipe, overrides)
        if isinstance(config, Play):
            if args.data:
                raise UserError(f"{args.method} plays its own episodes and takes no data")
            if config.instances not in made:
                load_pools(config)
            check_partner(config)
        for path in args.data:
            if str(path) not in made and not path.is_file():
                raise UserError(f"the data {path} does not exist")


def _check_data(args: argparse.Namespace, made: set[str]) -> None:
    from .data import options

    options.recipe(args)
    policy = options.policy(args)
    if bool(args.sources) == bool(args.play):
        raise UserError("name `sources`, or games to `play`")
    for path in args.sources:
        if not path.exists():
            raise UserError(f"the source {path} does not exist")
    for game in load_games(*args.play).values() if args.play != ["all"] else ():
        policy.check_game(game)
        if args.instances not in made:
            load_instances(game, args.instances)


def _evaluate(
    name: str,
    options: dict[str, Any],
    evaluations: Mapping[str, Mapping[str, Any]],
    folder: Path,
    seed: int,
    known: _Known,
) -> Stage:
    chosen = _listed(options.pop("only", None)) or list(evaluations)
    model = str(options.pop("model", known.model))
    if options:
        raise unknown("option of evaluate", next(iter(options)), ("name", "only", "model"))
    if not evaluations:
        raise UserError("nothing to evaluate: the config names no `evaluations`")
    if not model:
        raise UserError("no model to evaluate: begin with a nano stage, or name one with `model:`")
    path = known.made.get(model, Path(model))
    steps = []
    for one in chosen:
        if one not in evaluations:
            raise unknown("evaluation", one, evaluations)
        try:
            steps.append(_evaluation(one, evaluations[one], path, folder / one, seed))
        except UserError as error:
            raise UserError(f"evaluation {one}: {error}") from None
    decided = json.dumps([seed, {one: evaluations[one] for one in chosen}], sort_keys=True, default=str)
    digest = _digest(decided, [known.digests.get(model, model)])
    return Stage(name, "evaluate", folder, tuple(steps), digest, model)


def _evaluation(name: str, what: Mapping[str, Any], model: Path, made: Path, seed: int) -> Step:
    if len(what) != 1 or not isinstance(options := next(iter(what.values())) or {}, dict):
        raise UserError(f"it must be one of `run` and `inspect` with options, not {dict(what)!r}")
    [kind] = what
    if kind == "inspect":
        return Step("inspect", tuple(_inspect_words(dict(options), model, made, seed)), made, name)
    if kind != "run":
        raise unknown("kind of evaluation", str(kind), ("run", "inspect"))
    from playpen_eval.cli import run

    parser = _Parser(prog="playpen-eval run", add_help=False, allow_abbrev=False)
    run.add_arguments(parser)
    words = _words(parser, {"seed": seed, **options}, {"model": f"local:{model}", "output": made}, "run")
    args = parser.parse_args(words)
    if bool(args.games) == args.all:
        raise UserError("name the `games` to play, or give `all: true`")
    for game in (load_games(*args.games) if args.games else shipped_games()).values():
        load_instances(game, args.instances, args.experiment)
    return Step("playpen-eval", ("run", *words), made, name)


def _inspect_words(options: dict[str, Any], model: Path, made: Path, seed: int) -> list[str]:
    for key in options:
        if key not in INSPECT:
            raise unknown("option of inspect", str(key), INSPECT)
    tasks = _listed(options.pop("tasks", None))
    if not tasks:
        raise UserError("name `tasks`, such as playpen/taboo")
    for task in tasks:
        own, _, game = task.partition("playpen/")
        if not own and game.split("@")[0] not in AXES and "/" not in game and game != "retained_skills":
            load_games(game)
    words = ["eval", *tasks, "--model", str(options.pop("model", "playpen-local/{model}"))]
    for key, flag in (("model_args", "-M"), ("task_args", "-T")):
        for left, right in _mapping(key, options.pop(key, None)).items():
            words += [flag, f"{left}={_plain(right)}"]
    for key, value in options.items():
        words += [f"--{key.replace('_', '-')}", _plain(value)]
    words += ["--seed", str(seed), "--log-dir", str(made), "--display", "plain"]
    return [word.replace("{model}", str(model)) for word in words]


def _digest(decided: str, builds_on: Sequence[str]) -> str:
    return hashlib.sha256(json.dumps([decided, *builds_on]).encode()).hexdigest()
