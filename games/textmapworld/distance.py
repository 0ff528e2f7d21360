"""Edit distance between small graphs without names: exact, and bounded whatever a model has written."""

from __future__ import annotations

from collections.abc import Iterable

FAR = 20
"""Graphs at least this far apart by their sizes alone are compared no further; their similarity is below 0.01."""

BUDGET = 20_000
"""Partial assignments that are tried at most. Maps of eight rooms have needed 4,200 against the worst graph found."""


class Graph:
    """An undirected graph; its nodes are numbers.

    Attributes:
        size: Number of nodes.
        edges: Number of edges; several between two nodes are one, an edge from a node to itself is one, too.
        near: For each node the set of the others next to it, bit by bit.
    """

    def __init__(self, size: int, pairs: Iterable[tuple[int, int]]):
        distinct = {(min(pair), max(pair)) for pair in pairs}
        self.size = size
        self.edges = len(distinct)
        self.near = [0] * size
        for a, b in distinct:
            if a != b:
                self.near[a] |= 1 << b
                self.near[b] |= 1 << a


def edit_distance(true: Graph, given: Graph) -> int:
    """Fewest nodes and edges to add or remove until the graphs have the same shape.

    For graphs that are far apart (`FAR`) it is the difference of their sizes; the true distance is never less.

    Args:
        true: A map: some nodes and not many more edges, none of them from a node to itself.
        given: Any graph.
    """
    by_size = abs(true.size - given.size) + abs(true.edges - given.edges)
    if by_size >= FAR:
        return by_size
    # Pairing as many nodes as possible costs nothing, so only the edges that a pairing keeps matter.
    return abs(true.size - given.size) + true.edges + given.edges - 2 * _Search(true, given).most_kept


class _Search:
    """The most edges that a one-to-one assignment of nodes of one graph to those of the other can keep.

    Of nodes that can be exchanged for each other only one is tried: of those with the same neighbours, and of those
    that look alike in components of which no node is used yet.
    """

    def __init__(self, true: Graph, given: Graph):
        self.near = given.near
        self.twins = [
            next(w for w in range(v + 1) if not (given.near[v] ^ given.near[w]) & ~(1 << v | 1 << w))
            for v in range(given.size)
        ]
        self.component, self.orbit = _components(given), _orbits(given)
        order = _order(true)
        place = {node: index for index, node in enumerate(order)}
        links = [[place[other] for other in range(true.size) if true.near[node] >> other & 1] for node in order]
        self.earlier = [[other for other in others if other < index] for index, others in enumerate(links)]
        self.has_later = [any(other > index for other in others) for index, others in enumerate(links)]
        self.open = [sum(map(len, self.earlier[index:])) for index in range(len(order) + 1)]
        degrees = [sorted((near.bit_count() for near in graph.near), reverse=True) for graph in (true, given)]
        self.possible = sum(min(pair) for pair in zip(*degrees)) // 2
        self.most_kept = 0
        self.tried = 0
        self._assign([], 0, 0)

    def _assign(self, images: list[int | None], used: int, kept: int) -> None:
        """Assigns the next node every way that can still improve on the best, the most promising first."""
        index = len(images)
        if min(kept + self.open[index], self.possible) <= self.most_kept or self.tried >= BUDGET:
            return
        self.tried += 1
        if index == len(self.earlier):
            self.most_kept = kept
            return
        goal = 0
        for other in self.earlier[index]:
            image = images[other]
            goal |= 0 if image is None else 1 << image
        seen = set()
        options: list[tuple[int, int, int | None]] = [(0, 0, None)]
        for image, near in enumerate(self.near):
            untouched = not self.component[image] & used
            alike = self.orbit[image] if untouched else (self.twins[image],)
            if used >> image & 1 or alike in seen:
                continue
            seen.add(alike)
            gain, left = (near & goal).bit_count(), (near & ~used).bit_count()
            if gain or (left and self.has_later[index]):
                options.append((-gain, -left, image))
        for loss, _, image in sorted(options[1:]) + options[:1]:
            bit = 0 if image is None else 1 << image
            self._assign([*images, image], used | bit, kept - loss)


def _components(graph: Graph) -> list[int]:
    """For each node the set of nodes that it is connected with."""
    reached = [near | 1 << node for node, near in enumerate(graph.near)]
    for middle in range(graph.size):
        for node in range(graph.size):
            if reached[node] >> middle & 1:
                reached[node] |= reached[middle]
    return reached


def _orbits(graph: Graph) -> list[tuple[int, ...]]:
    """For each node something that it has in common only with nodes for which it can be exchanged.

    Nodes are told apart by degree, by the degrees of their neighbours and so on. In connected graphs of one size with
    at most one cycle that tells all nodes apart which differ; nodes of other components count as unlike any other.
    """
    colours = [0] * graph.size
    for _ in range(graph.size):
        seen = [
            (colours[v], *sorted(colours[w] for w in range(graph.size) if graph.near[v] >> w & 1))
            for v in range(graph.size)
        ]
        number = {colour: index for index, colour in enumerate(sorted(set(seen)))}
        colours = [number[colour] for colour in seen]
    orbits: list[tuple[int, ...]] = []
    for node, component in enumerate(_components(graph)):
        nodes = component.bit_count()
        edges = sum(graph.near[v].bit_count() for v in range(graph.size) if component >> v & 1) // 2
        orbits.append((colours[node], nodes) if edges <= nodes else (colours[node], nodes, node))
    return orbits


def _order(graph: Graph) -> list[int]:
    """The nodes that have edges, each next to an earlier one where possible, the best connected first."""
    left = [node for node in range(graph.size) if graph.near[node]]
    order: list[int] = []
    chosen = 0
    while left:
        node = max(left, key=lambda n: ((graph.near[n] & chosen).bit_count(), graph.near[n].bit_count(), -n))
        left.remove(node)
        order.append(node)
        chosen |= 1 << node
    return order
