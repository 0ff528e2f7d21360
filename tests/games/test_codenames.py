"""Codenames: our own rules, clembench's rules to the letter, the lemma rule, the boards, and the scripted pair."""

from __future__ import annotations

import importlib
import itertools
from collections import Counter
from random import Random
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from playpen_eval.check.common import play_scripted
from playpen_eval.clembench import translate
from playpen_eval.episode import Episode
from playpen_eval.errors import UserError
from playpen_eval.game import Outcome
from playpen_eval.instances import load_instances
from playpen_eval.recordings import read_recording
from playpen_eval.registry import load_game

GAME = load_game("codenames")
MODULES = ("words", "generator", "scripted", "clembench")
words, generator, scripted, clembench_module = (
    importlib.import_module(f"playpen_eval.games.codenames.{name}") for name in MODULES
)

TEAM, INNOCENT = ["apple", "river", "castle"], ["cloud", "ladder"]
KINDS = {"team": TEAM, "opponent": ["tiger", "violin"], "innocent": INNOCENT, "assassin": ["poison"]}
BOARD = ["cloud", "apple", "tiger", "river", "poison", "castle", "violin", "ladder"]
OWN: dict[str, Any] = {"board": BOARD, "assignments": KINDS, "opponent_difficulty": 1}
OWN |= {"opponent_order": ["violin", "tiger"]}


def clembench(version: str = "2.0", difficulty: int = 1, order: Any = ("violin", "tiger"), flags: Any = None) -> Any:
    experiment = {"name": "risk_low", "variable": "Risk", "opponent difficulty": difficulty}
    experiment |= {"flags": flags or clembench_module._FLAGS}
    data = {"game_id": 7, "board": BOARD, "assignments": KINDS, "opponent_order": list(order)}
    return translate(GAME, experiment, data, version)


C2, C3 = clembench(), clembench("3.0")
BOTH = pytest.mark.parametrize("instance", [OWN, C2, C3], ids=["own", "2.0", "3.0"])


def clue(word: str, *targets: str) -> str:
    return f"CLUE: {word}\nTARGETS: {', '.join(targets)}"


def guess(*guesses: str) -> str:
    return f"GUESS: {', '.join(guesses)}"


def ended(instance: dict[str, Any], *replies: str) -> Outcome:
    episode = Episode(GAME, instance, replies)
    assert episode.outcome is not None, f"the episode still runs: {episode.observe().messages[-1]}"
    return episode.outcome


def told(instance: dict[str, Any], *replies: str) -> str:
    return Episode(GAME, instance, replies).observe().messages[-1]["content"]


def accepts(instance: dict[str, Any], *replies: str) -> bool:
    outcome = Episode(GAME, instance, replies).outcome
    role = GAME.roles[1 - len(replies) % 2]
    assert outcome is None or (outcome.kind, outcome.faulty_role) != ("aborted", GAME.roles[len(replies) % 2])
    return outcome is None or outcome.faulty_role != role


ALL = clue("things", *TEAM)


@BOTH
def test_the_end_is_decided_by_the_last_word_of_either_side_or_an_assassin(instance):
    won = ended(instance, ALL, guess(*TEAM))
    assert (won.kind, won.score, won.reason) == ("success", 1, "all words of the team are uncovered")
    lost = ended(instance, ALL, guess("apple", "poison", "river"))
    assert (lost.kind, lost.score, lost.metrics["game_ended_through_assassin"]) == ("lose", 0, 1)
    late = [clue("cat", "castle")] * (instance is C3)
    lost = ended(instance, clue("music", "violin"), guess("violin"), *late)
    assert (lost.kind, lost.score, lost.metrics["game_ended_through_assassin"]) == ("lose", 0, 0)
    assert lost.reason == "all words of the opponents are uncovered"
    replies = [ALL, guess("apple", "cloud", "river")]
    assert "Your team's words: river, castle\n" in told(instance, *replies), "guessing stopped at the cloud"
    assert accepts(instance, *replies, clue("stream", "river"), guess("river"))
    assert not accepts(instance, *replies, clue("stream", "river"), guess("cloud"))


TRANSCRIPT = """Words of your team that were uncovered: apple. The last word that was uncovered, cloud, is nobody's.
The other team uncovered: violin.

Give your next clue, in the same form. These words are still hidden.

Your team's words: river, castle
The other team's words: tiger
Nobody's words: ladder
Deadly words: poison"""


