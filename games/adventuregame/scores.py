"""The numbers of an episode; they have clembench's names."""

from __future__ import annotations

from collections.abc import Mapping

from playpen_eval.game import Deferred

from .domain import Action
from .session import Seen, Session, Turn

FAILURES = (
    "lark_exception",
    "malformed_command",
    "undefined_action_verb",
    "undefined_action",
    "undefined_repr_str",
    "manipulating_room",
    "undefined_argument_type",
    "taking_from_inventory",
    "other_room_argument",
    "domain_trait_type_mismatch",
    "domain_type_discrepancy",
    "world_state_discrepancy",
    "entity_not_accessible",
    "entity_state_mismatch",
    "entity_trait_mismatch",
    "entity_already_inventory",
    "going_to_current_room",
    "no_exit_to",
    "inventory_limit_exceeded",
)
PHASES = ("parsing", "resolution")


def numbers(session: Session, *, limit_loss: bool) -> dict[str, Deferred]:
    """The metrics and rounds of an outcome, computed when they are read."""
    rounds = Deferred(lambda: {str(index): _turn(session, turn) for index, turn in enumerate(session.turns)})
    return {"metrics": Deferred(lambda: _episode(session, rounds, limit_loss=limit_loss)), "rounds": rounds}


def _turn(session: Session, turn: Turn) -> dict[str, float]:
    result = turn.result
    row: dict[str, float] = {
        "request_count": 1,
        "parsed_request_count": int(not turn.fault),
        "violated_request_count": int(bool(turn.fault)),
        "command_tag_missing": int(turn.fault == "command_tag_missing"),
        "next_actions_missing": int(turn.fault == "next_actions_missing"),
        "hallucination": int(turn.hallucinated),
    }
    row |= {f"action_{phase}_fail": int(result is not None and result.phase == phase) for phase in PHASES}
    row |= {kind: int(result is not None and result.failure == kind) for kind in FAILURES}
    row |= {"goal_score": turn.goals}
    if turn.seen and turn.before and result:
        row |= _exploration(session, turn.before, turn.seen, result.action)
    ratio = turn.plan_success if session.instance["variant"] == "plan" else 0
    return row | {
        "plan_followed": int(turn.plan_followed),
        "plan_command_success_ratio": ratio,
        "bad_plan_followed": 0,
    }


def _exploration(session: Session, before: Seen, seen: Seen, action: Action | None) -> dict[str, float]:
    epistemic = action is not None and action.epistemic
    wanted = {thing for goal in session.goals for thing in goal[1:]}
    located = [fact[1] for fact in seen.known if fact[0] == "at"]
    return {
        "epistemic_action": int(epistemic),
        "pragmatic_action": int(action is not None and action.pragmatic),
        "effective_epistemic_gain_amount": len(seen.known - before.known) if epistemic else 0,
        "known_entities_ratio": len(located) / len(session.world.typed),
        "visited_rooms_ratio": len(seen.rooms) / len(session.world.rooms),
        "known_goal_entities_ratio": sum(thing in wanted for thing in located) / len(wanted),
    }


def _episode(
    session: Session, rounds: Mapping[str, Mapping[str, float]], *, limit_loss: bool
) -> dict[str, float | None]:
    rows, turns = list(rounds.values()), len(session.turns)

    def total(name: str) -> float:
        return sum(row.get(name, 0) for row in rows)

    counts = [f"{prefix}request_count" for prefix in ("", "parsed_", "violated_")]
    failed = [f"action_{phase}_fail" for phase in PHASES]
    found: dict[str, float | None] = {name: total(name) for name in (*counts, *failed, *FAILURES)}
    parsed = total("parsed_request_count")
    best = session.instance["optimal_turns"]
    over = turns - best
    span = session.instance["max_turns"] - best
    speed = (over / span if span else 0.0) if session.finished else None
    pairs = list(zip(session.turns, session.turns[1:], strict=False))
    # By our rules only replies with a plan are counted, by clembench's all.
    plans = max(1, sum(turn.planned for turn in session.turns)) if session.rules.own else turns
    bad = sum(turn.plan_followed and not last.plan_success for last, turn in pairs) / plans
    return found | {
        "request_success_ratio": parsed / turns,
        "hallucination_count": total("hallucination"),
        "successful_actions": parsed - sum(total(name) for name in failed),
        "turn_limit_loss": int(limit_loss),
        "turns_over_par": over if session.finished else None,
        "turn_ratio": None if speed is None else 1 - speed,
        "finish_speed": speed,
        "achieved_goal_ratio": len(session.reached) / len(session.goals),
        "plan_followed_ratio": sum(turn.plan_followed for _, turn in pairs) / plans,
        "plan_average_viability_ratio": sum(turn.plan_success for turn in session.turns) / plans,
        "bad_plan_follow_ratio": bad,
        "bad_plan_dismiss_ratio": 1 - bad,
    }
