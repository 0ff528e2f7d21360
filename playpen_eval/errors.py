"""Errors that are the user's to mend: what was wrong, with the value, and what to do."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterable
from types import ModuleType


class UserError(ValueError):
    """Bad input. The command line prints the message alone and exits with 2."""


def unknown(kind: str, name: str, known: Iterable[str]) -> UserError:
    """The error for a name that does not exist; suggests the nearest one that does."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(names) or 'none'}"
    return UserError(f"unknown {kind} {name!r}; {hint}")


def require(module: str, extra: str) -> ModuleType:
    """Imports an optional dependency.

    Args:
        module: Dotted name to import.
        extra: The extra of this distribution that brings it.

    Raises:
        UserError: It is not installed; the message holds the pip line.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not (module == error.name or module.startswith(error.name + ".")):
            raise
        raise UserError(f"{error.name} is not installed; run: pip install 'playpen-eval[{extra}]'") from None
