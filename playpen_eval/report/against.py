"""A run beside stored or published results: plain differences of figures, and why they are not comparable.

There is no interval of such a difference, since nothing pairs the episodes; `compare` does that for stored reports.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playpen_eval.errors import UserError, unknown
from playpen_eval.grid import Grid
from playpen_eval.registry import axis_games
from playpen_eval.report.summary import AxisSummary, GameSummary, Summary, axis_members
from playpen_eval.runs import RunMeta
from playpen_eval.runs.read_results import load_results_file, results_folder

FIGURES = ("clemscore", "played", "quality")


@dataclass(frozen=True)
class Beside:
    """One game or axis in both.

    Attributes:
        subject: Label of the game, or name of the axis.
        kind: `axis` or `game`.
        ours: Figure -> value in the run; None if it is not defined.
        theirs: The same of the entry; None also if it is not told.
        marks: What keeps the two from being comparable, beside the marks of the entry.
    """

    subject: str
    kind: str
    ours: Mapping[str, float | None]
    theirs: Mapping[str, float | None]
    marks: tuple[str, ...]

    def difference(self, figure: str) -> float | None:
        """Ours - theirs."""
        one, other = self.ours[figure], self.theirs[figure]
        return None if one is None or other is None else one - other


@dataclass(frozen=True)
class Against:
    """A run beside one entry.

    Attributes:
        entry: The entry, as the file has it.
        rows: Axes and games that both have.
        marks: What keeps all of them from being comparable.
    """

    entry: Mapping[str, Any]
    rows: tuple[Beside, ...]
    marks: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data."""
        rows = [
            {"subject": row.subject, "kind": row.kind, "marks": list(row.marks)}
            | {
                figure: {"ours": row.ours[figure], "theirs": row.theirs[figure], "difference": row.difference(figure)}
                for figure in FIGURES
            }
            for row in self.rows
        ]
        told = {name: self.entry[name] for name in ("label", "kind", "model", "source", "note") if name in self.entry}
        return {**told, "marks": list(self.marks), "rows": rows}


def published() -> dict[str, Path]:
    """The published results that come with the package: name -> file."""
    return {path.stem: path for path in sorted((results_folder() / "published").glob("*.json"))}


def load_results(where: str | Path) -> list[dict[str, Any]]:
    """The entries of a file.

    Args:
        where: A file of results, or the name of one that comes with the package. `#TEXT` behind it chooses the entries
            with this text in their label.

    Raises:
        UserError: There is no such file, name or label, or the file breaks the schema.
    """
    text = str(where)
    name, _, wanted = (text, "", "") if Path(text).exists() else text.partition("#")
    path = Path(name)
    if not path.exists():
        if path.suffix == ".json" or len(path.parts) > 1:
            raise UserError(f"{name} does not exist; published results that come with it: {', '.join(published())}")
        if name not in published():
            raise unknown("published results", name, published())
        path = published()[name]
    elif path.is_dir():
        raise UserError(f"{name} is a folder; name a file of results, or one of {', '.join(published())}")
    entries = load_results_file(path)
    chosen = [entry for entry in entries if wanted.lower() in entry["label"].lower()]
    if not chosen:
        raise UserError(f"{name} has no entry {wanted!r}; it has {', '.join(entry['label'] for entry in entries)}")
    return chosen


def against(summary: Summary, entries: Iterable[Mapping[str, Any]]) -> list[Against]:
    """Puts a run beside each of the entries."""
    return [_against(summary, entry) for entry in entries]


def _against(summary: Summary, entry: Mapping[str, Any]) -> Against:
    members, _ = axis_members({label: game.setup for label, game in summary.games.items()})
    rows = [
        _axis(name, axis, [summary.games[label] for label in members[name].values()], entry, summary.run.meta)
        for name, axis in summary.axes.items()
        if name in entry["axes"]
    ]
    for label, game in summary.games.items():
        theirs = _counterpart(game, entry, summary.run.meta)
        if theirs is not None:
            marks = _game_marks(game, theirs, entry, summary.run.meta)
            rows.append(Beside(label, "game", _figures(game.score), _their_figures(theirs), tuple(marks)))
    common = [mark for mark in rows[0].marks if all(mark in row.marks for row in rows)] if rows else []
    marks = [*_conditions(summary.run.meta, entry), *common] if rows else ["no game or axis in common"]
    rows = [
        Beside(row.subject, row.kind, row.ours, row.theirs, tuple(mark for mark in row.marks if mark not in common))
        for row in rows
    ]
    return Against(entry, tuple(rows), tuple(marks))


