"""CPU time per turn that the lm-eval adapter adds to a model that answers at once.

    python tests/bench/bench_lmeval.py [--episodes N] [--repeats N] [--json]

Plays taboo in lockstep through `LM.playpen_dialogue`, the model giving the scripted players' replies, and compares
with a bare loop that has the same prompts ready and only calls `generate_until` once per round. The difference is
everything else: the conversations, the requests, the records, and the game itself, which is also timed alone.
"""

from __future__ import annotations

import argparse
import itertools
import json
import logging
import statistics
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

try:
    from lm_eval.api.model import LM

    from playpen_eval.drivers import lockstep
    from playpen_eval.episode import Episode, Observation
    from playpen_eval.game import Game, Instance
    from playpen_eval.instances import generate
    from playpen_eval.lmeval.driver import playpen_dialogue
    from playpen_eval.lmeval.player import Request
    from playpen_eval.players import scripted
    from playpen_eval.registry import load_game
except ModuleNotFoundError as missing:
    raise SystemExit(f"{missing}; install the project first: python -m pip install -e '.[lm-eval]'") from None

BAR = 20.0  # microseconds of CPU a turn
SETTINGS = {"until": [], "do_sample": False, "temperature": 0.0, "max_gen_toks": 300}


class InstantLM(LM):
    """Knows the reply to every prompt."""

    def __init__(self, replies: dict[str, str]):
        super().__init__()
        self.replies = replies

    def loglikelihood(self, requests: list[Any]) -> list[Any]:
        """Not needed."""
        raise NotImplementedError

    loglikelihood_rolling = loglikelihood

    def apply_chat_template(self, chat_history: list[Any], add_generation_prompt: bool = True) -> str:
        """The texts in a row, as cheap as can be."""
        return "\n".join([message["content"] for message in chat_history])

    def generate_until(self, requests: list[Any]) -> list[str]:
        """Looks the replies up."""
        return [self.replies.get(request.args[0], "") for request in requests]


def rehearse(game: Game, instances: list[Instance]) -> tuple[InstantLM, list[list[list[Any]]]]:
    """Plays once by script: the model that repeats it, and the conversations of every round."""
    lm = InstantLM({})
    rounds: list[list[list[Any]]] = []
    expert = scripted()

    def reply(observations: Any) -> list[str]:
        rounds.append([observation.messages for observation in observations])
        texts = list(expert(observations))
        for observation, text in zip(observations, texts, strict=True):
            lm.replies[prompt(lm, observation)] = text
        return texts

    lockstep([Episode(game, instance) for instance in instances], reply)
    return lm, rounds


def prompt(lm: InstantLM, observation: Observation) -> str:
    """What the model is sent."""
    return lm.apply_chat_template(observation.messages)


def bare(lm: InstantLM, rounds: list[list[list[Any]]]) -> None:
    """What anybody pays who calls the harness's model once per round."""
    for conversations in rounds:
        lm.generate_until([Request((lm.apply_chat_template(messages), SETTINGS)) for messages in conversations])


def game_alone(game: Game, instances: list[Instance], records: list[dict[str, Any]]) -> None:
    """The engine and the game's rules without any harness."""
    for instance, record in zip(instances, records, strict=True):
        episode = Episode(game, instance)
        for reply in record["replies"]:
            episode.observe()
            episode.act(reply)


def cpu(action: Callable[[], object]) -> float:
    """CPU seconds of one call."""
    start = time.process_time()
    action()
    return time.process_time() - start


def measure(episodes: int, repeats: int) -> dict[str, float]:
    """The figures, each the median over the repetitions, the two sides taking turns."""
    game = load_game("taboo")
    streams = [generate(game, "train", experiment) for experiment in game.experiments]
    mixed = itertools.chain.from_iterable(zip(*streams, strict=False))
    instances = list(itertools.islice(mixed, episodes))
    lm, rounds = rehearse(game, instances)
    what = {"game": game.name, "role": None, "partner": "self"}
    requests = [
        SimpleNamespace(args=("", SETTINGS, what), doc={"instance": json.dumps(instance)}) for instance in instances
    ]
    turns = sum(map(len, rounds))
    records = [json.loads(text) for text in playpen_dialogue(lm, requests)]
    played = sum(len(record["replies"]) for record in records)
    if played != turns or not any(record["outcome"]["kind"] == "success" for record in records):
        raise SystemExit(f"the adapter played {played} turns where the scripted players need {turns}")
    ours, theirs, alone = [], [], []
    for _ in range(repeats):
        theirs.append(cpu(lambda: bare(lm, rounds)))
        ours.append(cpu(lambda: playpen_dialogue(lm, requests)))
        alone.append(cpu(lambda: game_alone(game, instances, records)))
    adapter, loop, rules = (1e6 * statistics.median(samples) / turns for samples in (ours, theirs, alone))
    return {
        "episodes": len(instances),
        "turns": turns,
        "adapter_us_per_turn": adapter,
        "game_us_per_turn": rules,
        "bare_us_per_turn": loop,
        "ratio": adapter / loop,
        "difference_us_per_turn": adapter - loop,
        "bar_us_per_turn": BAR,
    }


def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--episodes", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--json", action="store_true", help="print JSON")
    args = parser.parse_args()
    logging.disable(logging.INFO)
    figures = measure(args.episodes, args.repeats)
    if args.json:
        print(json.dumps(figures, indent=2))
        return
    print(f"{figures['episodes']} taboo episodes, {figures['turns']} turns, CPU microseconds a turn (median):")
    print(f"  adapter, game included  {figures['adapter_us_per_turn']:6.1f}")
    print(f"  game and engine alone   {figures['game_us_per_turn']:6.1f}")
    print(f"  bare generate_until     {figures['bare_us_per_turn']:6.1f}")
    verdict = "met" if figures["difference_us_per_turn"] < BAR else "MISSED"
    print(
        f"  ratio {figures['ratio']:.1f}, difference {figures['difference_us_per_turn']:.1f} (bar {BAR:.0f}: {verdict})"
    )


if __name__ == "__main__":
    main()
