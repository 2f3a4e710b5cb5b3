"""What the tasks of this folder are made of, as lm-eval calls for it."""

from typing import Any

from datasets import Dataset

from graftbench.benchmark.capability import pocket, sources
from graftbench.benchmark.capability.answers import exact_match, f1


def pocket_mmlu(**_: Any) -> dict[str, Dataset]:
    """Questions over the pocket world."""
    return {"test": Dataset.from_list(list(pocket.choices()))}


def pocket_squad(**_: Any) -> dict[str, Dataset]:
    """Passages of the pocket world."""
    return {"test": Dataset.from_list(list(pocket.passages()))}


def squad(**_: Any) -> dict[str, Dataset]:
    """SQuAD's validation documents."""
    return {"test": Dataset.from_list(sources.squad())}


def mmlu(subject: str, **_: Any) -> dict[str, Dataset]:
    """The documents of one subject of MMLU."""
    return {split: Dataset.from_list(list(rows)) for split, rows in sources.mmlu(subject).items()}


def graded(doc: dict[str, Any], results: list[str]) -> dict[str, float]:
    """F1 and exact match of an answer."""
    said = results[0].strip()
    return {"f1": f1(said, doc["answers"]), "exact_match": exact_match(said, doc["answers"])}
