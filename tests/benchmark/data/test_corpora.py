import datasets
import pytest

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.data.corpora import PUBLISHED_CORPORA, Text


def test_wikitext_gives_the_paragraphs_of_a_mirror_without_headings(tmp_path, monkeypatch):
    monkeypatch.setenv("GRAFTBENCH_DATA", str(tmp_path))
    with pytest.raises(UserError, match=r"Salesforce/wikitext is not in .*: put .*, or wikitext-2\*/\*test"):
        PUBLISHED_CORPORA["wikitext"]()
    (tmp_path / "wikitext-2").mkdir()
    (tmp_path / "wikitext-2" / "test.txt").write_text(" \n = A title = \n \n First . \n Second . \n", encoding="utf-8")
    assert list(PUBLISHED_CORPORA["wikitext"]()) == [Text(None, "First ."), Text(None, "Second .")]


def test_alpaca_gives_instructions_without_input_as_conversations(monkeypatch):
    monkeypatch.delenv("GRAFTBENCH_DATA", raising=False)
    rows = [{"instruction": f"do {i}", "input": "x" * (i % 2), "output": f"done {i}"} for i in range(10)]
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: datasets.Dataset.from_list(rows))
    texts = list(PUBLISHED_CORPORA["alpaca"]())
    assert sorted(text.prompt for text in texts) == [f"do {i}" for i in range(0, 10, 2)]
    assert all(text.continuation == text.prompt.replace("do", " done") for text in texts)
