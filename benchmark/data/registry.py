"""Datasets by what a suite says: a name, a name with settings, or a folder of JSON lines."""

import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from inspect import signature
from pathlib import Path
from typing import Any

from pydantic import ValidationError, validate_call

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.files import first_error
from graftbench.benchmark.core.plugins import nearest, plugin
from graftbench.benchmark.data.dataset import Dataset
from graftbench.benchmark.data.jsonl import jsonl_dataset

Named = str | Mapping[str, Any]  # `pocket`, `{name: hh_rlhf, revision: ...}` or `{jsonl: path/to/folder}`


def dataset_named(named: Named) -> Dataset:
    """Return a dataset, the same one for the same words and files; UserError where they make no sense."""
    written = {"name": named} if isinstance(named, str) else dict(named)
    if ("name" in written) == ("jsonl" in written):
        raise UserError(f"A dataset is a name, or {{jsonl: FOLDER}}, and not {_short(named)}.")
    return _made(json.dumps(written, sort_keys=True, default=str), _stamp(written))


def _short(named: Named) -> str:
    return str(named)[:80]


def _stamp(written: Mapping[str, Any]) -> tuple[object, ...]:
    """Return sizes and times of the files of a folder, which may be edited between two runs of a notebook."""
    if "jsonl" not in written:
        return ()
    folder = Path(str(written["jsonl"]))
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    return tuple((file.name, status.st_size, status.st_mtime_ns) for file in files for status in [file.lstat()])


def _why(error: ValidationError, make: Callable[..., Dataset]) -> str:
    first = error.errors()[0]
    if first["type"] == "unexpected_keyword_argument":
        return f"it has no setting {first['loc'][0]!r}.{nearest(str(first['loc'][0]), [*signature(make).parameters])}"
    return f"{first_error(error)}."


@lru_cache(maxsize=16)
def _made(written: str, _stamp: tuple[object, ...]) -> Dataset:
    settings = json.loads(written)
    if "jsonl" in settings:
        folder = settings.pop("jsonl")
        if settings:
            raise UserError(
                f"A folder of JSON lines has its settings in its dataset.yaml: leave out {', '.join(settings)}."
            )
        return jsonl_dataset(Path(str(folder)))
    name = settings.pop("name")
    if not isinstance(name, str):
        raise UserError(f"The name of a dataset is a word, and not {name!r}.")
    make = plugin("datasets", name, more=("{jsonl: FOLDER}",))
    try:
        dataset: Dataset = validate_call(make)(**settings)
    except ValidationError as error:
        raise UserError(f"The dataset {name} cannot be made: {_why(error, make)}") from error
    return dataset
