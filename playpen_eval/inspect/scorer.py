"""One scorer for all games; it reads the outcome, and computes what clembench computes."""

from __future__ import annotations

import math
from collections import defaultdict

from inspect_ai.log import EvalLog, HeadlineMetric
from inspect_ai.scorer import Metric, SampleScore, Score, Scorer, Target, metric, scorer
from inspect_ai.solver import TaskState

from playpen_eval.game import Outcome
from playpen_eval.inspect.solver import RECORD
from playpen_eval.scoring import EpisodeScore, GameScore, episode_score, summarise

HEADLINE = HeadlineMetric(metric="clemscore")


@metric(scores="unreduced")
def game_metrics() -> Metric:
    """clemscore, played, quality, success and aborted (each 0-100) over all episodes, and by experiment.

    A figure that is not defined (the quality where nothing was played) is NaN, as Inspect has it.
    """

    def compute(scores: list[SampleScore]) -> dict[str, float]:
        by_experiment: dict[str, list[EpisodeScore]] = defaultdict(list)
        for sample in scores:
            experiment = (sample.sample_metadata or {}).get("experiment", "default")
            by_experiment[experiment].append(_from_value(sample.score))
        result = _figures(summarise([score for part in by_experiment.values() for score in part], intervals=False))
        if len(by_experiment) > 1:
            for experiment, part in by_experiment.items():
                result[f"clemscore/{experiment}"] = _number(summarise(part, intervals=False).clemscore)
        return result

    return compute


def _figures(score: GameScore) -> dict[str, float]:
    share = 100 / score.n if score.n else math.nan
    return {
        "clemscore": _number(score.clemscore),
        "played": _number(score.played),
        "quality": _number(score.quality),
        "success": share * score.success,
        "aborted": share * score.aborted,
        "partner_aborted": float(score.partner_aborted),
    }


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def game_scores(log: EvalLog) -> GameScore:
    """The figures of one log, with intervals.

    Args:
        log: Log of a playpen task, with its samples.

    Raises:
        ValueError: The log was read without samples.
    """
    if log.samples is None:
        raise ValueError(f"the log of {log.eval.task} was read without its samples")
    return summarise([_from_value(sample.scores["episode"]) for sample in log.samples if sample.scores])


@scorer(metrics=[game_metrics()])
def episode() -> Scorer:
    """Scores an episode by its outcome."""

    async def score(state: TaskState, target: Target) -> Score:
        record = state.store.get(RECORD)
        roles = record["learner_roles"]
        if record["outcome"] is None:
            outcome = Outcome.aborted(roles[0], "a limit of the evaluation ended the episode")
        else:
            outcome = Outcome.from_dict(record["outcome"])
        said = [f"{role}: {reply}" for role, reply in zip(record["roles"], record["replies"], strict=True)]
        return Score(
            value=_to_value(episode_score(outcome, roles)),
            answer=outcome.kind,
            explanation="\n\n".join([*said, f"{outcome.kind}: {outcome.reason}"]),
            metadata={"reason": outcome.reason, "faulty_role": outcome.faulty_role},
        )

    return score


def _to_value(score: EpisodeScore) -> dict[str, float]:
    """The sample's figures; all NaN where a partner broke the protocol, which Inspect then leaves out."""
    if score.partner_fault:
        return {"played": math.nan, "success": math.nan, "quality": math.nan}
    return {
        "played": float(score.kind != "aborted"),
        "success": float(score.kind == "success"),
        "quality": math.nan if score.score is None else 100 * score.score,
    }


def _from_value(score: Score) -> EpisodeScore:
    value = {name: float(number) for name, number in score.as_dict().items() if isinstance(number, int | float)}
    if math.isnan(value["played"]):
        return EpisodeScore("aborted", None, partner_fault=True)
    if not value["played"]:
        return EpisodeScore("aborted", None)
    return EpisodeScore("success" if value["success"] else "lose", value["quality"] / 100)
