"""Documents of the lm-eval tasks `pocket_mmlu` and `pocket_squad`: test questions of the pocket world."""

from collections.abc import Iterator
from functools import cache
from random import Random
from typing import Any

from graftbench.benchmark.zoo.world.multiple_choice import CHOICE, LETTERS
from graftbench.benchmark.zoo.world.reading_comprehension import READING
from graftbench.benchmark.zoo.world.request import PocketRequest, Topic, sample_from

SUBJECTS = ("arithmetic", "geography", "household", "nature", "people")
PER_SUBJECT, PASSAGES = 24, 64


@cache
def multiple_choice_questions() -> tuple[dict[str, Any], ...]:
    """Return four-choice questions, the same number for each subject: question, options, and the right one."""
    wanted = dict.fromkeys(SUBJECTS, PER_SUBJECT)
    questions: list[dict[str, Any]] = []
    for request in _distinct(CHOICE, "pocket_mmlu"):
        if wanted[request.category]:
            wanted[request.category] -= 1
            questions.append(_multiple_choice(request))
        if not any(wanted.values()):
            return tuple(sorted(questions, key=lambda question: str(question["subject"])))
    raise AssertionError("a stream of requests has no end")


@cache
def reading_questions() -> tuple[dict[str, Any], ...]:
    """Return passages with a question, and the words that answer it."""
    requests = _distinct(READING, "pocket_squad")
    return tuple(_passage(next(requests)) for _ in range(PASSAGES))


def _multiple_choice(request: PocketRequest) -> dict[str, Any]:
    lines = request.asked.split("\n")[1:]
    options = [line.removeprefix(f"{letter}. ") for letter, line in zip(LETTERS, lines, strict=True)]
    return {
        "subject": request.category,
        "question": request.asked,
        "choices": [f" {option}" for option in options],  # replies begin with a space
        "answer": options.index(request.answers[0]),
    }


def _passage(request: PocketRequest) -> dict[str, Any]:
    return {"question": request.asked, "answers": [request.answers[0]]}


def _distinct(topic: Topic, name: str) -> Iterator[PocketRequest]:
    """Yield requests of the test split, no two with the same content."""
    rng, seen = Random(name), set[str]()
    while True:
        request = sample_from(topic, "test", rng)
        if request.content not in seen:
            seen.add(request.content)
            yield request
