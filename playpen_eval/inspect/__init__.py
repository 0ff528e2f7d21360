"""Inspect AI adapter. Inspect imports this package through the entry point `playpen`."""

from playpen_eval.inspect.local_provider import playpen_local
from playpen_eval.inspect.provider import playpen_scripted
from playpen_eval.inspect.registration import task
from playpen_eval.inspect.scorer import episode, game_metrics, game_scores
from playpen_eval.inspect.skills import register_skills
from playpen_eval.inspect.solver import dialogue_game
from playpen_eval.inspect.tasks import game_task, register_all

register_all()
register_skills()

__all__ = [
    "dialogue_game",
    "episode",
    "game_metrics",
    "game_scores",
    "game_task",
    "playpen_local",
    "playpen_scripted",
    "task",
]
