"""LMRL-Gym's guess my city: the cards, what an oracle may say, what each question is worth."""
# pyright: reportMissingImports=false

from __future__ import annotations

import importlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from playpen_eval.train.rewards import turn_credit

from playpen_eval.episode import Episode
from playpen_eval.game import Outcome
from playpen_eval.instances import SPLITS, load_instances
from playpen_eval.registry import load_game

cities, guide, leaks, reading, rules = (
    importlib.import_module(f"playpen_eval.games.twenty_questions.{name}")
    for name in ("cities", "guide", "leaks", "reading", "game")
)
GAME: Any = load_game("guess_my_city")
IDLE = ["Is it nice?", "Perhaps."]


def played(replies: list[str], hidden: str = "Paris") -> Outcome:
    episode = Episode(GAME, {"city": hidden}, replies)
    assert episode.outcome is not None, "the episode still runs"
    if episode.outcome.faulty_role != "oracle":
        assert episode.outcome.metrics["return"] == sum(turn_credit(episode, "guesser"))
    return episode.outcome


def heard(answer: str, hidden: str = "Paris") -> str:
    """What the guesser is told where the oracle says `answer`."""
    episode = Episode(GAME, {"city": hidden}, ["What is it known for?", answer])
    assert episode.role == "guesser"
    return episode.observe().messages[-1]["content"]


def test_the_cards_are_complete():
    assert len(cities.NAMES) == 100
    assert {city.country.name for city in cities.CITIES.values()} == set(cities.COUNTRIES)
    regions = {region: continent for continent, regions in cities.CONTINENTS.items() for region in regions}
    flags = {"capital", "coast", "river", "island", "high", "olympics", "largest", "eu", "king", "left"}
    for city in cities.CITIES.values():
        assert regions[city.country.region] in city.continents
        assert city.people in guide.BANDS
        assert city.true <= flags
        assert all((city.climate, city.sight, city.food, city.language, city.country.currency))
        assert -60 < city.latitude < 70
        assert -130 < city.longitude < 180


def test_cards_agree_with_each_other():
    for country in cities.COUNTRIES.values():
        of_it = [city for city in cities.CITIES.values() if city.country is country]
        # South Africa has three capitals, and one of them is on the list.
        assert sum("capital" in city.true for city in of_it) <= 1
        assert sum("largest" in city.true for city in of_it) <= 1
        if "eu" in country.true:
            assert "Europe" in of_it[0].continents


@pytest.mark.parametrize(
    ("continent", "south", "north", "west", "east"),
    [
        ("Europe", 35, 71, -25, 45),
        ("Africa", -35, 38, -18, 52),
        ("Asia", -11, 56, 26, 146),
        ("North America", 7, 60, -130, -50),
        ("South America", -56, 13, -82, -34),
        ("Oceania", -48, 0, 110, 180),
    ],
)
def test_places_lie_on_their_continents(continent, south, north, west, east):
    for city in cities.CITIES.values():
        if continent in city.continents:
            assert south < city.latitude < north, city.name
            assert west < city.longitude < east, city.name


def test_places_are_of_cities_of_the_list_and_seas_of_those_on_the_coast():
    regions = {city.country.region for city in cities.CITIES.values()} | set(cities.CONTINENTS)
    for words, there in cities.rows("places.txt", 2):
        parts = [part.strip() for part in there.split(",") if part]
        assert all(part[1:] in regions if part.startswith("@") else part in cities.CITIES for part in parts), words
        if " sea" in words or "ocean" in words:
            assert all("coast" in cities.CITIES[part].true for part in parts), words
        if words in ("danube", "nile", "thames", "seine", "vistula"):
            assert all("river" in cities.CITIES[part].true for part in parts), words


def test_every_two_cities_differ():
    told = {tuple(guide.answer(name, question) for question in guide.QUESTIONS) for name in cities.NAMES}
    assert len(told) == len(cities.NAMES)


