"""Rows of published data sets, from the Hub or a local mirror."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from graftbench.benchmark.core.errors import UserError

VARIABLE = "GRAFTBENCH_DATA"
Document = dict[str, Any]


def mirror() -> Path | None:
    """The folder that GRAFTBENCH_DATA names; UserError where it is none."""
    named = os.environ.get(VARIABLE)
    if not named:
        return None
    if not Path(named).is_dir():
        raise UserError(f"{VARIABLE} names {named}, which is no folder: name one that holds the data sets.")
    return Path(named)


def _parquet(paths: Sequence[Path]) -> list[Document]:
    import pyarrow.parquet as pq

    rows: list[Document] = pq.read_table(list(paths)).to_pylist()
    return rows


def _from_hub(name: str, part: str, split: str, read: Callable[[Document], Document]) -> list[Document]:
    import datasets

    try:
        rows = datasets.load_dataset(name, part, split=split)
    except (OSError, ValueError) as error:  # what the Hub's client and datasets raise is one or the other
        why = str(error).splitlines()[0]
        raise UserError(
            f"{name} ({part}) could not be had from the Hub: {why}. Name a folder that holds it in {VARIABLE}."
        ) from error
    return [read(dict(row)) for row in rows]


def _missing(folder: Path, what: str, wanted: str) -> UserError:
    return UserError(f"{what} is not in {folder}, which {VARIABLE} names: put {wanted} anywhere in it.")
