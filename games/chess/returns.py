"""The normalised score of LMRL-Gym."""

from __future__ import annotations

from typing import NamedTuple

from playpen_eval.lmrl import normalised


class Returns(NamedTuple):
    """What returns of a game are measured by: the lowest possible, the mean of the data policy, the highest."""

    lowest: float
    data: float
    highest: float

    def normalised(self, mean: float) -> float:
        """The score of a mean return: 0 for the lowest, 50 for that of the data, 100 for the highest.

        It is not linear, so it is taken of a mean over episodes and never averaged itself (paper, appendix E).
        """
        return 100 * normalised(mean, self.lowest, self.data, self.highest)
