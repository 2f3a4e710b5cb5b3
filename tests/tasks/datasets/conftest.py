import csv
import gzip
import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

BESIDE = Path(__file__).parents[4] / "shared" / "data"  # published files that may lie beside the repository


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """An empty mirror."""
    monkeypatch.setenv("GRAFTBENCH_DATA", str(tmp_path))
    return tmp_path


@pytest.fixture
def published(monkeypatch):
    """Skips where a dataset's published files are not here; else it reads them."""
    folder = Path(os.environ.get("GRAFTBENCH_DATA") or BESIDE)
    if not folder.is_dir():
        pytest.skip("no published files here: set GRAFTBENCH_DATA")
    monkeypatch.setenv("GRAFTBENCH_DATA", str(folder))

    def require(dataset):
        if dataset.missing() is not None:
            pytest.skip(dataset.missing())
        return dataset

    return require


def write_parquet(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), path)


def write_card(folder, files):
    """Write the README.md of a data set on the Hub: `files` has the path of a table by configuration and split."""
    lines = ["---", "configs:"]
    for config, splits in files.items():
        lines += [f"- config_name: {config}", "  data_files:"]
        lines += [f"  - split: {split}\n    path: {path}" for split, path in splits.items()]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "README.md").write_text("\n".join([*lines, "---", "# Card"]))


def write_json_lines(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    write = gzip.open if path.suffix == ".gz" else open
    with write(path, "wt", encoding="utf-8") as stream:
        stream.writelines(f"{json.dumps(row)}\n" for row in rows)


def write_json(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(rows, indent=4))


def write_csv(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