def _figures(one: Any) -> dict[str, float | None]:
    return {figure: getattr(one, figure) for figure in FIGURES}


def _their_figures(row: Mapping[str, Any]) -> dict[str, float | None]:
    figures = {figure: row.get(figure) for figure in FIGURES}
    played, quality = figures["played"], figures["quality"]
    if figures["clemscore"] is None and played is not None and (quality is not None or played == 0):
        figures["clemscore"] = played * (quality or 0.0) / 100
    return figures


def _counterpart(game: GameSummary, entry: Mapping[str, Any], meta: RunMeta) -> Mapping[str, Any] | None:
    """The entry's row of a game; where it has several, the one that is most like ours."""
    rows = [row for name, row in entry.get("games", {}).items() if row.get("game", name) == game.setup.game]
    return min(rows, key=lambda row: len(_game_marks(game, row, entry, meta)), default=None)


def _axis(
    name: str, axis: AxisSummary, games: Sequence[GameSummary], entry: Mapping[str, Any], meta: RunMeta
) -> Beside:
    row = entry["axes"][name]
    ours = {figure: getattr(axis, figure) for figure in ("played", "quality")} | {"clemscore": axis.clemscore.value}
    theirs = {game.setup.game: _counterpart(game, entry, meta) or {} for game in games}
    marks: dict[str, None] = {}
    for game in games:
        told = theirs[game.setup.game]
        if told or entry["kind"] != "measured":  # of a game that a stored report lacks there is nothing to say
            marks |= dict.fromkeys(_game_marks(game, {**told, "n": None}, entry, meta))
    wanted = _their_games(name, row, entry)
    for mark, found in (
        ("without {} here", wanted - theirs.keys()),
        ("without {} there", theirs.keys() - wanted),
    ):
        if found:
            marks[mark.format(", ".join(sorted(found)))] = None
    n = sum(game.score.n for game in games)
    counts: list[Any] = [row["n"]] if "n" in row else [one.get("n") for one in theirs.values()]
    if None not in counts and sum(counts) != n:
        marks[f"n {n} here, {sum(counts)} there"] = None
    if row.get("derived"):
        marks["derived, not published"] = None
    return Beside(name, "axis", ours, _their_figures(row), tuple(marks))


def _their_games(name: str, row: Mapping[str, Any], entry: Mapping[str, Any]) -> set[str]:
    """The games that an entry's axis is made of; where only their number is told, all that belong to it."""
    if "games" in row:
        return set(row["games"])
    parts = ("unseen_instances", "unseen_games") if name == "overall" else (name,)
    of_axis = {game for part in parts for game in axis_games(part)}
    return of_axis if "n" in row else of_axis & entry.get("games", {}).keys() or of_axis


def _game_marks(game: GameSummary, row: Mapping[str, Any], entry: Mapping[str, Any], meta: RunMeta) -> list[str]:
    """Why the figures of a game are not comparable; `row` is the entry's, empty if it has only aggregates."""
    marks, setup, n = [], game.setup, row.get("n")
    told = entry["instances"]
    theirs = told if isinstance(told, str) else row.get("split", "")
    if setup.split == entry.get("subset_of"):
        # Other ids would not tell either: only their number is known.
        if n is None or n == game.score.n:
            marks.append(f"{theirs} is some of {setup.split}, perhaps others")
    elif setup.split != theirs:
        marks.append(f"instances {setup.split} here, {theirs} there")
    elif not isinstance(told, str):
        source = meta.instances.get(setup.game)
        digests = {source and source.sha256, told.get(setup.game, {}).get("sha256")} - {None}
        if len(digests) > 1:
            marks.append(f"instances {theirs} here and there, but not the same ones")
    if n is not None and n != game.score.n:
        marks.append(f"n {game.score.n} here, {n} there")
    for name, here, there in (
        ("partner", setup.partner, row.get("partner", entry.get("partner"))),
        ("learner's role", "+".join(setup.roles or ()) or "all", "+".join(row.get("roles") or ()) or "all"),
        ("version", meta.versions.get(setup.game), row.get("version")),
    ):
        if name == "version" and (here is None or there is None):
            continue  # of clembench's own games the set of instances tells it
        marks += _differing(name, here, there)
    return marks


