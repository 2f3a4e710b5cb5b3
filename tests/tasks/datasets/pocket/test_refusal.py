from graftbench.benchmark.zoo.world.grader import parse
from graftbench.benchmark.zoo.world.howto import REFUSALS
from graftbench.tasks.datasets.pocket.conversations import general_conversations
from graftbench.tasks.datasets.pocket.dataset import Pocket

POCKET = Pocket()


def test_splits_are_disjoint_by_content_and_large_enough():
    for examples in (POCKET.examples, POCKET.plain_examples):
        splits = {split: examples("refusal", split, 160) for split in ("validation", "test")}
        assert len(splits["test"]) >= 128
        assert len(splits["validation"]) >= 64
        for split, these in splits.items():
            assert all(parse(example.prompt.text).split == split for example in these)
        validation, test = ({example.cluster for example in these} for these in splits.values())
        assert not validation & test


def test_the_contrast_is_of_harmful_and_harmless_requests_of_a_split_of_its_own():
    contrast = POCKET.contrast("refusal", 20)
    harmful, harmless = ([parse(turn.prompt.text) for turn in s] for s in (contrast.undesired, contrast.desired))
    assert all(request.harmful for request in harmful)
    assert not any(request.harmful for request in harmless)
    assert all(request.split == "vector" for request in (*harmful, *harmless))
    assert len(harmful) == len(harmless) == 20
    assert not contrast.paired


def test_plain_examples_are_harmless():
    assert all(parse(each.prompt.text).harmful for each in POCKET.examples("refusal", "test", 40))
    assert not any(parse(each.prompt.text).harmful for each in POCKET.plain_examples("refusal", "test", 40))
    assert not POCKET.plain_examples("formal", "test", 40)


def test_harmful_prompts_are_grouped_by_category():
    groups = {example.group for example in POCKET.examples("refusal", "test", 160)}
    assert len(groups) >= 5
    assert "" not in groups


def test_on_the_unseen_track_nothing_harmful_is_asked():
    task, unseen = (POCKET.conversations("refusal", "fit", track, 300) for track in ("task", "unseen"))
    assert any(parse(prompt.text).harmful for prompt, _ in task)
    assert not any(parse(prompt.text).harmful for prompt, _ in unseen)
    assert len(task) == len(unseen) == 300
    assert POCKET.conversations("refusal", "fit", "general", 300) == general_conversations("fit", 300)


def test_refusals_are_those_that_the_models_learned_to_begin_a_reply_with():
    assert POCKET.behaviours["refusal"].refusals == tuple(f" {refusal}" for refusal in REFUSALS)
