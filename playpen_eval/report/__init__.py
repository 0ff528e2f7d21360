"""The figures of runs, for people and for machines, from one source."""

from playpen_eval.report.game_table import figures, show, table
from playpen_eval.report.summary import Summary, summarise_run

__all__ = ["Summary", "figures", "show", "summarise_run", "table"]
