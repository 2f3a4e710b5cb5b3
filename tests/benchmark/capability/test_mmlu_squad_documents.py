import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from graftbench.benchmark.capability import mmlu_squad_documents
from graftbench.benchmark.capability.deployment import Deployment
from graftbench.benchmark.capability.evaluation import evaluate
from graftbench.benchmark.capability.lm_eval_tasks import lm_task, mmlu_subjects
from graftbench.benchmark.capability.measures import corpus
from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.interventions.conditions import Condition
from graftbench.benchmark.models.load import load
from graftbench.benchmark.models.shipped import WEIGHTS

SHARED = Path(__file__).parents[4] / "shared" / "data"
MIRROR = Path(os.environ.get("GRAFTBENCH_DATA") or SHARED)
needs_data = pytest.mark.skipif(not (MIRROR / "mmlu").is_dir(), reason="no data sets here: set GRAFTBENCH_DATA")
DOCUMENT = {"question": "2 + 2?", "choices": ["1", "2", "3", "4"], "answer": 3}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("GRAFTBENCH_DATA", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("head", ["", "question,choice0,choice1,choice2,choice3,answer\n"])
@pytest.mark.parametrize("answer", ["D", "3"])
def test_tables_of_mmlu_are_read_as_first_published_and_with_a_head(folder, head, answer):
    for split in ("test", "dev"):
        (folder / f"sums_{split}.csv").write_text(f"{head}2 + 2?,1,2,3,4,{answer}\n")
    assert mmlu_squad_documents.mmlu("sums") == {"test": [DOCUMENT], "dev": [DOCUMENT]}


def test_the_hubs_layout_of_mmlu_is_read(folder):
    for split in ("test", "dev"):
        (folder / "mmlu" / "sums").mkdir(parents=True, exist_ok=True)
        table = pa.Table.from_pylist([DOCUMENT | {"subject": "sums"}])
        pq.write_table(table, folder / "mmlu" / "sums" / f"{split}-00000-of-00001.parquet")
    assert mmlu_squad_documents.mmlu("sums")["test"] == [DOCUMENT]


def test_squad_is_read_as_published_and_as_on_the_hub(folder):
    asked = {"question": "Who?", "answers": [{"text": "Ann", "answer_start": 0}, {"text": "Ann", "answer_start": 9}]}
    published = {"data": [{"title": "t", "paragraphs": [{"context": "Ann and Ann.", "qas": [asked]}]}]}
    (folder / "squad-dev.json").write_text(json.dumps(published))
    wanted = [{"title": "t", "context": "Ann and Ann.", "question": "Who?", "answers": ["Ann"]}]
    assert mmlu_squad_documents.squad() == wanted
    (folder / "squad-dev.json").unlink()
    (folder / "squad" / "plain_text").mkdir(parents=True)
    row = {"id": "1", **wanted[0], "answers": {"text": ["Ann", "Ann"], "answer_start": [0, 9]}}
    pq.write_table(pa.Table.from_pylist([row]), folder / "squad" / "plain_text" / "validation-00000-of-00001.parquet")
    assert mmlu_squad_documents.squad() == wanted


def test_missing_and_broken_files_are_reported(folder, monkeypatch):
    with pytest.raises(UserError, match="MMLU's sums is not in .*: put sums_test.csv or"):
        mmlu_squad_documents.mmlu("sums")
    with pytest.raises(UserError, match="SQuAD is not in"):
        mmlu_squad_documents.squad()
    (folder / "sums_test.csv").write_text("2 + 2?,1,2,3,4,E\n")
    (folder / "squad.json").write_text('{"data": [{}]}')
    with pytest.raises(UserError, match="is no SQuAD file as published"):
        mmlu_squad_documents.squad()
    (folder / "xquad.ar.json").write_text("{}")
    with pytest.raises(UserError, match="several files that may be SQuAD: squad.json, xquad.ar.json"):
        mmlu_squad_documents.squad()
    with pytest.raises(UserError, match="is no table of MMLU"):
        mmlu_squad_documents.mmlu("sums")
    monkeypatch.setenv("GRAFTBENCH_DATA", str(folder / "nowhere"))
    with pytest.raises(UserError, match="which is no folder"):
        mmlu_squad_documents.mirror()


@needs_data
def test_the_real_sets_are_whole(monkeypatch):
    monkeypatch.setenv("GRAFTBENCH_DATA", str(MIRROR))
    assert len(mmlu_subjects()) == 57
    assert len(mmlu_squad_documents.mmlu("anatomy")["test"]) == 135
    assert len(mmlu_squad_documents.mmlu("anatomy")["dev"]) == 5
    assert len(mmlu_squad_documents.squad()) == 1190  # XQuAD's English part
    texts = corpus("wikitext", 5)
    assert all(text.prompt is None and not text.continuation.startswith("=") for text in texts)


@needs_data
@pytest.mark.slow
@pytest.mark.skipif(not WEIGHTS.is_dir(), reason="no trained zoo here: `graftbench zoo train` makes it")
def test_real_mmlu_and_squad_run_on_a_zoo_model(monkeypatch):
    monkeypatch.setenv("GRAFTBENCH_DATA", str(MIRROR))
    model, plain = load("llama-s-instruct"), Deployment(Condition("unsteered"))
    condensed = evaluate(model, plain, lm_task("mmlu_condensed", 1))
    assert len(condensed.documents) == 57
    assert 0.05 < condensed.mean("acc") < 0.5  # a model that knows nothing of it
    squad = evaluate(model, plain, lm_task("squad", 3))
    assert set(squad.metrics) == {"f1", "exact_match"}
    assert len(squad.documents) == 3
