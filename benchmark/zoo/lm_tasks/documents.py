"""Documents of the tasks in this folder, as lm-eval's configurations name them."""

from typing import Any

from datasets import Dataset

from graftbench.benchmark.metrics.squad import graded as graded
from graftbench.benchmark.zoo import questions


def pocket_mmlu(**_: Any) -> dict[str, Dataset]:
    """Return multiple-choice questions of the pocket world."""
    return {"test": Dataset.from_list(list(questions.multiple_choice_questions()))}


def pocket_squad(**_: Any) -> dict[str, Dataset]:
    """Return passages of the pocket world with questions."""
    return {"test": Dataset.from_list(list(questions.reading_questions()))}
