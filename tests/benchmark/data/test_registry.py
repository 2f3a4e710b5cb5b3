import sys
from types import ModuleType, SimpleNamespace

import pytest

from graftbench.benchmark.core import plugins
from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.plugins import is_builtin, plugin_names
from graftbench.benchmark.data import registry
from graftbench.benchmark.data.registry import dataset_named
from graftbench.tasks.datasets.pocket.dataset import Pocket


@pytest.fixture
def installed(monkeypatch):
    """A dataset of another package, which has a setting."""
    module = ModuleType("their_dataset")
    module.make = lambda size: SimpleNamespace(name="theirs", size=size)
    module.make.__annotations__ = {"size": int}
    monkeypatch.setitem(sys.modules, "their_dataset", module)
    point = plugins.EntryPoint("theirs", "their_dataset:make", "graftbench.datasets")
    real = plugins.entry_points
    monkeypatch.setattr(
        plugins, "entry_points", lambda group: [*real(group=group), *([point] if group == point.group else [])]
    )
    plugins._points.cache_clear()
    yield
    monkeypatch.undo()
    plugins._points.cache_clear()
    registry._made.cache_clear()


def test_a_dataset_is_found_by_name_and_made_once():
    assert isinstance(dataset_named("pocket"), Pocket)
    assert dataset_named("pocket") is dataset_named({"name": "pocket"})
    assert "pocket" in plugin_names("datasets")
    assert is_builtin("datasets", "pocket")


def test_a_dataset_of_another_package_takes_its_settings(installed):
    made = dataset_named({"name": "theirs", "size": "3"})
    assert made.size == 3
    assert dataset_named({"size": "3", "name": "theirs"}) is made
    assert dataset_named({"name": "theirs", "size": 4}).size == 4


@pytest.mark.parametrize(
    ("named", "told"),
    [
        ("poket", "There is no dataset called 'poket'. Did you mean pocket? Known: "),
        ({"name": "jsonl"}, "There is no dataset called 'jsonl'. Known: "),
        ({"name": "pocket", "seed": 3}, "The dataset pocket cannot be made: it has no setting 'seed'."),
        ({"name": "theirs"}, "The dataset theirs cannot be made: size: Missing required argument."),
        ({"name": "theirs", "size": "many"}, "The dataset theirs cannot be made: size: Input should be a valid int"),
        ({"name": 3}, "The name of a dataset is a word, and not 3."),
        ({}, "A dataset is a name, or {jsonl: FOLDER}, and not {}."),
        ({"seed": 3}, "A dataset is a name, or {jsonl: FOLDER}, and not {'seed': 3}."),
        ({"name": "pocket", "jsonl": "x"}, "A dataset is a name, or {jsonl: FOLDER}, and not {'name': 'pocket', "),
        ({"jsonl": "x", "seed": 3}, "A folder of JSON lines has its settings in its dataset.yaml: leave out seed."),
        ({"jsonl": "no/where"}, "There is no folder no/where with a dataset: give one that holds dataset.yaml and"),
    ],
)
def test_what_is_no_dataset_is_one_sentence(installed, named, told):
    with pytest.raises(UserError) as error:
        dataset_named(named)
    assert str(error.value).startswith(told)


def test_a_folder_of_json_lines_needs_no_code(tmp_path):
    (tmp_path / "dataset.yaml").write_text("behaviours: {b: {}}")
    (tmp_path / "lines.jsonl").write_text('{"prompt": "Why?", "split": "test"}')
    dataset = dataset_named({"jsonl": str(tmp_path)})
    assert len(dataset.examples("b", "test", 9)) == 1
    assert dataset_named({"jsonl": str(tmp_path)}) is dataset


def test_a_folder_that_was_edited_is_read_again(tmp_path):
    (tmp_path / "dataset.yaml").write_text("behaviours: {b: {}}")
    for n in (1, 2):
        lines = [f'{{"prompt": "Why {i}?", "split": "test"}}' for i in range(n)]
        (tmp_path / "lines.jsonl").write_text("\n".join(lines))
        assert len(dataset_named({"jsonl": str(tmp_path)}).examples("b", "test", 9)) == n
