"""Documents of SQuAD and MMLU, in the form that lm-eval loads."""

from typing import Any

from datasets import Dataset

from graftbench.benchmark.capability import mmlu_squad_documents
from graftbench.benchmark.metrics.squad import graded as graded  # squad.yaml names it


def squad(**_: Any) -> dict[str, Dataset]:
    """Return SQuAD's validation documents."""
    return {"test": Dataset.from_list(mmlu_squad_documents.squad())}


def mmlu(subject: str, **_: Any) -> dict[str, Dataset]:
    """Return the documents of one subject of MMLU."""
    return {split: Dataset.from_list(list(rows)) for split, rows in mmlu_squad_documents.mmlu(subject).items()}
