"""Recipes: one dataclass for each method, read from YAML, with overrides from the command line.

Every key can stand in a recipe file or be given as `--set key=value`; keys of mappings take a dot
(`--set reward.abort=-0.5`). What is not known is refused with the nearest name, and everything is recorded.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from playpen_eval.errors import UserError, unknown

from .config import DPO, GRPO, KTO, RFT, SFT, Common, Gate
from .config_lmrl import LMRL
from .rewards import Shaping

RECIPES = Path(__file__).resolve().parent / "recipes"

METHODS: dict[str, type[Common]] = {"sft": SFT, "dpo": DPO, "kto": KTO, "grpo": GRPO, "rft": RFT}
"""Those on TRL; `LMRL` has the others."""


def recipe_names() -> list[str]:
    """The recipes that come with the package."""
    return sorted(path.stem for path in RECIPES.glob("*.yaml"))


def load_config(method: str, recipe: str | None = None, overrides: Iterable[str] = ()) -> Common:
    """Reads a recipe.

    Args:
        method: One of `METHODS` or of `LMRL`.
        recipe: Name of one that comes with the package, or a .yaml file; None for the defaults.
        overrides: `key=value`, the value in YAML.

    Returns:
        The method's dataclass.

    Raises:
        UserError: A key or value is none, or the recipe is for another method.
    """
    data = read_mapping(recipe_path(recipe), f"the recipe {recipe}") if recipe else {}
    meant = data.pop("method", method)
    if meant != method:
        raise UserError(f"the recipe {recipe} is for {meant}: playpen-eval train {meant}, not {method}")
    for override in overrides:
        _override(data, override)
    return build((METHODS | LMRL)[method], data, recipe or "recipe")


def build(kind: type[Any], data: Mapping[str, Any], where: str) -> Any:
    """A dataclass from plain data; names and types are checked.

    Raises:
        UserError: Says which key is wrong, and the nearest name of one that is not known.
    """
    from pydantic import TypeAdapter, ValidationError

    names = [one.name for one in dataclasses.fields(kind)]
    data = dict(data)
    for name in data:
        if name not in names:
            raise unknown(f"key of {where}", str(name), names)
    if isinstance(data.get("games"), list):
        data["games"] = {str(name): 1.0 for name in data["games"]}
    for name, nested in (("reward", Shaping), ("gate", Gate)):
        if isinstance(data.get(name), Mapping):
            data[name] = build(nested, data[name], name)
    try:
        return TypeAdapter(kind).validate_python(data)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(([where] if kind in (Shaping, Gate) else []) + [str(part) for part in first["loc"][:1]])
        message = first["msg"].removeprefix("Value error, ")
        raise UserError(f"{place}: {message}, not {first['input']!r}" if place else message) from None


def recipe_path(recipe: str) -> Path:
    """The file of a recipe.

    Raises:
        UserError: There is none.
    """
    path = Path(recipe) if recipe.endswith((".yaml", ".yml")) else RECIPES / f"{recipe}.yaml"
    if not path.is_file():
        if path.parent == RECIPES:
            raise unknown("recipe", recipe, recipe_names())
        raise UserError(f"the recipe {recipe} does not exist; there are {', '.join(recipe_names())}")
    return path


def read_mapping(path: Path, name: str) -> dict[str, Any]:
    """A YAML file of keys and values.

    Args:
        path: The file.
        name: What it is called in errors.

    Raises:
        UserError: It cannot be read, or holds something else.
    """
    import yaml

    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"cannot read {name}: {error}") from None
    if not isinstance(data, dict):
        raise UserError(f"{name} is no mapping of keys to values")
    return data


def _override(data: dict[str, Any], text: str) -> None:
    import yaml

    key, equals, value = text.partition("=")
    if not (key and equals):
        raise UserError(f"--set takes key=value, not {text!r}")
    try:
        parsed = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise UserError(f"--set {text}: the value is no YAML ({error})") from None
    first, dot, rest = key.partition(".")
    if not dot:
        data[first] = parsed
        return
    inner = data.get(first) or {}
    if isinstance(inner, list):
        inner = {str(name): 1.0 for name in inner}
    if not isinstance(inner, dict):
        raise UserError(f"--set {text}: {first} is {inner!r}, not a mapping")
    data[first] = {**inner, rest: parsed}
