"""One scorer for all games; it reads the outcome, and computes what clembench computes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from inspect_ai.log import EvalLog, HeadlineMetric
from inspect_ai.scorer import Metric, SampleScore, Score, Scorer, Target, metric, scorer
from inspect_ai.solver import TaskState

from playpen_eval.game import Outcome
from playpen_eval.inspect.solver import RECORD
from playpen_eval.scoring import (
    EpisodeScore,
    GameScore,
    clemscore,
    clemscore_error,
    episode_score,
    standard_error,
    summarise,
)

HEADLINE = HeadlineMetric(metric="clemscore")


@metric(scores="unreduced")
def game_metrics() -> Metric:
    """clemscore, played, quality with standard errors, success and aborted (each 0-100), and by experiment.

    Every epoch is an episode; errors take epochs of one instance as a cluster. A figure that is not defined (the
    quality where nothing was played) is NaN, as Inspect has it.
    """

    def compute(scores: list[SampleScore]) -> dict[str, float]:
        episodes = [_from_value(sample.score) for sample in scores]
        experiments = [(sample.sample_metadata or {}).get("experiment", "default") for sample in scores]
        result = _figures(episodes, [sample.sample_id for sample in scores])
        if len(set(experiments)) > 1:
            for name in dict.fromkeys(experiments):
                part = [score for score, experiment in zip(episodes, experiments) if experiment == name]
                result[f"clemscore/{name}"] = number(summarise(part, intervals=False).clemscore)
        return result

    return compute


@metric(scores="unreduced")
def axis_metrics() -> Metric:
    """clemscore, played and quality over the games of an axis, each game counting the same, and for every game.

    Only the clemscore over games follows clembench's rounding; a game's own is its played x quality / 100. `games`
    is the number of games that have an episode: fewer than the axis has under `--limit`, or where every sample failed.
    """

    def compute(scores: list[SampleScore]) -> dict[str, float]:
        games: dict[str, list[SampleScore]] = {}
        for sample in scores:
            games.setdefault((sample.sample_metadata or {})["game"], []).append(sample)
        episodes = {name: [_from_value(sample.score) for sample in part] for name, part in games.items()}
        instances = {name: [sample.sample_id for sample in part] for name, part in games.items()}
        figures = {name: _figures(episodes[name], instances[name]) for name in games}
        total = clemscore({name: (_defined(f["played"]), _defined(f["quality"])) for name, f in figures.items()})
        result = {
            "clemscore": number(total.clemscore),
            "clemscore_stderr": number(clemscore_error(episodes, instances)),
            "played": number(total.played),
            "quality": number(total.quality),
            "games": float(len(games)),
            "partner_aborted": math.fsum(f["partner_aborted"] for f in figures.values()),
        }
        for figure in ("clemscore", "played", "quality"):
            result |= {f"{figure}/{name}": figures[name][figure] for name in games}
        return result

    return compute


def _figures(episodes: Sequence[EpisodeScore], instances: Sequence[object]) -> dict[str, float]:
    score = summarise(episodes, intervals=False)
    share = 100 / score.n if score.n else math.nan
    counted = [(e, i) for e, i in zip(episodes, instances) if not e.partner_fault]

    def error(values: Mapping[int, float]) -> float:
        return number(standard_error(list(values.values()), [counted[index][1] for index in values]))

    played = {index: 100.0 * (e.kind != "aborted") for index, (e, _) in enumerate(counted)}
    quality = {index: 100 * e.score for index, (e, _) in enumerate(counted) if e.score is not None}
    # played x quality / 100 is the mean over all episodes if an aborted one counts as 0.
    worth = {index: quality.get(index, 0.0) for index in played}
    return {
        "clemscore": number(score.clemscore),
        "clemscore_stderr": error(worth),
        "played": number(score.played),
        "played_stderr": error(played),
        "quality": number(score.quality),
        "quality_stderr": error(quality),
        "success": share * score.success,
        "aborted": share * score.aborted,
        "partner_aborted": float(score.partner_aborted),
    }


def number(value: float | None) -> float:
    """A figure as Inspect has it: NaN where it is not defined."""
    return math.nan if value is None else value


def _defined(value: float) -> float | None:
    return None if math.isnan(value) else value


def game_scores(log: EvalLog, *, lowest: float = 0.0) -> GameScore:
    """The figures of one log, with intervals; epochs of one instance are a cluster.

    Args:
        log: Log of a playpen task, with its samples.
        lowest: The lowest score possible (`Game.lowest_score`).

    Raises:
        ValueError: The log was read without samples.
    """
    if log.samples is None:
        raise ValueError(f"the log of {log.eval.task} was read without its samples")
    scored = [(_from_value(sample.scores["episode"]), sample.id) for sample in log.samples if sample.scores]
    return summarise([score for score, _ in scored], [instance for _, instance in scored], lowest=lowest)


@scorer(metrics=[game_metrics()])
def episode() -> Scorer:
    """Scores an episode by its outcome."""

    async def score(state: TaskState, target: Target) -> Score:
        record = state.store.get(RECORD)
        roles = record["learner_roles"]
        if record["outcome"] is None:
            # Whoever was to move used the limit up; a partner's delay says nothing about the learner.
            outcome = Outcome.aborted(record["to_move"], "a limit of the evaluation ended the episode")
        else:
            outcome = Outcome.from_dict(record["outcome"])
        said = [f"{role}: {reply}" for role, reply in zip(record["roles"], record["replies"], strict=True)]
        return Score(
            value=_to_value(episode_score(outcome, roles)),
            answer=outcome.kind,
            explanation="\n\n".join([*said, f"{outcome.kind}: {outcome.reason}"]),
            metadata={
                "reason": outcome.reason,
                "faulty_role": outcome.faulty_role,
                "turns": len(record["replies"]),
            },
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