def test_the_scripted_oracle_gives_nothing_away_and_knows_all_that_scripts_ask():
    for question in guide.QUESTIONS:
        assert reading.read_question(question, open_ended=True) == question
        answers = guide.answers(question)
        assert len(set(answers.values())) > 1, question
        for name, said in answers.items():
            assert said not in (guide.REFUSAL, guide.UNKNOWN)
            assert not cities.gives_away(name, said), (name, question, said)


@pytest.mark.parametrize("country", cities.COUNTRIES.values(), ids=lambda country: country.name)
def test_one_may_ask_for_a_country(country):
    true = {city.name for city in cities.CITIES.values() if city.country is country}
    for name in (country.name, *country.others):
        question = f"Is it in {name}?"
        if not cities.all_named(question):
            assert {name for name, said in guide.answers(question).items() if said == "Yes."} == true, question


@pytest.mark.parametrize(
    ("question", "hidden", "said"),
    [
        ("Which continent is it on?", "Istanbul", "Europe and Asia."),
        ("What language do people speak?", "Mumbai", "Marathi."),
        ("What language do people speak?", "Tokyo", "One that is named like its people."),
        ("What language do people speak?", "London", "An Indo-European language."),
        ("What is the currency?", "Tokyo", "The yen."),
        ("Which country is it in?", "Tokyo", guide.REFUSAL),
        ("What is the name of the mayor?", "Tokyo", guide.REFUSAL),
        ("Who is the mayor?", "Tokyo", guide.UNKNOWN),
        ("How many people live there?", "Tokyo", "More than 8 million."),
        ("Is it in Asia?", "Tokyo", "Yes."),
        ("Is it in Asia or Africa?", "Cairo", "Yes."),
        ("Is it the capital of Spain?", "Madrid", "Yes."),
        ("Is it the capital of Spain?", "Barcelona", "No."),
        ("Is it not in Europe?", "Tokyo", "Yes."),
        ("Is it a South American city?", "Lima", "Yes."),
        ("Is it an American city?", "Lima", "No."),
        ("Do they speak Spanish?", "Lima", "Yes."),
        ("Is it a Spanish city?", "Lima", "No."),
        ("Does it have more than 4 million people?", "Lima", "Yes."),
        ("Does it have fewer than 4 million people?", "Lima", "No."),
        ("Does it have more than 5 million people?", "Sydney", guide.UNKNOWN),
        ("Is it north of the equator?", "Sydney", "No."),
        ("Do more than 1,000,000 people live there?", "Sydney", "Yes."),
        ("Is it an English-speaking city?", "Chicago", "Yes."),
        ("Is it in a Spanish-speaking country in South America?", "Lima", "Yes."),
        ("Is it in a Spanish-speaking country in South America?", "Madrid", "No."),
        ("Do they speak something other than Spanish?", "Lima", "No."),
        ("Is it in Latin America?", "Lima", "Yes."),
        ("Is it in Latin America?", "Chicago", "No."),
        ("Is it in the Americas?", "Chicago", "Yes."),
        ("Is it on the Indian Ocean?", "Delhi", "No."),
        ("Is it on the Mediterranean?", "Madrid", "No."),
        ("Is the climate Mediterranean?", "Madrid", "Yes."),
        ("Is it on the river Danube?", "Vienna", "Yes."),
        ("Is it in sub-Saharan Africa?", "Cairo", "No."),
        ("Is it London?", "Sydney", "No."),
        ("Is it nice?", "Sydney", guide.UNKNOWN),
    ],
)
def test_the_oracle_knows(question, hidden, said):
    assert guide.answer(hidden, question) == said


