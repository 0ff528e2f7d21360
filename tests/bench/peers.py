"""The side of `bench_games.py` that runs inside a peer's own virtual environment; needs the standard library only.

    python peers.py {textarena,clemcore} < JOB

The first line of standard input says what to play, as JSON; every further line, {"mode": ..., "episodes": ...}, is
answered by one line: {"steps": ..., "cpu_s": ...}, or {"error": ...}.
"""

from __future__ import annotations

import gc
import importlib
import itertools
import json
import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

Job = Callable[[], int]
"""Plays some episodes and returns the number of steps; everything that need not be timed was done before."""

Check = Callable[[], None]
"""Raises if a job did not play what it should have; not timed."""


def timed(job: Job) -> tuple[int, float]:
    """The steps of a job and the CPU time of this process, user and system, that they took."""
    gc.collect()  # nobody pays for what another case has left behind
    start = time.process_time()
    steps = job()
    return steps, time.process_time() - start


class TextArena:
    """Wordle-v0 in one reused environment.

    `reset()` leaves the messages of the episode before in the observation wrapper. They are cleared by hand: without
    it the observations grow with every episode, and making an environment anew loads the whole dictionary again.
    """

    def __init__(self, setup: dict[str, Any]):
        self.actions: list[str] = setup["actions"]
        nltk: Any = importlib.import_module("nltk")
        # The environment downloads word lists and a tagger when it is made.
        nltk.download = lambda *args, **kwargs: True
        nltk.pos_tag = lambda tokens: [(token, "NN") for token in tokens]
        nltk.corpus.words = _Words(setup["words"], setup["targets"])
        self.env = importlib.import_module("textarena").make("Wordle-v0")
        self.histories: list[dict[int, Any]] = []
        layer = self.env
        while layer is not None:
            if "full_observations" in vars(layer):
                self.histories.append(layer.full_observations)
            layer = vars(layer).get("env")

    def prepare(self, mode: str, episodes: int) -> tuple[Job, Check]:
        def job() -> int:
            env, steps = self.env, 0
            for _ in range(episodes):
                for history in self.histories:
                    history.clear()
                # Without a seed: seeding the global generator would cost the peer several microseconds more.
                env.reset(num_players=1)
                done, turn = False, 0
                while not done:
                    env.get_observation()
                    done, _info = env.step(action=self.actions[turn])
                    turn += 1
                env.close()
                steps += turn
            return steps

        def check() -> None:
            turns = len(self.env.state.game_state["guess_history"])
            if turns != len(self.actions):
                raise RuntimeError(f"the last episode had {turns} guesses instead of {len(self.actions)}")

        return job, check


class _Words:
    """Takes the place of NLTK's corpus `words`."""

    def __init__(self, words: Sequence[str], targets: Sequence[str]):
        self.lists = {"en": list(words), "en-basic": list(targets)}

    def words(self, name: str = "en") -> list[str]:
        return self.lists[name]


class Clemcore:
    """Taboo of a clembench checkout under clemcore's sequential runner, with or without its files."""

    def __init__(self, setup: dict[str, Any]):
        self.plays: list[dict[str, Any]] = setup["plays"]
        self.experiment: dict[str, Any] = setup["experiment"]
        self.folder = tempfile.TemporaryDirectory()
        os.chdir(self.folder.name)  # clemcore writes its log into the working directory
        self._stub_nltk(setup["stop_words"])
        self.clemgame = importlib.import_module("clemcore.clemgame")
        self.backends = importlib.import_module("clemcore.backends")
        self.files = importlib.import_module("clemcore.clemgame.callbacks.files")
        self.runner: Any = importlib.import_module("clemcore.clemgame.runners.sequential")
        self.runner.tqdm = lambda rows, **kwargs: rows  # a progress bar is not what is compared
        logging.disable(logging.CRITICAL)
        specs = self.clemgame.GameSpec.from_directory(str(Path(setup["checkout"]) / "taboo"))
        spec = next(spec for spec in specs if spec["game_name"] == "taboo")
        self.benchmark = self.clemgame.GameBenchmark.load_from_spec(spec)
        self.models = [self.backends.CustomResponseModel(), self.backends.CustomResponseModel()]
        self.script = iter(())
        for player in self.clemgame.Player.__subclasses__():
            # The runner plays one episode after the other: one stream of replies serves both players.
            player._custom_response = lambda _player, _context: next(self.script)

    def _stub_nltk(self, stop_words: Sequence[str]) -> None:
        corpus = Path(self.folder.name) / "nltk_data" / "corpora" / "stopwords"
        corpus.mkdir(parents=True)
        (corpus / "english").write_text("\n".join(stop_words) + "\n", encoding="utf-8")
        nltk: Any = importlib.import_module("nltk")
        nltk.data.path.insert(0, str(corpus.parent.parent))
        nltk.download = lambda *args, **kwargs: True  # the game downloads the stop words at import

    def prepare(self, mode: str, episodes: int) -> tuple[Job, Check]:
        plays = list(itertools.islice(itertools.cycle(self.plays), episodes))
        rows = [
            {
                "game_name": "taboo",
                "experiment": self.experiment,
                "game_instance": {"game_id": index, "target_word": play["target"], "related_word": play["related"]},
            }
            for index, play in enumerate(plays)
        ]
        instances = self.clemgame.GameInstances("taboo", rows)
        replies = [reply for play in plays for reply in play["replies"]]
        results = tempfile.TemporaryDirectory(dir=self.folder.name) if mode == "files" else None

        def job() -> int:
            self.script = iter(replies)
            callbacks = self._savers(Path(results.name)) if results else self.clemgame.GameBenchmarkCallbackList()
            self.runner.run(self.benchmark, instances, self.models, callbacks=callbacks)
            return len(replies)

        def check() -> None:
            left = len(list(self.script))
            if left:
                raise RuntimeError(f"{left} of {len(replies)} replies were not asked for: episodes ended early")
            if results:
                done = len(list(Path(results.name).rglob("completed.json")))
                results.cleanup()
                if done != episodes:
                    raise RuntimeError(f"{done} of {episodes} episodes were completed")

        return job, check

    def _savers(self, root: Path) -> Any:
        """What `clem run` registers."""
        files, model = self.files, self.backends.Model
        folder = files.ResultsFolder(root, run_dir=model.to_identifier(self.models))
        infos = model.to_infos(self.models)
        return self.clemgame.GameBenchmarkCallbackList(
            [
                files.InstanceFileSaver(folder),
                files.ExperimentFileSaver(folder, player_model_infos=infos),
                files.InteractionsFileSaver(folder, player_model_infos=infos),
                files.RunFileSaver(folder, player_model_infos=infos),
                files.PlayerFileSaver(folder),
                files.SignalFileSaver(folder),
            ]
        )


def main() -> None:
    """Answers requests until standard input ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a peer prints must not mix with the answers

    def answer(**fields: Any) -> None:
        print(json.dumps(fields), file=answers, flush=True)

    try:
        peer = {"textarena": TextArena, "clemcore": Clemcore}[sys.argv[1]](json.loads(sys.stdin.readline()))
        answer(ready=True)
        for line in sys.stdin:
            request = json.loads(line)
            job, check = peer.prepare(request["mode"], request["episodes"])
            steps, cpu_s = timed(job)
            check()
            answer(steps=steps, cpu_s=cpu_s)
    except Exception as error:  # the caller reports it and goes on without the peer
        answer(error=f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
