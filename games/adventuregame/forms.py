"""The forms that commands have after their verb, and how a command is read with one."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

PREPOSITIONS = frozenset({"on", "in", "from", "out", "into", "up"})
DETERMINERS = frozenset({"the", "a", "an"})
_TOKEN = re.compile(r"[()|*]|[a-z]+")


class Reading(NamedTuple):
    """What a form finds in a command.

    Attributes:
        score: Readings with a higher one are better: small words count for more than names, a long first name for
            more than a long second one.
        things: The names, without determiners and adjectives.
        preposition: The last one.
    """

    score: tuple[int, int, int]
    things: tuple[str, ...]
    preposition: str | None


class _Edge(NamedTuple):
    kind: str
    """prep, det, adj, literal, first (word of a name), next or owner's."""
    word: str
    target: int
    longer: int
    """1 for a further word of the first name."""


class Form:
    """A pattern of literal words, `prep`, `thing`, groups, alternatives and repetition, read like `back* prep* thing`.

    Reading takes time in proportion to the length of the command: it keeps the best way to every state.
    """

    def __init__(self, pattern: str, adjectives: frozenset[str], words: int):
        self._adjectives = adjectives
        self._words = words
        self._edges: list[list[_Edge]] = []
        self._free: list[list[int]] = []
        self._things = itertools.count()
        self._tokens = [*_TOKEN.findall(pattern), ")"]
        start, self._end = self._alternatives()
        reach = [self._reach(node) for node in range(len(self._edges))]
        self._ends = [self._end in nodes for nodes in reach]
        self._steps = [[edge for near in nodes for edge in self._edges[near]] for nodes in reach]
        self._start = start

    def _node(self) -> int:
        self._edges.append([])
        self._free.append([])
        return len(self._edges) - 1

    def _reach(self, node: int) -> list[int]:
        found = [node]
        for near in found:
            found += [further for further in self._free[near] if further not in found]
        return found

    def _alternatives(self) -> tuple[int, int]:
        """Compiles up to the closing bracket, which it takes away, into nodes from a start to an end."""
        start, end = self._node(), self._node()
        here = self._node()
        self._free[start].append(here)
        while (token := self._tokens.pop(0)) != ")":
            if token == "|":
                self._free[here].append(end)
                here = self._node()
                self._free[start].append(here)
                continue
            first, last = self._alternatives() if token == "(" else self._atom(token)
            self._free[here].append(first)
            if self._tokens[0] == "*":
                self._tokens.pop(0)
                self._free[last].append(first)
                self._free[here].append(last)
            here = last
        self._free[here].append(end)
        return start, end

    def _atom(self, token: str) -> tuple[int, int]:
        if token == "thing":
            return self._thing()
        start, end = self._node(), self._node()
        self._edges[start].append(_Edge("prep" if token == "prep" else "literal", token, end, 0))
        return start, end

    def _thing(self) -> tuple[int, int]:
        """DET? ADJ* WORD{1,2}; with up to four words that is without adjectives, also OWNER's WORD."""
        start, bare, end = self._node(), self._node(), self._node()
        longer = int(next(self._things) == 0)
        self._edges[start].append(_Edge("det", "", bare, 0))
        self._free[start].append(bare)
        described = self._node()
        self._edges[bare].append(_Edge("adj", "", described, 0))
        self._edges[described].append(_Edge("adj", "", described, 0))
        for head, words in ((described, 2), (bare, self._words)):
            here, kind = head, "first"
            for _ in range(words):
                after = self._node()
                self._edges[here].append(_Edge(kind, "", after, longer * (kind == "next")))
                self._free[after].append(end)
                here, kind = after, "next"
        if self._words > 2:
            owned, after = self._node(), self._node()
            self._edges[bare].append(_Edge("owner", "", owned, 0))
            self._edges[owned].append(_Edge("next", "", after, longer))
            self._free[after].append(end)
        return start, end

    def _width(self, edge: _Edge, words: Sequence[str], at: int) -> int:
        """How many words an edge takes here; 0 if it does not fit."""
        word = words[at]
        if edge.kind in ("first", "next"):
            return int("'" not in word)
        if edge.kind == "prep":
            return (2 if words[at : at + 2] == ["out", "of"] else 1) if word in PREPOSITIONS else 0
        if edge.kind == "det":
            return int(word in DETERMINERS)
        if edge.kind == "adj":
            return int(word in self._adjectives)
        return int("'" in word if edge.kind == "owner" else word == edge.word)

    def read(self, words: list[str]) -> Reading | None:
        """The best reading of the words after the verb, or None if they do not fit the form."""
        layers: list[dict[int, tuple[tuple[int, int, int], tuple]]] = [{} for _ in range(len(words) + 1)]
        layers[0][self._start] = ((0, 0, 0), ())
        for at in range(len(words)):
            for node, ((small, names, longer), path) in layers[at].items():
                for edge in self._steps[node]:
                    width = self._width(edge, words, at)
                    if not width:
                        continue
                    named = edge.kind in ("first", "next", "owner")
                    score = (small + (edge.kind in ("prep", "det", "adj")), names - named, longer + edge.longer)
                    best = layers[at + width].get(edge.target)
                    if best is None or score > best[0]:
                        layers[at + width][edge.target] = (score, (path, edge.kind, words[at : at + width]))
        ends = [found for node, found in layers[-1].items() if self._ends[node]]
        if not ends:
            return None
        score, path = max(ends, key=lambda found: found[0])
        return Reading(score, *self._found(path))

    @staticmethod
    def _found(path: tuple) -> tuple[tuple[str, ...], str | None]:
        things: list[list[str]] = []
        preposition = None
        for kind, words in reversed(list(_unlink(path))):
            if kind in ("first", "owner"):
                things.append(list(words))
            elif kind == "next":
                things[-1] += words
            elif kind == "prep":
                preposition = " ".join(words)
        return tuple(" ".join(words).replace("_", " ") for words in things), preposition


def _unlink(path: tuple) -> Iterator[tuple[str, list[str]]]:
    while path:
        path, kind, words = path
        yield kind, words
