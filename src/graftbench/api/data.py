"""Datasets by name."""

from pathlib import Path
from typing import Any

from graftbench.benchmark.data.dataset import Dataset
from graftbench.benchmark.data.registry import dataset_named


def load_dataset(name: str | Path, **settings: Any) -> Dataset:
    """Return a dataset: prompts with and without a behaviour, contrasts, and conversations to fit mappers on.

    `dataset.behaviours` has the behaviours by name; `contrast`, `examples` and `conversations` take one of them.

    >>> import graftbench as gb
    >>> pocket = gb.load_dataset("pocket")
    >>> pocket.examples("formal", "test", 2)[0].prompt.text
    'Would you be so good as to tell me how to dry your shirt?'

    Args:
        name: A dataset that is installed (`graftbench dataset list`), or the path of a folder of JSON lines.
        settings: Those of the dataset, such as `revision`.

    Raises:
        UserError: There is no such dataset or setting, or its files are not here.

    """
    is_path = isinstance(name, Path) or "/" in name
    return dataset_named({"jsonl" if is_path else "name": str(name), **settings})
