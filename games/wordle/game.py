"""Wordle in three variants that share one implementation; README.md tells the rules in words."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, ClassVar

from playpen_eval.errors import UserError
from playpen_eval.game import Abort, Ask, Deferred, Game, Instance, Outcome, ScriptedPlayer, View

from . import scripted
from .feedback import closeness, mark, strategy
from .rules import ClembenchRules, Rules, Said
from .words import ALLOWED_LIST, CLUED, CLUES, TARGETS

LENGTH = 5


class Wordle(Game):
    """Find a five-letter word in six guesses, with feedback for every letter."""

    name = "wordle"
    version = 1
    suite = "playpen"
    roles = ("guesser",)
    learner = "guesser"
    experiments = ("high", "medium")
    sizes = {"train": 80, "validation": 20, "test": 25}
    visible: ClassVar[Mapping[str, tuple[str, ...]]] = {"guesser": ("rounds", "retries")}
    variant: ClassVar[str] = "plain"

    def play(self, instance: Instance) -> Generator[Ask, str, Outcome]:
        """A round ends with a guess that counts; before it the critic may comment on a proposal."""
        rules = (ClembenchRules if "rules" in instance else Rules)(instance, self.variant)
        record = _Record(critic=self.variant == "with_critic")
        target, rounds = instance["target"], instance["rounds"]
        try:
            for round_ in range(1, rounds + 1):
                text = rules.feedback(*record.rows[-1], rounds - round_ + 1) if record.rows else rules.opening()
                guess = yield from self._guess(text, rules, record)
                if record.critic:
                    proposal = guess
                    judgement = yield from self._judge(rules.to_critic(round_, proposal), rules, record)
                    guess = yield from self._guess(rules.judgement(judgement), rules, record)
                    record.opinions.append((guess.word != proposal.word, judgement.word == rules.answers[0]))
                marks = mark(target, guess.word)
                record.rows.append((guess.word, marks))
                if guess.word == target:
                    return Outcome.success(self.score(round_), "the word was found", **record.numbers())
        except Abort as abort:
            return Outcome.aborted(abort.role, abort.reason, **record.numbers(aborted=True))
        return Outcome.lose(0.0, "out of guesses", **record.numbers())

    def _guess(self, text: str, rules: Rules, record: _Record) -> Generator[Ask, str, Said]:
        """Asks for a guess until it is a known word, or `retries` more times at most."""
        for _ in range(rules.instance["retries"] + 1):
            reply = yield Ask("guesser", text)
            record.requests += 1
            said = rules.read("guesser", reply, "guess:")
            if said.word in rules.words:
                record.parsed += 1
                return said
            if not rules.is_word(said.word):
                raise Abort("guesser", "the guess is not a word of letters")
            if len(said.word) != LENGTH:
                raise Abort("guesser", f"the guess has {len(said.word)} letters instead of {LENGTH}")
            record.parsed += 1
            text = rules.unknown()
        raise Abort("guesser", "too many words in a row that are not in the dictionary")

    def _judge(self, text: str, rules: Rules, record: _Record) -> Generator[Ask, str, Said]:
        reply = yield Ask("critic", text)
        record.requests += 1
        said = rules.read("critic", reply, "agreement:")
        if said.word not in rules.answers:
            raise Abort("critic", "the agreement is neither yes nor no")
        record.parsed += 1
        return said

    def score(self, round_: int) -> float:
        """clembench's table for a win in a round: full marks up to the third."""
        return {1: 1.0, 2: 1.0, 3: 1.0, 4: 0.5, 5: 0.3}.get(round_, 0.2)

    def max_turns(self, instance: Instance) -> int:
        """Every guess that counts may follow `retries` unknown words."""
        guesses = instance["retries"] + 1
        return instance["rounds"] * (2 * guesses + 1 if self.variant == "with_critic" else guesses)

    def generate(self, experiment: str, rng: Random) -> Instance:
        """A target of the level."""
        return {"target": rng.choice(TARGETS[experiment]), "rounds": 6, "retries": 5}

    def key(self, instance: Instance) -> str:
        """Splits share no target, not even between the variants."""
        return instance["target"]

    def scripted(self, role: str, view: View, style: str) -> ScriptedPlayer:
        """An information-gain guesser and a critic that knows the clues."""
        if style == "breaker":
            return scripted.breaker(view)
        return scripted.critic(view) if role == "critic" else scripted.guesser(view)

    def solution(self, instance: Instance, *, last: bool = False) -> list[str]:
        """The target, after wrong guesses in all earlier rounds if `last`."""
        wrong = next(word for word in ALLOWED_LIST if word != instance["target"])
        words = [wrong] * (instance["rounds"] - 1 if last else 0) + [instance["target"]]
        turns = [f"explanation: a word\nguess: {word}" for word in words]
        if self.variant != "with_critic":
            return turns
        return [reply for turn in turns for reply in (turn, "explanation: it may fit\nagreement: yes", turn)]

    def from_clembench(self, experiment: Mapping[str, Any], instance: Mapping[str, Any], version: str) -> Instance:
        """Versions 2.0 and 3.0 have one file format; they differ in how replies are read."""
        if "lang_keywords" not in experiment:
            raise UserError(f"{self.name}: clembench instances before version 1.6 teach a form that is not accepted")
        texts = dict(experiment["lang_keywords"])
        words = texts.pop("official_words_list")
        config = experiment["common_config"]
        return {
            "target": instance["target_word"],
            "clue": instance["target_word_clue"].strip(),
            "rounds": config["n_turns"],
            "retries": config["max_retry_per_error"]["NOT_VALID_WORD_FOR_GAME"],
            "words": " ".join(words),
            "texts": texts,
            "prompts": {"guesser": experiment["guesser_prompt"], "critic": experiment["guesser_critic_prompt"]},
        }


