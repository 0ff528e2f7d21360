"""Compares two runs: `compare(before, after)`."""

from playpen_eval.compare.comparison import Comparison, Effect, compare
from playpen_eval.compare.pairing import ALLOWED
from playpen_eval.compare.several import Several, compare_several

__all__ = ["ALLOWED", "Comparison", "Effect", "Several", "compare", "compare_several"]
