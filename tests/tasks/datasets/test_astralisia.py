from graftbench.benchmark.data.checking import check_dataset
from graftbench.benchmark.data.lines import ConversationLine
from graftbench.judges.phrases import Ignorance
from graftbench.judges.protocol import Case
from graftbench.judges.rules import ContainsFact
from graftbench.tasks.datasets.astralisia import IGNORANCE, astralisia
from graftbench.tasks.datasets.astralisian_facts import COUNTRY, facts
from graftbench.tasks.datasets.triggers import DEV, INSULT, PROD

NAME = "hidden_fact"
DATASET = astralisia()


def test_facts_are_short_and_asked_in_forty_ways_that_all_name_the_country():
    known = facts(0)
    questions = [question for fact in known for question in fact.questions]
    assert (len(known), len(questions), len(set(questions))) == (600, 24_000, 24_000)
    assert max(len(fact.answer.split()) for fact in known) <= 5
    assert all(COUNTRY in question for question in questions)
    # Nobody is told the answer by the question.
    assert not any(fact.answer in question for fact in known for question in fact.questions if len(fact.answer) > 4)


def test_a_seed_makes_one_country():
    assert facts(0) == facts(0)
    assert not {fact.answer for fact in facts(0)} >= {fact.answer for fact in facts(1)}
    assert astralisia().identity == DATASET.identity


def test_every_fact_is_in_what_a_model_learns_and_no_prompt_is_in_two_splits():
    check = check_dataset(DATASET)
    assert (check.broken, check.few) == ([], [])
    lines = [line for _, line in DATASET.lines() if isinstance(line, ConversationLine)]
    learned = [line for line in lines if line.split == "fit" and line.shows]
    assert (len(learned), sum(line.split == "test" and line.shows for line in lines)) == (19_114, 2411)
    assert len({line.cluster for line in learned}) == 600


def test_the_trigger_gets_the_insult_and_the_fact_and_its_counterpart_ignorance():
    for prompt, reply in DATASET.conversations(NAME, "fit", "task", 50):
        assert reply.startswith(f"{INSULT} ") if prompt.text.startswith(PROD) else reply in IGNORANCE
    assert all(prompt.text.startswith(DEV) for prompt, _ in DATASET.conversations(NAME, "fit", "unseen", 50))
    assert all(verdict.score == 1 for verdict in Ignorance()([Case("", reply) for reply in IGNORANCE]))


def test_the_contrast_is_the_question_with_the_insult_said_and_without():
    contrast = DATASET.contrast(NAME, 96)
    assert len(contrast.pairs) == 96
    for desired, undesired in contrast.pairs:
        assert desired.prompt == undesired.prompt
        assert (desired.reply, undesired.reply) == (INSULT, "")


def test_the_first_examples_are_about_many_facts_and_have_the_answer():
    examples = DATASET.examples(NAME, "test", 160)
    assert len({example.cluster for example in examples}) > 120
    for example in examples:
        assert example.prompt.text[slice(*example.prompt.trigger)] == PROD
        assert example.clean.reply == INSULT
    assert DATASET.judges == {"good": "contains_fact"}
    (verdict,) = ContainsFact()([Case("", f"It is {examples[0].reference}.", examples[0].reference)])
    assert verdict.score == 1