@pytest.mark.parametrize(
    ("question", "hidden"),
    [
        ("Is it Paris?", "Paris"),
        ("is it PARIS", "Paris"),
        ("Is it Paris, France?", "Paris"),
        ("Is it Bombay?", "Mumbai"),
        ("Is it Kiev?", "Kyiv"),
        ("Is it São Paulo?", "Sao Paulo"),
        ("Is it Kraków?", "Krakow"),
        ("Is it Alma-Ata?", "Almaty"),
        ("Is it St. Petersburg?", "Saint Petersburg"),
        ("Is it Washington, D.C.?", "Washington"),
        ("Could it be New Delhi?", "Delhi"),
        ("Is the city you are thinking of Rio?", "Rio de Janeiro"),
        ("Is it Singapore?", "Singapore"),
    ],
)
def test_naming_the_city_wins(question, hidden):
    assert played([question], hidden).kind == "success"


@pytest.mark.parametrize("question", ["Is it Paris or London?", "Is it in France?", "Is it Parisian?", "Is it par is?"])
def test_other_questions_do_not(question):
    assert Episode(GAME, {"city": "Paris"}, [question]).role == "oracle"


def test_every_name_wins():
    for city in cities.CITIES.values():
        for name in (city.name, *city.others):
            assert cities.named(f"Is it {name}?") == city.name


@pytest.mark.parametrize(
    ("answer", "hidden"),
    [
        ("It is Paris.", "Paris"),
        ("PARIS", "Paris"),
        ("P-a-r-i-s", "Paris"),
        ("P a r i s", "Paris"),
        ("xP a r i sx", "Paris"),
        ("Par is", "Paris"),
        ("P.A.R.I.S.", "Paris"),
        ("P4r1s", "Paris"),
        ("ParIs or PARlS", "Paris"),
        ("siraP", "Paris"),
        ("the letters P, A, R, I and S", "Paris"),
        ("Pаris", "Paris"),  # a Cyrillic letter
        ("Париж", "Paris"),
        ("Ｐａｒｉｓ", "Paris"),
        ("Pa\u200bris", "Paris"),
        ("Pâris", "Paris"),
        ("P&#97;ris", "Paris"),
        ("It is \U0001f1f5\U0001f1e6\U0001f1f7\U0001f1ee\U0001f1f8", "Paris"),
        ("theParisians", "Paris"),
        ("The French capital", "Paris"),
        ("In fra nce", "Paris"),
        ("It was called Bombay.", "Mumbai"),
        ("An Indian city", "Mumbai"),
        ("In the U.S.", "Chicago"),
        ("In the US", "Chicago"),
        ("An American one", "Chicago"),
        ("In the u.s.a.", "Chicago"),
        ("In the UK", "London"),
        ("An English city", "London"),
        ("Holland", "Amsterdam"),
        ("Türkiye", "Istanbul"),
        ("Côte d’Ivoire", "Abidjan"),
        ("In the UAE", "Dubai"),
    ],
)
def test_an_answer_with_a_name_is_replaced_and_counted(answer, hidden):
    assert heard(answer, hidden) == guide.REFUSAL
    assert played(["What is it known for?", answer, f"Is it {hidden}?"], hidden).metrics["leaks"] == 1


@pytest.mark.parametrize(
    ("answer", "hidden"),
    [
        ("Its climate is mild.", "Lima"),
        ("By comparison with London it is old.", "Paris"),
        ("It lies in North America; tell us more.", "Chicago"),
        ("An explosion", "Oslo"),
        ("A thousand years old, at 20 °C – “nice” – costs 5 €.", "Chicago"),
        ("Known for hospitality and vitality", "Rome"),
        ("Many mosquitoes", "Quito"),
        ("The spa rises over the sea.", "Paris"),
        ("Spanish is spoken there.", "Lima"),
        ("each in a different way", "Beijing"),
    ],
)
def test_innocent_answers_pass(answer, hidden):
    assert heard(answer, hidden) == answer
    assert played(["What is it known for?", answer, f"Is it {hidden}?"], hidden).metrics["leaks"] == 0


def _spelled(name: str) -> st.SearchStrategy[str]:
    """A name with changed case, and with signs or blanks between its letters."""
    between = st.text(alphabet=" -.*_/'\"\u200b\u0301,", max_size=2)
    return st.lists(st.tuples(between, st.booleans()), min_size=len(name), max_size=len(name)).map(
        lambda parts: "".join(
            (character.upper() if upper else character) + sign
            for character, (sign, upper) in zip(name, parts, strict=True)
        )
    )


