"""What the games of LMRL-Gym (arXiv 2311.18232) share: its scale for returns."""

from __future__ import annotations


def normalised(value: float, worst: float, average: float, best: float) -> float:
    """A return on the paper's scale (appendix E), divided by 100 and cut off at both ends.

    Args:
        value: The return of an episode.
        worst: What is worth 0.
        average: What is worth 0.5: the mean of the data that offline methods learn from.
        best: What is worth 1.
    """
    if value >= best:
        return 1.0
    if value >= average:
        return 0.5 + 0.5 * (value - average) / (best - average)
    return max(0.0, 0.5 * (value - worst) / (average - worst))
