"""The course of a test: the rule in force, when it changes, and what is counted."""

from __future__ import annotations

from collections.abc import Sequence

from playpen_eval.game import Outcome

RUN = 6
"""Right answers in a row that complete a category, after which the rule changes."""

HELD = 3
"""Right answers in a row after which an error is a failure to maintain set."""

PASS = 0.75
"""The least score of a success."""


def assured(trials: int, features: int) -> int:
    """How many right answers ideal play is sure of, however unlucky.

    At worst each rule is the last one tried, at the price of an error for every other feature; after a change the
    first of these errors is what tells of the change.
    """
    categories, rest = divmod(trials, RUN + features - 1)
    return categories * RUN + max(0, rest - (features - 1))


class Sorting:
    """One participant's way through the rules.

    Attributes:
        trials: Answers so far.
        right: Those that were right.
        categories: Categories completed.
    """

    def __init__(self, rules: Sequence[int]):
        self.trials = self.right = self.categories = 0
        self._rules = rules
        self._streak = self._perseverative = self._lost_sets = 0
        self._first_category: int | None = None

    def answer(self, feature: int | None) -> bool:
        """Takes an answer and says whether it was right.

        Args:
            feature: What the card and the chosen reference card have in common; None for nothing.
        """
        self.trials += 1
        if feature == self._rules[self.categories]:
            self.right += 1
            self._streak += 1
            if self._streak == RUN:
                self._complete()
            return True
        self._perseverative += self.categories > 0 and feature == self._rules[self.categories - 1]
        self._lost_sets += self._streak >= HELD
        self._streak = 0
        return False

    def _complete(self) -> None:
        self.categories += 1
        self._streak = 0
        if self._first_category is None:
            self._first_category = self.trials

    def outcome(self, features: int) -> Outcome:
        """The end of the test; `features` is how many features the cards have.

        The score is 0 for what one gets who chooses a feature blindly, and 1 for what ideal play is sure of.
        """
        least, most = self.trials / features, assured(self.trials, features)
        score = min(1.0, max(0.0, (self.right - least) / (most - least)))
        metrics = {
            "accuracy": self.right / self.trials,
            "categories": self.categories,
            "perseverative_errors": self._perseverative,
            "nonperseverative_errors": self.trials - self.right - self._perseverative,
            "failures_to_maintain_set": self._lost_sets,
            "trials_to_first_category": self._first_category,
        }
        end = Outcome.success if score >= PASS else Outcome.lose
        return end(score, f"{self.right} of {self.trials} right, {self.categories} categories", metrics=metrics)
