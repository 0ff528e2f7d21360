"""The tables of a comparison, and its JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from playpen_eval.compare.comparison import KINDS, Comparison, Effect
from playpen_eval.compare.pairing import EpisodePair
from playpen_eval.compare.several import Several
from playpen_eval.grid import Grid, number
from playpen_eval.report.summary import OVERALL

_ORDER = ("axis", "game", "capability", "benchmark")
_NOTES = (
    "change in points with its 95% interval: bootstrap over instances within games, one more instance at the bound",
    "p: of the same bootstrap, two-sided; Holm: adjusted for all games together; won: episodes won only after / only "
    "before, with McNemar's exact p",
    "detectable: the true change that a comparison of this size finds four times in five",
)


def comparison_grids(comparison: Comparison, most: int = 10) -> list[Grid]:
    """All tables of a comparison, the most condensed first."""
    grids = [effects_grid(comparison)]
    if comparison.paired.games:
        grids.append(shifts_grid(comparison))
        if changed := comparison.most_changed(most):
            grids.append(changed_grid(changed))
    return grids


def effects_grid(comparison: Comparison) -> Grid:
    """One line an axis, a game, a capability and a benchmark."""
    names = [summary.run.meta.label for summary in (comparison.before, comparison.after)]
    grid = Grid(
        ["", ">n", ">before", ">after", ">change", ">p", ">p (Holm)", ">won", ">detectable"],
        title=f"{names[0]} (before) to {names[1]} (after)",
        notes=[*_NOTES, *(f"! {doubt}" for doubt in comparison.doubts)],
    )
    for kind in _ORDER:
        rows = [effect for effect in comparison.effects if effect.kind == kind]
        # The overall figure closes the axes, as the sum of a bill.
        rows.sort(key=lambda effect: effect.subject == OVERALL)
        grid.rows += [_effect_row(effect) for effect in rows]
        grid.rows += [[]] if rows else []
    return grid


def _effect_row(effect: Effect) -> list[str]:
    found, test = effect.difference, effect.mcnemar
    won = f"+{test.gained} -{test.lost} ({_p(test.p)})" if test else ""
    name = effect.subject if effect.figure == "score" else f"{effect.subject}, {effect.figure}"
    return [
        name,
        str(found.n),
        number(found.before),
        number(found.after),
        number(found.effect, found.interval, signed=True),
        _p(found.p),
        "" if effect.p_holm is None else _p(effect.p_holm),
        won,
        number(effect.detectable),
    ]


def _p(p: float) -> str:
    return "<.001" if p < 0.001 else f"{p:.3f}".removeprefix("0")


def shifts_grid(comparison: Comparison) -> Grid:
    """How outcomes moved, by axis and game."""
    moves = [(one, other) for one in KINDS for other in KINDS if one != other]
    grid = Grid(
        ["outcomes", ">n", *(f">{one} to {other}" for one, other in moves), ">unchanged"], title="Outcome shifts"
    )
    for subjects in (comparison.axes, comparison.paired.games):
        for subject in subjects:
            counts = comparison.shifts(subject)
            same = sum(counts[kind, kind] for kind in KINDS)
            grid.rows.append(
                [subject, str(sum(counts.values())), *(str(counts[move] or "") for move in moves), str(same)]
            )
        grid.rows.append([])
    return grid


def changed_grid(pairs: Iterable[EpisodePair]) -> Grid:
    """Single episodes."""
    grid = Grid(["instance", "before", "after", ">change"], title="Most changed episodes")
    for pair in pairs:
        epoch = f" (epoch {pair.before.epoch})" if pair.before.epoch > 1 else ""
        outcomes = [f"{one.kind}" + ("" if one.score is None else f" {100 * one.score:.0f}") for one in pair]
        grid.rows.append([pair.before.instance + epoch, *outcomes, number(pair.change, signed=True)])
    return grid


def several_grids(several: Several) -> list[Grid]:
    """The axes of each run, and the matrix of changes for each axis."""
    summaries, names = several.summaries, several.labels
    subjects = [name for name, kind in several.subjects.items() if kind == "axis"]
    levels = Grid(["run", *(f">{subject}" for subject in subjects)], title="Scores of what the first two runs share")
    matrices = []
    for subject in subjects:
        matrix = Grid(["from \\ to", *(f">{name}" for name in names[1:])], title=f"Change of {subject}")
        for i, name in enumerate(names[:-1]):
            cells = []
            for j in range(1, len(names)):
                found = several.comparisons[i, j].difference(subject) if i < j else None
                cells.append("" if found is None else number(found.effect, found.interval, signed=True))
            matrix.rows.append([name, *cells])
        matrices.append(matrix)
    for index, _ in enumerate(summaries):
        levels.rows.append([names[index], *(number(several.level(index, subject)) for subject in subjects)])
    doubts = dict.fromkeys(doubt for one in several.comparisons.values() for doubt in one.doubts)
    levels.notes = [f"! {doubt}" for doubt in doubts]
    return [levels, *matrices]


def to_dict(comparison: Comparison) -> dict[str, Any]:
    """A comparison as JSON data."""
    paired = comparison.paired
    return {
        "before": comparison.before.run.meta.label,
        "after": comparison.after.run.meta.label,
        "effects": [
            {
                "subject": effect.subject,
                "kind": effect.kind,
                "figure": effect.figure,
                **effect.difference._asdict(),
                "detectable": effect.detectable,
                "p_holm": effect.p_holm,
                "mcnemar": effect.mcnemar._asdict() if effect.mcnemar else None,
            }
            for effect in comparison.effects
        ],
        "axes": {axis: list(labels) for axis, labels in comparison.axes.items()},
        "shifts": {
            subject: [[*kinds, n] for kinds, n in comparison.shifts(subject).items()]
            for subject in dict.fromkeys((*comparison.axes, *paired.games))
        },
        "most_changed": [
            {"instance": pair.before.instance, "epoch": pair.before.epoch, "change": pair.change}
            | {name: {"outcome": one.kind, "score": one.score} for name, one in zip(("before", "after"), pair)}
            for pair in comparison.most_changed()
        ],
        "only_before": dict(paired.only_before),
        "only_after": dict(paired.only_after),
        "left_out_for_partner_faults": dict(paired.partner_faults),
        "doubts": list(comparison.doubts),
    }


def several_to_dict(several: Several) -> dict[str, Any]:
    """All pairs of several runs as JSON data."""
    return {
        "runs": list(several.labels),
        "steps": several.steps and list(several.steps),
        "comparisons": [
            {"from": several.labels[i], "to": several.labels[j], **to_dict(one)}
            for (i, j), one in several.comparisons.items()
        ],
    }
