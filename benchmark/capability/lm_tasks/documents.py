"""What the tasks of this folder are made of, as lm-eval calls for it."""

from typing import Any

from datasets import Dataset

from graftbench.benchmark.capability import documents as sources
from graftbench.benchmark.metrics.squad import graded as graded


def squad(**_: Any) -> dict[str, Dataset]:
    """SQuAD's validation documents."""
    return {"test": Dataset.from_list(sources.squad())}


def mmlu(subject: str, **_: Any) -> dict[str, Dataset]:
    """The documents of one subject of MMLU."""
    return {split: Dataset.from_list(list(rows)) for split, rows in sources.mmlu(subject).items()}
