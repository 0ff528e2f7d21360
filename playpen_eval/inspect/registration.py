"""Registers tasks under exactly the name given, so that `inspect eval playpen/taboo` finds them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from inspect_ai import Task
from inspect_ai import task as inspect_task

F = TypeVar("F", bound=Callable[..., Task])


def task(*, name: str, **attribs: Any) -> Callable[[F], F]:
    """Like `inspect_ai.task`, without the package prefix that Inspect would put before the name.

    Inspect derives the prefix from the module that a function says it lives in. A module that does not exist
    gives none; the true one is put back at once, so that logs name this distribution as the task's owner.
    """

    def decorate(function: F) -> F:
        module = function.__module__
        function.__module__ = "__playpen_namespace__"
        registered = inspect_task(name=name, **attribs)(function)
        function.__module__ = registered.__module__ = module
        return registered

    return decorate
