import datasets
import pytest

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.data.rows import hub_rows, mirror


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