def test_own_roles_are_told_all_that_was_uncovered():
    replies = [ALL, guess("apple", "cloud")]
    head = TRANSCRIPT.partition("\n\n")[0]
    assert told(OWN, *replies) == TRANSCRIPT
    assert told(OWN | {"opponent_difficulty": 0}, *replies).startswith(head.partition("\n")[0] + "\n\nGive")
    rest = "Clue: rock\nNumber of words: 1\nHidden words: tiger, river, poison, castle, ladder"
    expected = f"{head}\n\nHere is the next clue; answer it in the same form.\n\n{rest}"
    assert told(OWN, *replies, clue("rock", "castle")) == expected
    assert told(OWN).count("After each round the other team uncovers 1 of its own hidden words.") == 1
    assert told(OWN, ALL).endswith(f"Clue: things\nNumber of words: 3\nHidden words: {', '.join(BOARD)}")


# One reply a line; an oblique stroke stands for a line break in it.
GOOD = """clue: Fruit.//targets: Apple , RIVER.\nTARGETS:apple/CLUE:fruit\n / CLUE: “fruit” // TARGETS: 'apple',
CLUE: well-known/TARGETS: apple\nCLUE: cat's/TARGETS: cloud, poison"""
BAD = """\nCLUE: fruit\nTARGETS: apple\nCLUE: fruit/TARGETS:\nCLUE:/TARGETS: apple\nCLUE: a fruit/TARGETS: apple
CLUE: fruit, 2/TARGETS: apple\nCLUE: fruit2/TARGETS: apple\nCLUE: fruit/TARGETS: apple, apple\nCLUE: f_g/TARGETS: apple
CLUE: fruit/TARGETS: pear\nCLUE: fruit/TARGETS: apple and river\nSure:/CLUE: fruit/TARGETS: apple
CLUE: fruit/CLUE: food/TARGETS: apple\nCLUE: fruit TARGETS: apple\nCLUE: %s/TARGETS: apple""" % ("x" * 41)
GOOD_GUESSES = "guess: RIVER.\nGUESS: castle, cloud,\n/ Guess:apple\nGUESS: 'apple', ladder, river"
BAD_GUESSES = """\napple\nGUESS:\nGUESS: pear\nGUESS: apple, apple\nGUESS: apple/river\nGUESS: things\nGUESS: a river
GUESS: apple, river, castle, cloud"""
EXACT = """CLUE: fruit/TARGETS: apple\nTARGETS: apple,river/CLUE: Fruit\nCLUE: 'fruit'./TARGETS: <Apple>,"river",
CLUE: /TARGETS: apple\nCLUE: fruit2/TARGETS: tiger\nCLUE: pineapple/TARGETS: apple"""
INEXACT = """clue: fruit/TARGETS: apple\nCLUE:fruit/TARGETS: apple\n CLUE: fruit/TARGETS: apple\nCLUE: fruit/TARGETS:
CLUE: fruit//TARGETS: apple\nCLUE: fruit/TARGETS: apple/\nCLUE: fruit/TARGETS: apple, \nCLUE: a b/TARGETS: apple
CLUE: fruit/TARGETS: apple, apple\nCLUE: x/TARGETS: pear\nCLUE: apples/TARGETS: river\nCLUE: x 2/TARGETS: apple"""
EXACT_GUESSES = "GUESS: river\nGUESS: River,castle.\nGUESS: <cloud>, apple"
INEXACT_GUESSES = """GUESS:river\nguess: river\n GUESS: river\nGUESS: river/\nGUESS: \nGUESS: river, \nGUESS: things
GUESS: apple, river, castle, cloud\nGUESS: x\nGUESS: river, river"""


FORMS = [(OWN, GOOD, BAD, ()), (OWN, GOOD_GUESSES, BAD_GUESSES, (ALL,))]
FORMS += [(C2, EXACT, INEXACT, ()), (C3, EXACT_GUESSES, INEXACT_GUESSES, (ALL,))]


@pytest.mark.parametrize(("instance", "good", "bad", "before"), FORMS)
def test_forms_that_are_accepted(instance, good, bad, before):
    for text, expected in ((good, True), (bad, False)):
        replies = text.replace("\n", "|").replace("/", "\n").split("|")
        assert [reply for reply in replies if accepts(instance, *before, reply) != expected] == []


BLANKS, MARKS = st.text(" \t", max_size=3), st.text(" .,;'\"*", max_size=3)


