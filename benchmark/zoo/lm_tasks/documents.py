"""Documents of the pocket world's lm-eval tasks."""

from typing import Any

from datasets import Dataset

from graftbench.benchmark.metrics.squad import graded as graded
from graftbench.benchmark.zoo import questions as pocket


def pocket_mmlu(**_: Any) -> dict[str, Dataset]:
    """Questions over the pocket world."""
    return {"test": Dataset.from_list(list(pocket.choices()))}


def pocket_squad(**_: Any) -> dict[str, Dataset]:
    """Passages of the pocket world."""
    return {"test": Dataset.from_list(list(pocket.passages()))}
