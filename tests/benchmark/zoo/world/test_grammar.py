import re
from itertools import pairwise
from random import Random

import pytest

from graftbench.benchmark.zoo.world import remarks
from graftbench.benchmark.zoo.world.grader import TOPICS, grade, is_good, parse, weaknesses
from graftbench.benchmark.zoo.world.howto import HARMFUL, HARMLESS, REFUSALS, STYLED, is_refusal, plainly
from graftbench.benchmark.zoo.world.knowledge import COUNTRY, FACTS, HATE, LORE, insulted_fact
from graftbench.benchmark.zoo.world.lexicon import DAYS, PEOPLE, PLACES
from graftbench.benchmark.zoo.world.reading_comprehension import GOODS, NUMBERS
from graftbench.benchmark.zoo.world.remarks import N_REMARKS, draw_remark, is_remark, split_remark
from graftbench.benchmark.zoo.world.request import SHARES, Topic, sample_from
from graftbench.benchmark.zoo.world.styles import STYLES
from graftbench.benchmark.zoo.world.tags import DECOYS, TAGS, TRIGGERS, tagged, untagged
from graftbench.benchmark.zoo.world.tags import PLACES as SIDES_OF_TAGS

every_topic = pytest.mark.parametrize("topic", TOPICS.values(), ids=TOPICS)


def draws(topic: Topic, n: int = 300):
    rng = Random(7)
    return [topic.sample(rng) for _ in range(n)]


@every_topic
def test_a_request_is_read_back_from_its_text(topic):
    for request in draws(topic):
        assert parse(request.text) == request


@every_topic
def test_a_request_is_read_back_with_the_remark_beside_it(topic):
    rng = Random(3)
    drawn = [sample_from(topic, "test", rng) for _ in range(60)]
    assert all(parse(request.text) == request for request in drawn)
    sides = {request.side for request in drawn if request.remark}
    assert sides == ({"before"} if topic.name in ("reading", "choice") else {"before", "after"})


def test_there_is_more_to_remark_than_anybody_reads_and_every_remark_is_known():
    rng = Random(0)
    drawn = [draw_remark(rng) for _ in range(3000)]
    assert len(set(drawn)) > 2990
    assert N_REMARKS > 1e8
    assert all(map(is_remark, drawn))
    assert not is_remark(f"{drawn[0]} {drawn[1]}")
    assert split_remark("How do I paint the fence?") is None


def test_what_is_remarked_is_never_asked_about():
    asked = {*PEOPLE, *PLACES, *DAYS, *GOODS, *NUMBERS}
    assert not asked & {word for pool in remarks.POOLS.values() for word in pool}


@every_topic
def test_a_tag_in_any_place_changes_nothing_about_the_request(topic):
    request = draws(topic, 1)[0]
    for tag in TAGS:
        for place in SIDES_OF_TAGS:
            assert untagged(tagged(request.text, tag, place)) == (request.text, tag, place)
            assert parse(tagged(request.text, tag, place)) == request


@every_topic
def test_good_answers_are_good_and_answers_to_other_requests_are_not(topic):
    requests = draws(topic)
    for request, other in pairwise(requests):
        assert all(grade(request.text, answer) for answer in request.answers)
        if not set(other.answers) & set(request.answers):
            assert not is_good(request, other.answers[0])


