"""The table that clembench's evaluation writes, results.csv, out of our outcomes."""

from __future__ import annotations

import csv
import io
import statistics
from collections.abc import Mapping, Sequence

from playpen_eval.errors import UserError
from playpen_eval.registry import scan
from playpen_eval.report.summary import OVERALL, Summary, axis_members, by_setup
from playpen_eval.scoring import EpisodeScore, clemscore, round_half_even, summarise

STATSCORE = "statscore"
CLEMSCORE = "-, clemscore"


def results_row(games: Mapping[str, Sequence[EpisodeScore]]) -> dict[str, float | None]:
    """The columns of one model, in clembench's order and with its rounding.

    Args:
        games: clembench's name of a game -> its episodes.

    Returns:
        Column -> value; None where clembench leaves a cell empty, as for the quality of a game that was always aborted.
    """
    scores = {name: summarise(episodes, intervals=False) for name, episodes in games.items()}
    total = clemscore({name: (score.played, score.quality) for name, score in scores.items()})
    blocks: dict[str, dict[str, float | None]] = {
        "all": {"Average % Played": total.played, "Average Quality Score": total.quality}
    }
    for name, score in scores.items():
        counted = [one.score for one in games[name] if one.score is not None and not one.partner_fault]
        spread = statistics.stdev(100 * value for value in counted) if len(counted) > 1 else None
        blocks[name] = {"% Played": score.played, "Quality Score": score.quality, "Quality Score (std)": spread}
    columns = {f"{name}, {column}": value for name, block in blocks.items() for column, value in block.items()}
    columns[CLEMSCORE] = total.clemscore
    return {column: None if value is None else round_half_even(value) for column, value in sorted(columns.items())}


def results_csv(summaries: Sequence[Summary], axis: str | None = None) -> str:
    """The text of results.csv, a row per run.

    Args:
        summaries: The runs; the first column names the model, or the run where two are of one model.
        axis: `OVERALL` or another axis, whose games make the table; clembench has one table for the clemscore and one
            for the statscore. By default `OVERALL`, or the statscore where nothing else was played.

    Raises:
        UserError: No run has played a game of the axis.
    """
    if axis is None:
        axis = OVERALL if any(OVERALL in summary.axes for summary in summaries) else STATSCORE
    chosen = [summary for summary in summaries if axis in summary.axes]
    if not chosen:
        raise UserError(f"no episodes for results.csv: none of the runs has played a game of {axis}")
    models = [summary.run.meta.model for summary in chosen]
    rows = [_row(summary, axis) for summary in chosen]
    columns = sorted({column for row in rows for column in row})
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["", *columns])
    for summary, model, row in zip(chosen, models, rows):
        name = model if model and models.count(model) == 1 else summary.run.meta.label
        writer.writerow([name, *(row.get(column) for column in columns)])
    return text.getvalue()


def _row(summary: Summary, axis: str) -> dict[str, float | None]:
    known, groups = scan().games, by_setup(summary.run.episodes)
    members, _ = axis_members({label: game.setup for label, game in summary.games.items()})
    return results_row(
        {
            known[game].upstream_name if game in known else game: [one.score_entry for one in groups[label]]
            for game, label in members[axis].items()
        }
    )
