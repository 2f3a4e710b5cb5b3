import shutil
from dataclasses import replace

import datasets
import pytest

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.data.rows import PublishedTable, hub_rows, mirror, missing_table, rows_of


def test_a_split_is_loaded_at_its_revision(monkeypatch):
    calls = []
    monkeypatch.setattr(datasets, "load_dataset", lambda *args, **options: calls.append((args, options)) or [{"a": 1}])
    assert hub_rows("owner/set", "part", "test", revision="abc") == [{"a": 1}]
    assert calls == [(("owner/set", "part"), {"split": "test", "revision": "abc", "streaming": False})]


def test_a_set_that_the_hub_does_not_give_is_one_sentence(monkeypatch):
    def fail(*_, **__):
        raise OSError("no network\nand more")

    monkeypatch.setattr(datasets, "load_dataset", fail)
    with pytest.raises(
        UserError, match=r"owner/set \(part\) could not be had from the Hub: no network\. Check the net"
    ):
        hub_rows("owner/set", "part", "test")


def test_the_mirror_is_the_folder_that_the_variable_names(tmp_path, monkeypatch):
    monkeypatch.delenv("GRAFTBENCH_DATA", raising=False)
    assert mirror() is None
    monkeypatch.setenv("GRAFTBENCH_DATA", str(tmp_path))
    assert mirror() == tmp_path
    monkeypatch.setenv("GRAFTBENCH_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(UserError, match="nowhere, which is no folder"):
        mirror()


TABLE = PublishedTable("owner/set", ("a",), patterns=("*.jsonl", "*.csv"))
FOUND = datasets.Dataset.from_list([{"a": 1}])


def test_a_table_on_the_hub_is_loaded_at_its_revision(monkeypatch):
    asked = []
    monkeypatch.delenv("GRAFTBENCH_DATA", raising=False)
    monkeypatch.setattr(datasets, "load_dataset", lambda **arguments: asked.append(arguments) or FOUND)
    table = PublishedTable("owner/set", ("a",), "test", "part", files="folder/test.jsonl", revision="abc")
    assert list(rows_of(table)) == [{"a": 1}]
    of_the_file = {"data_files": {"test": "folder/test.jsonl"}}
    assert asked == [
        {"path": "owner/set", "name": "part", "split": "test", "revision": "abc", "streaming": False} | of_the_file
    ]
    assert missing_table(table) is None


def test_a_table_that_is_not_on_the_hub_has_an_address(monkeypatch):
    asked = []
    monkeypatch.delenv("GRAFTBENCH_DATA", raising=False)
    monkeypatch.setattr(datasets, "load_dataset", lambda **arguments: asked.append(arguments) or FOUND)
    table = PublishedTable("owner/set", ("a",), url="https://example.org/{revision}/a.json")
    for pinned, name in ((table, "main"), (replace(table, revision="abc"), "abc")):
        assert list(rows_of(pinned)) == [{"a": 1}]
        address = f"https://example.org/{name}/a.json"
        assert asked.pop() == {"path": "json", "data_files": {"train": [address]}, "split": "train"}


def test_a_gated_set_says_what_to_accept(monkeypatch):
    def refuse(**_):
        raise datasets.exceptions.DatasetNotFoundError("Dataset 'owner/set' is a gated dataset on the Hub. Log in.")

    monkeypatch.delenv("GRAFTBENCH_DATA", raising=False)
    monkeypatch.setattr(datasets, "load_dataset", refuse)
    with pytest.raises(
        UserError,
        match=r"Accept its conditions on https://huggingface\.co/datasets/owner/set and run `hf auth login`, or",
    ):
        list(rows_of(TABLE))


@pytest.mark.parametrize(
    ("file", "text"),
    [("a.jsonl", '{"a": "x"}\n{"a": "y"}\n'), ("deep/b.csv", "a,b\nx,1\ny,2\n")],
    ids=["JSON lines", "CSV"],
)
def test_files_of_a_mirror_are_read_whatever_their_format(tmp_path, monkeypatch, file, text):
    monkeypatch.setenv("GRAFTBENCH_DATA", str(tmp_path))
    assert missing_table(TABLE) == (
        f"owner/set is not in {tmp_path}, which GRAFTBENCH_DATA names: put the Hub's folder set with its README.md, or "
        "*.jsonl, or *.csv anywhere in it."
    )
    with pytest.raises(UserError, match="is not in"):
        rows_of(TABLE)
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(text)
    assert missing_table(TABLE) is None
    assert [row["a"] for row in rows_of(TABLE)] == ["x", "y"]


def test_files_that_cannot_be_used_are_named(tmp_path, monkeypatch):
    monkeypatch.setenv("GRAFTBENCH_DATA", str(tmp_path))
    (tmp_path / "a.jsonl").write_text('{"b": 1}\n')
    with pytest.raises(UserError, match=r"owner/set has no column 'a'; it has b\."):
        list(rows_of(TABLE))
    (tmp_path / "a.jsonl").write_text('{"a": 1}\n{"a": \n')
    with pytest.raises(UserError, match=r"owner/set in .* cannot be read: "):
        list(rows_of(TABLE))
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "b.jsonl").write_text("{}")
    with pytest.raises(UserError, match=r"several files that may be owner/set: a\.jsonl, more/b\.jsonl\. Keep the one"):
        rows_of(TABLE)
    (tmp_path / "a.xml").write_text("")
    with pytest.raises(UserError, match=r"a\.xml is of no known format: \.parquet"):
        rows_of(replace(TABLE, patterns=("*.xml",)))


def test_two_copies_of_a_folder_of_the_hub_are_told_apart_by_their_owner_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("GRAFTBENCH_DATA", str(tmp_path))
    for i, place in enumerate(("other/set", "owner/set", "copy/owner/set")):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "README.md").write_text("# Card")
        (tmp_path / place / "train.jsonl").write_text(f'{{"a": {i}}}')
    with pytest.raises(UserError, match=r"several files that may be owner/set: copy/owner/set/README\.md, owner/set"):
        rows_of(TABLE)
    shutil.rmtree(tmp_path / "copy")
    assert list(rows_of(TABLE)) == [{"a": 1}]