@given(BLANKS, MARKS, st.sampled_from(["\n", "\r\n", "\n \n"]), st.sampled_from([str.upper, str.lower, str.title]))
def test_own_decoration_does_not_matter(blanks, marks, end, case):
    first, second = f"{blanks}clue:{blanks}{marks}fruit{marks}", f"targets:{marks}apple{marks},{blanks}river{blanks}"
    for reply in (first + end + second, second + end + first):
        assert told(OWN, case(reply)) == told(OWN, clue("fruit", "apple", "river"))


def test_own_clue_must_keep_away_from_hidden_words_only():
    for near in ("apple", "APPLES", "pineapple", "app", "tigers", "riverbed", "sandcastle"):
        assert not accepts(OWN, clue(near, "castle")), near
    assert accepts(OWN, clue("pear", "castle"))
    men = OWN | {"board": [*BOARD, "man"], "assignments": KINDS | {"innocent": [*INNOCENT, "man"]}}
    assert not accepts(men, clue("men", "castle")), "a form of the same noun"
    assert accepts(OWN, clue("fruit", "apple"), guess("apple"), clue("apple", "castle")), "no longer hidden"


DISGUISES = {
    "plate": "pl\u00adate|ｐｌａｔｅ|ＰＬＡＴＥ|\u0440late|pl\u00e0te|pla\u0300te|pl'ate|pl’ate|p-l'a-t-e|PLÀTES",
    "star": "s-t-a-r|st\u00e4r|\ufb06ar|star-s|\u017ftar|st-a|ＳＴ-ａ|s\u034ftar",
    "guard": "guar-d|body-gu-ard|guar'ds|gu’ard|\u0261uard",
}


@pytest.mark.parametrize(("word", "disguises"), DISGUISES.items())
def test_own_clue_must_be_no_hidden_word_in_disguise(word, disguises):
    instance = OWN | {"board": [*BOARD, word], "assignments": KINDS | {"innocent": [*INNOCENT, word]}}
    for disguise in disguises.split("|"):
        outcome = ended(instance, clue(disguise, "castle"))
        assert (outcome.kind, outcome.faulty_role) == ("aborted", "cluegiver"), disguise


def test_own_clue_is_told_in_plain_letters():
    for written, plain in [
        ("Jalape\u00f1o", "jalapeno"),
        ("cat’s", "cat's"),
        ("ｆｒｕｉｔ．", "fruit"),
        ("o\ufb03ce", "office"),
    ]:
        assert f"Clue: {plain}\n" in told(OWN, clue(written, "apple")), written
    for written in (
        "\u043c\u043e\u0440\u0435",
        "stra\u00dfe",
        "\u00bd",
        "\u0301",
        "x" * 39 + "\u0301" * 2,
        "a" + "\u0301\u0323" * 50_000,
    ):
        assert not accepts(OWN, clue(written, "apple")), written[:50]


ROUND_1: dict[str, Any] = {"cluegiver_validation_error": 0, "guesser_validation_error": 0}
ROUND_1 |= {f"cluegiver_{name}": 0.667 for name in ("team_precision", "team_recall", "team_f1")}
ROUND_1 |= {"cluegiver_number_of_targets": 3, "guesser_number_of_guesses": 3, "guesser_number_of_revealed_words": 2}
ROUND_1 |= {"guesser_number_of_unrevealed_guesses": 1, "guesser_target_precision": 1, "guesser_target_recall": 0.667}
ROUND_1 |= {
    "guesser_target_f1": 0.8,
    "guesser_team_precision": 0.5,
    "guesser_team_recall": 0.333,
    "guesser_team_f1": 0.4,
}
AVERAGES = {"cluegiver_number_of_targets": 2.5, "cluegiver_team_precision": 0.834, "cluegiver_team_recall": 0.834}
PLAYED = [clue("sky", "cloud", "apple", "river"), guess("apple", "cloud", "river"), clue("old", "castle", "river")]
PLAYED += [guess("castle", "river")]


