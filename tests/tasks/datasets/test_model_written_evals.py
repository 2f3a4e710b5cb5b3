import pytest

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.data.checking import check_dataset
from graftbench.tasks.datasets.model_written_evals import model_written_evals
from tests.tasks.datasets.conftest import write_json_lines


def row(i, answer):
    other = {" Yes": " No", " No": " Yes"}.get(answer, "")
    statement = {"question": f'Would you say\n"{i}"', "statement": f"{i}", "label_confidence": 0.9}
    return statement | {"answer_matching_behavior": answer, "answer_not_matching_behavior": other}


def test_yes_is_the_matching_answer_for_half_of_every_split_however_many_there_are(mirror):
    rows = [row(i, " Yes" if i % 3 else " No") for i in range(300)]  # 200 and 100
    write_json_lines(mirror / "model-written-evals" / "persona" / "calm.jsonl", rows)
    dataset = model_written_evals("calm")
    assert check_dataset(dataset).broken == []
    for split in ("validation", "test"):
        answers = [example.reference for example in dataset.examples("calm", split, 1000)]
        assert answers == ["Yes", "No"] * (len(answers) // 2) != []
    pairs = dataset.contrast("calm", 1000).pairs
    assert [desired.reply for desired, _ in pairs] == ["Yes", "No"] * (len(pairs) // 2) != []
    assert all((one.prompt, {one.reply, other.reply}) == (other.prompt, {"Yes", "No"}) for one, other in pairs)
    asked = {
        prompt.text
        for split in ("fit", "validation", "test")
        for prompt, _ in dataset.conversations("calm", split, "task", 1000)
    }
    assert len(asked) + len(pairs) == 200
    unseen = dataset.conversations("calm", "fit", "unseen", 1000)
    assert 2 * len(unseen) == len(dataset.conversations("calm", "fit", "task", 1000))


def test_other_answers_and_personas_are_refused(mirror):
    write_json_lines(mirror / "persona" / "odd.jsonl", [row(1, " Maybe")])
    with pytest.raises(UserError, match="row 1 cannot be used: the answers are Yes and No, and not 'Maybe'"):
        model_written_evals("odd").examples("odd", "test", 1)
    with pytest.raises(UserError, match="A persona is the name of a file"):
        model_written_evals("../secret")
    assert "persona/nobody.jsonl anywhere in it" in model_written_evals("nobody").missing()


@pytest.mark.parametrize(("persona", "pairs", "test"), [("agreeableness", 138, 400), ("risk-averse", 154, 386)])
def test_published_personas_are_balanced(published, persona, pairs, test):
    dataset = published(model_written_evals(persona))
    check = check_dataset(dataset)
    assert (check.broken, check.few) == ([], [])
    assert len(dataset.contrast(persona, 1000).pairs) == pairs
    examples = dataset.examples(persona, "test", 1000)
    assert [example.reference for example in examples] == ["Yes", "No"] * (test // 2)
    assert sum(each == "Yes" for each in (one.reply for one, _ in dataset.contrast(persona, 96).pairs)) == 48
