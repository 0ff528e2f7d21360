"""Facts, and the conditions and effects over them, in the notation of planning domains."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

Fact = tuple[Any, ...]
"""A predicate and its arguments, such as ("on", "book1", "table1")."""

Expression = tuple[Any, ...]
"""Nested tuples as written; names that begin with ? are variables."""

Binding = Mapping[str, str]

_TOKEN = re.compile(r"[()]|[^\s()]+")
_FACT = re.compile(r"\s*([^\s(]+)\((.*)\)\s*", re.DOTALL)
_CONNECTIVES = ("and", "or", "not")
_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
}


def parse(text: str) -> Expression:
    """Reads one expression in brackets.

    Raises:
        ValueError: The brackets do not match.
    """
    stack: list[list[Any]] = [[]]
    for token in _TOKEN.findall(text):
        if token == "(":
            stack.append([])
        elif token == ")" and len(stack) > 1:
            done = tuple(stack.pop())
            stack[-1].append(done)
        else:
            stack[-1].append(int(token) if token.isdecimal() else token)
    if len(stack) != 1 or len(stack[0]) != 1 or not isinstance(stack[0][0], tuple):
        raise ValueError(f"not one expression in brackets: {text!r}")
    return stack[0][0]


def parse_fact(text: str) -> Fact:
    """Reads a fact such as `on(book1,table1)`; only the first comma divides, since the second part may be a text.

    Raises:
        ValueError: It is no fact.
    """
    match = _FACT.fullmatch(text)
    if not match:
        raise ValueError(f"not a fact: {text!r}")
    return (match[1], *(part.strip() for part in match[2].split(",", 1)))


def leaves(condition: Expression) -> Iterator[Expression]:
    """The parts of a condition that are no conjunction or disjunction, in order."""
    if condition[0] in ("and", "or"):
        for part in condition[1:]:
            yield from leaves(part)
    else:
        yield condition


class Facts:
    """What is true, indexed by predicate and by each argument; can be wound back."""

    def __init__(self, facts: Sequence[Fact]):
        self._all: dict[Fact, None] = {}
        self._index: dict[tuple[Any, ...], dict[Fact, None]] = {}
        self._journal: list[tuple[bool, Fact]] = []
        self.version = 0
        """Another one after every change."""
        for fact in facts:
            self.add(fact)
        self._journal.clear()

    def __contains__(self, fact: Fact) -> bool:
        return fact in self._all

    @staticmethod
    def _keys(fact: Fact) -> tuple[tuple[Any, ...], ...]:
        name = fact[0]
        if len(fact) == 2:
            return (name,), (name, 1, fact[1])
        return (name,), (name, 1, fact[1]), (name, 2, fact[2])

    def add(self, fact: Fact) -> None:
        """Makes a fact true."""
        if fact in self._all:
            return
        self._all[fact] = None
        for key in self._keys(fact):
            self._index.setdefault(key, {})[fact] = None
        self._journal.append((True, fact))
        self.version += 1

    def remove(self, fact: Fact) -> None:
        """Makes a fact untrue."""
        if fact not in self._all:
            return
        del self._all[fact]
        for key in self._keys(fact):
            del self._index[key][fact]
        self._journal.append((False, fact))
        self.version += 1

    def mark(self) -> int:
        """A point in time to come back to."""
        return len(self._journal)

    def wind_back(self, mark: int) -> None:
        """Undoes everything since `mark`."""
        while len(self._journal) > mark:
            added, fact = self._journal.pop()
            (self.remove if added else self.add)(fact)
            self._journal.pop()

    def all(self, name: str) -> list[Fact]:
        """All facts of a predicate."""
        return list(self._index.get((name,), ()))

    def of(self, name: str, first: str) -> list[Fact]:
        """The facts of a predicate about its first argument."""
        return list(self._index.get((name, 1, first), ()))

    def about(self, name: str, first: str) -> Any:
        """The second argument of the latest of these facts, or None."""
        found = self._index.get((name, 1, first))
        return next(reversed(found))[2] if found else None

    def to(self, name: str, second: str) -> list[Fact]:
        """The facts of a predicate with this second argument."""
        return list(self._index.get((name, 2, second), ()))

    def value(self, function: Expression, binding: Binding) -> int:
        """The number that a function such as (itemcount ?i) has; 0 if it has none."""
        facts = self.of(function[0], binding.get(function[1], function[1]))
        return facts[0][2] if facts else 0

    def matching(self, pattern: Fact, binding: Binding) -> list[Fact]:
        """Facts that agree with a pattern in what is bound of it."""
        for place, term in enumerate(pattern[1:3], 1):
            known = binding.get(term, None if term[0] == "?" else term)
            if known is not None:
                return list(self._index.get((pattern[0], place, known), ()))
        return self.all(pattern[0])


def holds(condition: Expression, binding: Binding, facts: Facts) -> bool:
    """Whether a condition is true."""
    name = condition[0]
    if name == "and":
        return all(holds(part, binding, facts) for part in condition[1:])
    if name == "or":
        return any(holds(part, binding, facts) for part in condition[1:])
    if name == "not":
        return not holds(condition[1], binding, facts)
    if name in _COMPARE:
        left, right = (_number(part, binding, facts) for part in condition[1:])
        return _COMPARE[name](left, right)
    return ground(condition, binding) in facts


def _number(term: Any, binding: Binding, facts: Facts) -> int:
    return term if isinstance(term, int) else facts.value(term, binding)


def ground(pattern: Expression, binding: Binding) -> Fact:
    """A fact, from a pattern with its variables filled in."""
    return tuple([binding.get(term, term) for term in pattern])


Instances = Callable[[str, Iterable[str] | None], Sequence[str]]
"""Type, and the things that come into question (None for all) -> those of that type."""


def apply(effect: Expression, binding: Binding, facts: Facts, instances: Instances) -> tuple[Fact, ...]:
    """Carries out an effect, part by part; returns what was made untrue."""
    removed: list[Fact] = []
    _apply(effect, binding, facts, instances, removed)
    return tuple(removed)


def _apply(effect: Expression, binding: Binding, facts: Facts, instances: Instances, removed: list[Fact]) -> None:
    name = effect[0]
    if name == "and":
        for part in effect[1:]:
            _apply(part, binding, facts, instances, removed)
    elif name == "when":
        if holds(effect[1], binding, facts):
            _apply(effect[2], binding, facts, instances, removed)
    elif name == "forall":
        variable, _, kind = effect[1]
        among = None
        if effect[2][0] == "when" and effect[2][1][:2][1:] == (variable,) and effect[2][1][0] not in _CONNECTIVES:
            outer = {name: thing for name, thing in binding.items() if name != variable}
            among = [fact[1] for fact in facts.matching(effect[2][1], outer)]
        for thing in instances(kind, among):
            _apply(effect[2], {**binding, variable: thing}, facts, instances, removed)
    elif name in ("increase", "decrease", "assign"):
        if not facts.all(effect[1][0]):
            return  # nobody counts
        old = (*ground(effect[1], binding), facts.value(effect[1], binding))
        amount = _number(effect[2], binding, facts)
        new = amount if name == "assign" else old[-1] + (amount if name == "increase" else -amount)
        facts.remove(old)
        facts.add((*old[:-1], new))
        removed.append(old)
    elif name == "not":
        gone = ground(effect[1], binding)
        facts.remove(gone)
        removed.append(gone)
    else:
        facts.add(ground(effect, binding))
