"""Dialogue games as multi-turn tasks for Inspect AI and lm-evaluation-harness.

A game's author needs `Game`, `Ask`, `Outcome` and `Abort`; whoever plays one needs `load_game`, `Episode` and a driver.
"""

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from playpen_eval.drivers import lockstep, play_async
from playpen_eval.episode import Episode, Message, Observation, Turn
from playpen_eval.game import Abort, Ask, Game, Outcome
from playpen_eval.registry import load_game, load_games

_checkout = Path(__file__).resolve().parent.parent
if (_checkout / "pyproject.toml").is_file() and (_checkout / "games").is_dir():
    # In a checkout the plugin folders lie beside this package, in a wheel inside it; their names are the same.
    __path__.append(str(_checkout))

try:
    __version__ = version("playpen-eval")
except PackageNotFoundError:  # a checkout that was put on sys.path without an install
    __version__ = "0+unknown"

__all__ = [
    "Abort",
    "Ask",
    "Episode",
    "Game",
    "Message",
    "Observation",
    "Outcome",
    "Turn",
    "__version__",
    "load_game",
    "load_games",
    "lockstep",
    "play_async",
]