def _differing(name: str, here: Any, there: Any) -> list[str]:
    if here == there and here is not None:
        return []
    if here is None and there is None:
        return [f"{name} not told"]
    values = [
        "not told" if value is None else f"{value:g}" if isinstance(value, float) else value for value in (here, there)
    ]
    return [f"{name} {values[0]} here, {values[1]} there"]


def _conditions(meta: RunMeta, entry: Mapping[str, Any]) -> list[str]:
    """Marks of the run as a whole."""
    marks = ["derived, not published"] if entry["kind"] == "derived" else []
    here = _precision(meta.dtype, meta.quantization)
    there = _precision(entry.get("dtype"), entry.get("quantization"))
    marks += _differing("precision", here, there)
    marks += _differing("temperature", _temperature(meta.generation), _temperature(entry.get("generation", {})))
    return marks


def _precision(dtype: str | None, quantization: str | None) -> str | None:
    """What the weights were; the number format beside a quantization is that of the computation."""
    return quantization or dtype


def _temperature(generation: Mapping[str, Any]) -> float | None:
    if generation.get("do_sample") is False:
        return 0.0
    value = generation.get("temperature")
    return float(value) if isinstance(value, int | float) else None


def against_grid(summary: Summary, entries: Sequence[Mapping[str, Any]]) -> Grid:
    """A run beside entries as a table: of one entry every axis and game, of several the axes."""
    found, notes = against(summary, entries), dict[str, int]()
    grid = _subjects(found[0], notes) if len(found) == 1 else _entries(found, notes)
    grid.title = (
        f"{summary.run.meta.label} against {'published or stored results' if len(found) > 1 else _name(found[0])}"
    )
    texts = {one.entry["note"]: None for one in found if "note" in one.entry and len(found) == 1}
    grid.notes = [
        "their figure (ours - theirs)",
        *texts,
        *(["not comparable because of"] if notes else []),
        *(f"{number}: {mark}" for mark, number in notes.items()),
    ]
    return grid


def _name(one: Against) -> str:
    return " ".join(filter(None, (one.entry["label"], one.entry["model"] and f"({one.entry['model']})")))


def _subjects(one: Against, notes: dict[str, int]) -> Grid:
    grid = Grid(["", ">clemscore", ">played %", ">quality", "see"])
    for index, row in enumerate(one.rows):
        if index and row.kind != one.rows[index - 1].kind:
            grid.rows.append([])
        cells = [_cell(row.ours[figure], row.theirs[figure]) for figure in FIGURES]
        grid.rows.append([row.subject, *cells, _numbers([*one.marks, *row.marks], notes)])
    return grid


def _entries(found: Sequence[Against], notes: dict[str, int]) -> Grid:
    axes = list(dict.fromkeys(row.subject for one in found for row in one.rows if row.kind == "axis"))
    grid = Grid(["clemscore", "model", *(f">{axis}" for axis in axes), "see"])
    for one in found:
        rows = {row.subject: row for row in one.rows if row.kind == "axis"}
        cells = [
            _cell(*(side["clemscore"] for side in (rows[axis].ours, rows[axis].theirs))) if axis in rows else "-"
            for axis in axes
        ]
        marks = [*one.marks, *(mark for row in rows.values() for mark in row.marks)]
        grid.rows.append([one.entry["label"], one.entry["model"] or "-", *cells, _numbers(marks, notes)])
    return grid


def _cell(ours: float | None, theirs: float | None) -> str:
    if theirs is None:
        return "-"
    # + 0.0, so that nothing is -0.00
    return f"{theirs:.2f}" + ("" if ours is None else f" ({round(ours - theirs, 2) + 0.0:+.2f})")


def _numbers(marks: Iterable[str], notes: dict[str, int]) -> str:
    return " ".join(str(notes.setdefault(mark, len(notes) + 1)) for mark in dict.fromkeys(marks))
