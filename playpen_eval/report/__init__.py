"""The figures of runs, for people and for machines, from one source."""

from playpen_eval.report.summary import Summary, summarise_run
from playpen_eval.report.tables import figures, games_grid, report_grids

__all__ = ["Summary", "figures", "games_grid", "report_grids", "summarise_run"]
