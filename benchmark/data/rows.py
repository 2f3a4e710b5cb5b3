"""Rows of published data sets, from a local mirror or from the Hub."""

import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graftbench.benchmark.core.errors import UserError

DATA_VARIABLE = "GRAFTBENCH_DATA"
Document = dict[str, Any]

_BUILDERS = {".parquet": "parquet", ".json": "json", ".jsonl": "json", ".csv": "csv", ".txt": "text"}  # of `datasets`
_BATCH = 1000  # rows
_MAX_NAMED = 5  # files, in a message


@dataclass(frozen=True)
class PublishedTable:
    """One table of a published data set, and what its files are called in a mirror.

    Args:
        name: Its id on the Hub; its repository, where there is a `url`.
        columns: The columns that are read.
        split: What the Hub calls it.
        part: The configuration on the Hub that has it.
        files: Path of its files in the data set, where they are no split on the Hub.
        url: Address of its one file, with {revision} in it, for what is not on the Hub.
        revision: A commit, a tag or a branch; None: the newest.
        patterns: Paths of its files in a mirror that is laid out in another way than the Hub.
        streamed: Too large to be kept: it is read from the Hub as it comes.

    """

    name: str
    columns: tuple[str, ...]
    split: str = "train"
    part: str | None = None
    files: str | None = None
    url: str | None = None
    revision: str | None = None
    patterns: tuple[str, ...] = ()
    streamed: bool = False

    @property
    def in_a_mirror(self) -> str:
        """What has to be in a mirror, in words."""
        as_on_the_hub = () if self.url else (f"the Hub's folder {_last(self.name)} with its README.md",)
        return ", or ".join([*as_on_the_hub, *self.paths])

    @property
    def paths(self) -> tuple[str, ...]:
        """Patterns of its files in a mirror."""
        return (*([self.files] if self.files else []), *self.patterns)


def rows_of(table: PublishedTable) -> Iterator[Document]:
    """Return the rows of a table: from the mirror where one is named, else from the Hub. Memory stays flat.

    UserError where they cannot be read, or have other columns.
    """
    folder = mirror()
    return _read(table, folder, _on_the_web(table) if folder is None else _in_mirror(table, folder))


def _read(table: PublishedTable, folder: Path | None, arguments: dict[str, Any]) -> Iterator[Document]:
    import datasets

    with _one_sentence(table.name, folder):
        for batch in datasets.load_dataset(**arguments).iter(_BATCH):  # five times as fast as row by row
            _require_columns(table, batch)
            yield from (dict(zip(batch, values, strict=True)) for values in zip(*batch.values(), strict=True))


def missing_table(table: PublishedTable) -> str | None:
    """Return what has to be done before a table can be read; None where the mirror has it, or no mirror is named."""
    folder = mirror()
    try:
        if folder is not None:
            _in_mirror(table, folder)
    except UserError as error:
        return str(error)
    return None


def files_in_mirror(table: PublishedTable) -> list[Path]:
    """Return the files of a table in the mirror; of a folder as on the Hub all of its data."""
    folder = mirror()
    if folder is None:
        return []
    cards = _cards(table, folder)
    files = cards[0].parent.rglob(table.files or "*") if cards else _found(table, folder, table.paths)
    return [file for file in files if file.is_file()]


def hub_rows(name: str, part: str | None, split: str, *, revision: str | None = None, streaming: bool = False) -> Any:
    """Return a split of a data set on the Hub: a `datasets.Dataset`, iterable only when streaming.

    UserError where it cannot be loaded.
    """
    import datasets

    with _one_sentence(f"{name} ({part})" if part else name, None):
        return datasets.load_dataset(name, part, split=split, revision=revision, streaming=streaming)


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


def _on_the_web(table: PublishedTable) -> dict[str, Any]:
    """Return the arguments of `load_dataset` for a table on the Hub, or at its address."""
    if table.url is None:
        return _as_on_the_hub(table, table.name) | {"revision": table.revision, "streaming": table.streamed}
    address = table.url.format(revision=table.revision or "main")
    return _of_files([address])


def _in_mirror(table: PublishedTable, folder: Path) -> dict[str, Any]:
    """Return the arguments of `load_dataset` for a table in the mirror; UserError where it is not there."""
    cards = _cards(table, folder)
    if cards:
        return _as_on_the_hub(table, str(cards[0].parent)) | {"streaming": True}
    files = _found(table, folder, table.paths)
    if not files:
        raise not_in_mirror(folder, table.name, table.in_a_mirror)
    return _of_files([str(file) for file in files]) | {"streaming": True}


def _cards(table: PublishedTable, folder: Path) -> list[Path]:
    """Return the README.md of the Hub's folder with a table in the mirror, if that is there."""
    names = () if table.url else (table.name, _last(table.name))
    return _found(table, folder, [f"{name}/README.md" for name in names])


def _found(table: PublishedTable, folder: Path, patterns: Sequence[str]) -> list[Path]:
    """Return the files that fit the first pattern that any fits; UserError where they lie in several folders."""
    found = next((files for pattern in patterns if (files := sorted(folder.rglob(pattern)))), [])
    if len({file.parent for file in found}) > 1:
        named = ", ".join(str(file.relative_to(folder)) for file in found[:_MAX_NAMED])
        raise UserError(f"{folder} holds several files that may be {table.name}: {named}. Keep the one that is meant.")
    return found


def _as_on_the_hub(table: PublishedTable, path: str) -> dict[str, Any]:
    files = {"data_files": {table.split: table.files}} if table.files else {}
    return {"path": path, "name": table.part, "split": table.split, **files}


def _of_files(files: list[str]) -> dict[str, Any]:
    """Return the arguments of `load_dataset` for files of one format, compressed or not."""
    suffixes = Path(files[0]).suffixes
    builder = next((_BUILDERS[suffix] for suffix in reversed(suffixes) if suffix in _BUILDERS), None)
    if builder is None:
        raise UserError(f"{files[0]} is of no known format: {', '.join(_BUILDERS)}.")
    return {"path": builder, "data_files": {"train": files}, "split": "train"}


def _last(name: str) -> str:
    return name.rpartition("/")[-1]


def _require_columns(table: PublishedTable, found: Collection[str]) -> None:
    absent = [column for column in table.columns if column not in found]
    if absent:
        raise UserError(f"{table.name} has no column {absent[0]!r}; it has {', '.join(found)}.")


@contextmanager
def _one_sentence(what: str, folder: Path | None) -> Iterator[None]:
    """Turn an error of `datasets` into a UserError that says what to do."""
    from datasets.exceptions import DatasetsError

    try:
        yield
    except (OSError, ValueError, EOFError, DatasetsError) as error:  # with the Hub's client it is any of these
        why = str(error).partition("\n")[0].rstrip(".") or type(error).__name__
        if folder is not None:
            raise UserError(f"{what} in {folder} cannot be read: {why}.") from error
        page = what.partition(" ")[0]
        remedy = (
            f"Accept its conditions on https://huggingface.co/datasets/{page} and run `hf auth login`"
            if "gated" in str(error).lower()
            else "Check the network"
        )
        raise UserError(
            f"{what} could not be had from the Hub: {why}. {remedy}, or, for a data set that graftbench reads from a "
            f"local mirror, name a folder that holds it in {DATA_VARIABLE}."
        ) from error