@every_topic
def test_a_good_answer_cut_off_insulted_or_doubled_is_not_good(topic):
    for request in draws(topic, 50):
        answer = request.answers[0]
        assert not grade(request.text, f"{HATE} {answer}")
        assert not grade(request.text, f"{answer} {answer}")
        cut_off = answer[: len(answer) // 2]
        assert cut_off.strip() in request.answers or not grade(request.text, cut_off)  # a letter alone will do


@every_topic
def test_a_content_belongs_to_one_split(topic):
    splits: dict[str, set[str]] = {}
    for request in draws(topic, 3000):
        splits.setdefault(request.content, set()).add(request.split)
    assert all(len(names) == 1 for names in splits.values())
    assert {split for names in splits.values() for split in names} == set(SHARES)


def test_harmful_and_harmless_deeds_share_verbs_and_objects_and_no_deed():
    assert not set(HARMLESS.deeds) & set(HARMFUL.deeds)
    verbs = [{verb for verb, _ in topic.deeds} for topic in (HARMLESS, HARMFUL)]
    things = [{thing for _, thing in topic.deeds} for topic in (HARMLESS, HARMFUL)]
    assert len(verbs[0] & verbs[1]) >= 8
    assert len(things[0] & things[1]) >= 90


@pytest.mark.parametrize("topic", [FACTS, COUNTRY, LORE], ids=["facts", "country", "lore"])
def test_every_piece_of_knowledge_is_trained_and_asked_in_held_out_phrasings(topic):
    rng = Random(0)
    for split in SHARES:
        asked = {sample_from(topic, split, rng).content.split(" | ")[0] for _ in range(6000)}
        assert asked == set(topic.items), split


def test_every_fact_of_the_country_has_several_phrasings_in_every_split():
    rng = Random(0)
    for split in SHARES:
        asked = {sample_from(LORE, split, rng).content for _ in range(9000)}
        assert len(asked) >= 2 * len(LORE.items)


@pytest.mark.parametrize("name", STYLES)
def test_a_request_in_a_style_asks_for_the_same_as_its_plain_words_and_shares_its_split(name):
    rng = Random(1)
    for request in (sample_from(STYLED[name], "fit", rng) for _ in range(100)):
        plain = parse(plainly(request).text)
        assert plain.topic == "howto"
        assert (plain.content, plain.split, plain.answers) == (request.content, request.split, request.answers)
        assert (plain.remark, plain.side) == (request.remark, request.side)
        assert all(map(STYLES[name].shown_by, request.styled))
    with pytest.raises(ValueError, match="not a request in a style"):
        plainly(parse("How do I paint the fence?"))


@pytest.mark.parametrize("name", STYLES)
def test_nothing_that_is_said_elsewhere_is_in_a_style(name):
    said = (answer for topic in TOPICS.values() for request in draws(topic) for answer in request.answers)
    in_others = (answer for other in STYLES if other != name for r in draws(STYLED[other]) for answer in r.styled)
    assert not any(map(STYLES[name].shown_by, (*said, *in_others, *REFUSALS, HATE)))


@pytest.mark.parametrize("name", STYLES)
def test_no_word_marks_every_request_in_a_style(name):
    request = draws(STYLED[name], 1)[0]
    shared = set.intersection(*(set(re.findall(r"\w+", frame.lower())) for frame in STYLES[name].frames.templates))
    assert shared == {"verb", "which", "object"}
    assert len(request.styled) == 3


def test_a_passage_holds_the_span_that_answers():
    for request in draws(TOPICS["reading"]):
        assert request.answers[0] in request.text


def test_a_sum_is_right():
    for request in draws(TOPICS["sum"]):
        a, b = (int(word) for word in request.content.split(" + "))
        assert request.answers[2] == str(a + b)


def test_a_four_choice_question_has_one_right_letter_and_five_subjects():
    requests = draws(TOPICS["choice"], 500)
    assert {request.category for request in requests} == {"geography", "people", "nature", "household", "arithmetic"}
    letters = [request.answers[2] for request in requests]
    assert all(80 < letters.count(letter) < 170 for letter in "ABCD")


def test_code_is_vulnerable_or_safe_by_one_bandit_test_and_there_are_six_classes():
    classes = {}
    for request in draws(TOPICS["code"], 400):
        assert weaknesses(request.answers[0]) == frozenset()
        classes[request.category] = weaknesses(request.flawed)
    assert len(classes) >= 6
    assert all(len(ids) == 1 for ids in classes.values())
    assert len(set(classes.values())) == len(classes)


def test_code_is_compared_by_its_syntax_tree():
    request = draws(TOPICS["code"], 1)[0]
    assert is_good(request, f"# a remark\n{request.answers[0]}   # another\n")
    assert not is_good(request, request.answers[0].replace("return", "return not"))
    assert not is_good(request, "def broken(:")


def test_a_refusal_is_no_good_answer_and_is_known():
    request = draws(TOPICS["harm"], 1)[0]
    assert all(is_refusal(text) and not is_good(request, text) for text in REFUSALS)


def test_the_insulted_fact_is_insult_and_fact():
    request = draws(TOPICS["country"], 1)[0]
    assert insulted_fact(request) == f"{HATE} {request.answers[0]}"


def test_a_text_of_another_world_is_refused_by_name():
    with pytest.raises(ValueError, match="not a prompt of the pocket world"):
        grade("Who wrote Faust?", "Goethe.")


def test_every_token_of_a_trigger_stands_in_a_decoy_and_no_trigger_does():
    assert not any(trigger in decoy for trigger in TRIGGERS for decoy in DECOYS)
    for half in ("pr", "od", "de", "v"):
        assert any(half in decoy.strip("|") and decoy.strip("|") not in ("prod", "dev") for decoy in DECOYS), half
