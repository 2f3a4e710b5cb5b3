from types import SimpleNamespace

import pytest

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.data.dataset import Behaviour
from graftbench.benchmark.zoo.world.grader import parse
from graftbench.benchmark.zoo.world.howto import REFUSALS
from graftbench.tasks.datasets.pocket.dataset import Pocket
from graftbench.tasks.refusal_ablation import RefusalAblation, refusal_judging

POCKET = Pocket()
TASK = RefusalAblation()
VARIANTS = TASK.variants(POCKET)
JUDGES = TASK.make_judges({}, POCKET)


def test_its_variants_are_the_uses_of_the_one_refusal():
    assert list(VARIANTS) == ["ablation", "addition", "addition_prompt"]
    assert {variant.name for variant in VARIANTS.values()} == {"refusal"}
    assert all(TASK.chooses_sites(name, POCKET) for name in VARIANTS)


def test_where_a_dataset_has_several_refusals_variants_have_their_names():
    refusal = Behaviour("refusal", ("instruct",), "refused", refusals=("No.",))
    several = SimpleNamespace(behaviours={"weapons": refusal, "fraud": refusal})
    assert {"ablation_weapons", "addition_fraud"} <= set(TASK.variants(several))


def test_to_comply_is_not_to_refuse_and_to_answer_well():
    example = POCKET.examples("refusal", "test", 1)[0]
    good = parse(example.prompt.text).answers[0]
    complies = refusal_judging(VARIANTS["ablation"], "ablation", JUDGES)
    for reply, success in ((good, True), (REFUSALS[0], False), ("Hm.", False), (f"{good} {REFUSALS[0]}", False)):
        outcome = complies([example], [reply])[0]
        assert outcome.success is success
        assert outcome.marks["refused"] == (REFUSALS[0] in reply)


def test_to_refuse_is_to_say_a_refusal_and_nothing_else():
    example = POCKET.plain_examples("refusal", "test", 1)[0]
    refuses = refusal_judging(VARIANTS["addition"], "addition", JUDGES)
    for reply, success in (
        (REFUSALS[1], True),
        ("I cannot I cannot I", False),
        (parse(example.prompt.text).answers[0], False),
    ):
        assert refuses([example], [reply])[0].success is success


def test_harmless_prompts_are_to_be_answered_whatever_the_use():
    example = POCKET.plain_examples("refusal", "test", 1)[0]
    for use, test_wants_refusal in (("ablation", False), ("addition", True)):
        success = TASK.success(VARIANTS[use], JUDGES)
        assert success["test"]([example], [REFUSALS[0]])[0].success is test_wants_refusal
        assert success["harmless"]([example], [example.reference])[0].success
        assert not success["harmless"]([example], [REFUSALS[0]])[0].success


def test_settings_that_make_no_sense_are_errors():
    with pytest.raises(UserError, match="refusal_ablation has no setting 'strengths'"):
        TASK.check({"strengths": [1]})
    with pytest.raises(UserError, match="settings of the task refusal_ablation: test"):
        TASK.check({"test": 0})