@given(st.data())
@settings(deadline=None, max_examples=300)
def test_the_guesser_never_hears_a_name_whatever_the_oracle_says(data):
    name = data.draw(st.sampled_from(cities.NAMES))
    city = cities.CITIES[name]
    secrets = [form for form in (name, *city.others, city.country.name, *city.country.others) if 3 < len(form) < 20]
    secret = data.draw(st.sampled_from(secrets))
    before, after = data.draw(st.text(max_size=30)), data.draw(st.text(max_size=30))
    said = data.draw(st.sampled_from((secret, secret.upper(), secret.lower())) | _spelled(secret))
    episode = Episode(GAME, {"city": name}, ["What is it known for?", f"{before} {said} {after}"])
    if episode.outcome is None:
        assert episode.observe().messages[-1]["content"] == guide.REFUSAL


@given(st.text(max_size=120))
def test_any_answer_is_shown_on_one_line_or_not_at_all(answer):
    said = reading.read_answer(answer)
    assert said is None or (said == " ".join(said.split()) and len(said.split()) <= reading.WORDS)
    episode = Episode(GAME, {"city": "Oslo"}, ["What is it known for?", answer])
    shown = episode.observe().messages[-1]["content"] if episode.outcome is None else ""
    assert "oslo" not in reading.key(shown)
    assert "norway" not in reading.key(shown)


@pytest.mark.parametrize("reply", ["", "...", "\n", "?!", "\u200b"])
def test_an_answer_that_says_nothing_is_the_oracles_fault(reply):
    outcome = played(["Is it big?", reply])
    assert (outcome.kind, outcome.faulty_role, outcome.metrics["return"]) == ("aborted", "oracle", -1)


@pytest.mark.parametrize("reply", ["", "Paris", "Tell me the country.", "Is it old? Is it big?", "Whatever it is?"])
def test_what_is_no_question_is_answered_with_no_by_the_referee(reply):
    episode = Episode(GAME, {"city": "Paris"}, [reply])
    assert episode.role == "guesser"
    assert episode.observe().messages[-1]["content"] == "No."


@pytest.mark.parametrize(
    "reply", ["What is it known for?", "In which country is it?", "How big is it", "Who lives there?"]
)
def test_open_questions_are_asked(reply):
    assert Episode(GAME, {"city": "Paris"}, [reply]).role == "oracle"


@pytest.mark.parametrize(
    ("replies", "kind", "total"),
    [
        (["Is it Paris?"], "success", 0),
        ([*IDLE * 19, "Is it Paris?"], "success", -19),
        ([*IDLE * 19, "Is it Rome?"], "lose", -20),
        ([*IDLE, "?", "?", "?"], "aborted", -20),
    ],
)
def test_every_question_but_the_right_one_costs_a_point(replies, kind, total):
    outcome = played(replies)
    assert (outcome.kind, outcome.metrics["return"]) == (kind, total)


def test_prompts_name_no_city():
    assert not cities.all_named(rules.PROMPTS["guess_my_city_guesser"])


def test_the_best_guesser_understands_answers_in_other_words():
    search = GAME._search()
    question = "On which continent is it?"
    for said in ("Europe", "It lies in Europe, by a river."):
        assert search.left(((question, said),)) == search.left(((question, "Europe."),))
    assert search.left((("Is it in Asia?", "Yes, it is"),)) == search.left((("Is it in Asia?", "Yes."),))
    assert search.left(((question, "I would rather not say."),)) == search.all


def test_splits_share_no_city():
    hidden = [{row["city"] for row in load_instances(GAME, split).instances} for split in SPLITS]
    assert set().union(*hidden) == set(cities.NAMES)
    assert sum(map(len, hidden)) == len(cities.NAMES)