@BOTH
def test_scores_of_a_won_game(instance):
    outcome = ended(instance, *PLAYED)
    own = instance is OWN
    counts = {"Cluegiver": {"validation error": 0}, "Guesser": {"validation error": 0}}
    counts |= {"targeted": {"team": 2, "opponent": 0, "innocent": 1, "assassin": 0, "total": 3}}
    counts |= {"guesses": ["apple", "cloud", "river"]}
    counts |= {"revealed": {"target": 2, "team": 1, "opponent": 0, "innocent": 1, "assassin": 0, "total": 2}}
    assert dict(outcome.rounds["0"]) == ({} if own else {"turn": counts}) | ROUND_1
    numbers = outcome.metrics
    assert {name: numbers[f"average_{name}"] for name in AVERAGES} == AVERAGES
    names = ("episode_recall", "episode_negative_recall", "number_of_turns", "efficiency", "request_count")
    assert [numbers[name] for name in names] == [1, 0.8, *((2, 1) if own else (3, 0.833)), 4]
    assert numbers.get("experiment_variable") == (None if own else "Risk")
    assert numbers.get("cluegiver_strip_words") == (None if own else 0)


@BOTH
def test_an_abort_is_scored_up_to_the_reply_that_caused_it(instance):
    for count, turns, ratio in ((2, 2, 0.667), (3, 2 if instance is OWN else 3, 0.75)):
        replies = [*PLAYED[:count], "no"]
        outcome = ended(instance, *replies)
        role = GAME.roles[1 - len(replies) % 2]
        assert (outcome.kind, outcome.score, outcome.faulty_role) == ("aborted", None, role)
        assert outcome.rounds["1"][f"{role}_validation_error"] == 1
        assert outcome.metrics["number_of_turns"] == turns
        names = ("request_count", "parsed_request_count", "violated_request_count", "request_success_ratio")
        assert [outcome.metrics[name] for name in names] == [len(replies), len(replies) - 1, 1, ratio]
        assert outcome.rounds["1"]["cluegiver_number_of_targets"] == (0 if role == "cluegiver" else 2)
        assert outcome.rounds["1"]["guesser_number_of_guesses"] == 0


def test_clembench_counts_what_it_strips_and_treats_digits_in_its_own_way():
    outcome = ended(C2, "CLUE: 'fruit3'\nTARGETS: apple,<river>, castle.", "GUESS: apple., river,castle")
    assert [outcome.metrics[f"{role}_strip_words"] for role in GAME.roles] == [3, 1]
    assert "Clue: fruit\n" in told(C2, "CLUE: 'fruit3'\nTARGETS: apple")
    outcome = ended(C2, "CLUE: fruit, 2\nTARGETS: apple")
    assert (outcome.faulty_role, outcome.metrics["number_of_turns"]) == ("cluegiver", 1)
    assert [outcome.rounds["0"][f"{role}_validation_error"] for role in GAME.roles] == [0, 1], "put down to the guesser"


@pytest.mark.parametrize("instance", [C2, C3])
def test_clembench_shows_the_cluegiver_a_list_from_before_the_opponents_move(instance):
    replies = [clue("fruit", "apple"), guess("apple")]
    assert "The other team's words: tiger, violin\n" in told(instance, *replies)
    assert not accepts(instance, *replies, clue("music", "violin"))
    after = told(instance, *replies, clue("rock", "castle"))
    assert after.endswith("Hidden words: cloud, tiger, river, poison, castle, ladder")


def test_clembench_opponents_win_at_once_or_after_the_next_valid_clue():
    replies = [clue("fruit", "apple"), guess("apple"), clue("rock", "castle"), guess("castle")]
    assert (old := ended(C2, *replies)).kind == "lose"
    assert (old.metrics["number_of_turns"], old.metrics["request_count"]) == (3, 4)
    assert (new := ended(C3, *replies, clue("wet", "river"))).kind == "lose"
    assert (new.metrics["number_of_turns"], new.metrics["request_count"]) == (3, 5)
    assert ended(C3, *replies, "no").kind == "aborted"
    assert [GAME.max_turns(instance) for instance in (OWN, C2, C3, clembench("3.0", 0))] == [4, 4, 5, 12]


def test_clembench_opponents_order_is_the_logs_or_follows_from_the_instance():
    log = {"turns": [[{"action": {"type": "opponent revealed", "content": {"word": "tiger"}}}], []]}
    assert GAME.from_recording({"game_id": 1}, log) == {"game_id": 1, "opponent_order": ["tiger"]}
    assert clembench(order=["tiger"])["opponent_order"] == ["tiger", "violin"]
    assert sorted(clembench(order=())["opponent_order"]) == ["tiger", "violin"]
    with pytest.raises(UserError, match="risk_low"):
        clembench(flags={"STRIP WORDS": False})


