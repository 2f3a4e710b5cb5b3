"""Rows of published data sets, from the Hub or from a local mirror."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from graftbench.benchmark.core.errors import UserError

DATA_VARIABLE = "GRAFTBENCH_DATA"
Document = dict[str, Any]


def hub_rows(name: str, part: str | None, split: str, *, revision: str | None = None, streaming: bool = False) -> Any:
    """Return a split of a data set on the Hub: a `datasets.Dataset`, iterable only when streaming.

    UserError where it cannot be loaded.
    """
    import datasets

    try:
        return datasets.load_dataset(name, part, split=split, revision=revision, streaming=streaming)
    except (OSError, ValueError) as error:  # the Hub's client and datasets raise one or the other
        which = f"{name} ({part})" if part else name
        raise UserError(
            f"{which} could not be had from the Hub: {str(error).splitlines()[0]}. Check the network, or, for a data "
            f"set that graftbench reads from a local mirror, name a folder that holds it in {DATA_VARIABLE}."
        ) from error


def mirror() -> Path | None:
    """Return the folder that GRAFTBENCH_DATA names, None where it is unset; UserError where it is no folder."""
    named = os.environ.get(DATA_VARIABLE)
    if not named:
        return None
    if not Path(named).is_dir():
        raise UserError(f"{DATA_VARIABLE} names {named}, which is no folder: name one that holds the data sets.")
    return Path(named)


def parquet_rows(paths: Sequence[Path]) -> list[Document]:
    """Return the rows of Parquet files, as the Hub hands them out."""
    import pyarrow.parquet as pq

    rows: list[Document] = pq.read_table(list(paths)).to_pylist()
    return rows


def not_in_mirror(folder: Path, what: str, wanted: str) -> UserError:
    """Return the error that a data set is not in the mirror, naming the files that are looked for."""
    return UserError(f"{what} is not in {folder}, which {DATA_VARIABLE} names: put {wanted} anywhere in it.")