class WordleWithClue(Wordle):
    """Wordle with a clue to the word's meaning."""

    name = "wordle_withclue"
    variant = "with_clue"
    visible = {"guesser": ("rounds", "retries", "clue")}

    def generate(self, experiment: str, rng: Random) -> Instance:
        """A target of the level that has a clue."""
        word = rng.choice(CLUED[experiment])
        return {"target": word, "clue": CLUES[word], "rounds": 6, "retries": 5}

    def score(self, round_: int) -> float:
        """1 / round, to two decimals of the percentage as clembench has it."""
        return round(100 / round_, 2) / 100


class WordleWithCritic(WordleWithClue):
    """Wordle with a clue and a critic who judges every proposal before the guess that counts."""

    name = "wordle_withcritic"
    roles = ("guesser", "critic")
    learner = "guesser"
    variant = "with_critic"
    visible = {"guesser": ("rounds", "retries", "clue"), "critic": ("clue",)}


@dataclass
class _Record:
    """What happened, and the numbers clembench makes of it (clembench of July 2025)."""

    critic: bool
    requests: int = 0
    parsed: int = 0
    rows: list[tuple[str, str]] = field(default_factory=list)
    opinions: list[tuple[bool, bool]] = field(default_factory=list)
    """(the guess differs from the proposal, the critic agreed) for every round."""

    def numbers(self, aborted: bool = False) -> dict[str, Deferred]:
        """Metrics of the episode and of its rounds, as arguments of an outcome."""
        return {"metrics": Deferred(lambda: self._metrics(aborted)), "rounds": Deferred(lambda: self._rounds(aborted))}

    def _metrics(self, aborted: bool) -> dict[str, float | None]:
        guesses = [guess for guess, _ in self.rows]
        metrics: dict[str, float | None] = {
            "request_count": self.requests,
            "parsed_request_count": self.parsed,
            "violated_request_count": self.requests - self.parsed,
            "request_success_ratio": self.parsed / self.requests,
            "guess_repetitions": None if aborted else len(guesses) - len(set(guesses)),
        }
        return metrics | self._opinion_shares() if self.critic else metrics

    def _rounds(self, aborted: bool) -> dict[str, dict[str, float | None]]:
        if not self.rows:
            return {"0": {"closeness_score": None, "strategy_score": None}}
        rounds: dict[str, dict[str, float | None]] = {}
        for index, ((_, marks), score) in enumerate(zip(self.rows, strategy(self.rows, aborted), strict=True), 1):
            rounds[str(index)] = {"closeness_score": closeness(marks), "strategy_score": score}
        for index, (changed, _) in enumerate(self.opinions, 1):
            rounds[str(index)]["change_of_opinion"] = int(changed)
        return rounds

    def _opinion_shares(self) -> dict[str, float | None]:
        shares: dict[str, float | None] = {}
        for name, agreed in (("agreement", True), ("disagreement", False)):
            changes = [changed for changed, opinion in self.opinions if opinion is agreed]
            for kind, value in (("repetition", False), ("non_repetition", True)):
                share = round(changes.count(value) / len(changes), 2) if changes else 0
                shares[f"{kind}_guesser_on_critic_{name}"] = share if self.opinions else None
        return shares