RULES = ["s>", "ses>s", "ves>f", "xes>x", "zes>z", "ches>ch", "shes>sh", "men>man", "ies>y"]


def by_the_book(word: str) -> str:
    """The lemma of a regular word as NLTK 3.8 finds it, without regard to time."""
    rules, forms, found = [rule.split(">") for rule in RULES], [word], [word]
    while forms:
        forms = [form[: -len(old)] + new for form in forms for old, new in rules if form.endswith(old)]
        if found := [form for form in found + forms if form in words._nouns()]:
            break
    return min(found, key=len, default=word)


ENDINGS = [*(rule.partition(">")[0] for rule in RULES), "a", "dog", "glass", "s" * 30]


STARTS = ["", "dog", "wolves", "boss", "woman", "church"]


@given(st.sampled_from(STARTS), st.lists(st.sampled_from(ENDINGS), max_size=20))
def test_lemmas_are_those_of_nltk(start, endings):
    word = start + "".join(endings)
    assume(word not in words._exceptions())
    assert words.noun_lemma(word) == by_the_book(word)
    known = {"boss": "bos", "species": "specie", "us": "u", "men": "men", "wolves": "wolf", "dogs" + "s" * 99: "dog"}
    assert {word: words.noun_lemma(word) for word in known} == known
    assert words.noun_lemma(long := "qy" + "ses" * 500) == long


@pytest.mark.parametrize("name", GAME.experiments)
def test_boards_are_what_their_experiment_says(name):
    rng, kind = Random(name), generator.EXPERIMENTS[name]
    category = {word: group for group, inside in words.categories().items() for word in inside}
    for _ in range(40):
        instance = GAME.generate(name, rng)
        board, assignments = instance["board"], instance["assignments"]
        assert len(set(board)) == 25
        assert sorted(board) == sorted(word for inside in assignments.values() for word in inside)
        assert tuple(len(inside) for inside in assignments.values()) == kind.counts
        assert sorted(instance["opponent_order"]) == sorted(assignments["opponent"])
        assert not any(words.related(one, [other]) for one, other in itertools.combinations(board, 2))
        groups = {side: Counter(category.get(word) for word in inside) for side, inside in assignments.items()}
        if name == "association_easy":
            assert len(groups["team"]) <= 5
        elif name == "association_difficult":
            assert len(groups["team"]) >= 4
        else:
            assert set(board) <= set(words.word_list(kind.words))


@given(st.sets(st.sampled_from(BOARD)))
def test_the_scripted_code_says_which_words_are_meant(meant):
    code = scripted.encode(BOARD, meant)
    assert scripted.decode(BOARD, code) == [word for word in BOARD if word in meant]
    assert words.related(code, [*words.word_list("common"), *words.word_list("frequency_low")]) is None


@BOTH
def test_the_scripted_cluegiver_means_what_is_still_hidden(instance):
    seen = Episode(GAME, instance, [clue("fruit", "apple"), guess("apple")]).observe()
    assert GAME.scripted(seen.role, seen.view, "best")(seen.messages).endswith("TARGETS: river, castle")


@pytest.mark.parametrize("version", ["2.0", "3.0"])
def test_clembench_instances_are_finished_by_scripted_players(shared, version):
    instances = load_instances(GAME, f"clembench:{shared / 'clembench'}@v{version}").instances
    assert len(instances) == 130
    for instance in instances:
        for role in (None, *GAME.roles):
            outcome = play_scripted(GAME, instance, breaker=role).outcome
            assert outcome is not None
            assert (outcome.kind, outcome.faulty_role) == ("aborted" if role else "success", role)
        for last in (False, True):
            assert ended(instance, *GAME.solution(instance, last=last)).kind == "success"


def test_recorded_requests_are_equal_but_for_the_line_about_uncovered_words(shared):
    folder = {"folder": str(shared / "clembench" / "codenames")}
    recording = read_recording(next((shared / "recordings").glob("*base.tar.gz")))
    for recorded in recording.episodes:
        if recorded.game == "codenames":
            data = dict(GAME.from_recording(recorded.instance, recorded.interactions))
            episode = Episode(GAME, translate(GAME, recorded.experiment | folder, data, "2.0"))
            for number, (_, text, reply) in enumerate(recorded.replies()):
                episode.act(reply)
                shown = episode.turns[-1].text
                assert shown == text if number < 2 else shown.split("\n")[1:] == text.split("\n")[1:]
