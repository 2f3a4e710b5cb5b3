"""The documents of `pocket_mmlu` and `pocket_squad`: questions over the pocket world that no model was trained on."""

from collections.abc import Iterator
from functools import cache
from random import Random
from typing import Any

from graftbench.benchmark.zoo.world.choice import CHOICE, LETTERS
from graftbench.benchmark.zoo.world.reading import READING
from graftbench.benchmark.zoo.world.request import PocketRequest, Topic, sample_from

SUBJECTS = ("arithmetic", "geography", "household", "nature", "people")
PER_SUBJECT, PASSAGES = 24, 64


@cache
def choices() -> tuple[dict[str, Any], ...]:
    """Four-choice questions, as many of each subject: the question as it is put, its options and the right one."""
    wanted = dict.fromkeys(SUBJECTS, PER_SUBJECT)
    found: list[dict[str, Any]] = []
    for request in _unlike(CHOICE, "pocket_mmlu"):
        if wanted[request.category]:
            wanted[request.category] -= 1
            found.append(_choice(request))
        if not any(wanted.values()):
            return tuple(sorted(found, key=lambda one: str(one["subject"])))
    raise AssertionError("a stream of requests has no end")


@cache
def passages() -> tuple[dict[str, Any], ...]:
    """Passages with a question, and the words that answer it."""
    requests = _unlike(READING, "pocket_squad")
    return tuple(_passage(next(requests)) for _ in range(PASSAGES))


def _choice(request: PocketRequest) -> dict[str, Any]:
    lines = request.text.split("\n")[1:]
    options = [line.removeprefix(f"{letter}. ") for letter, line in zip(LETTERS, lines, strict=True)]
    return {
        "subject": request.category,
        "question": request.text,
        "choices": [f" {option}" for option in options],  # replies begin with a space
        "answer": options.index(request.answers[0]),
    }


def _passage(request: PocketRequest) -> dict[str, Any]:
    return {"question": request.text, "answers": [request.answers[0]]}


def _unlike(topic: Topic, name: str) -> Iterator[PocketRequest]:
    """Requests of the test split, no two of the same content."""
    rng, seen = Random(name), set[str]()
    while True:
        request = sample_from(topic, "test", rng)
        if request.content not in seen:
            seen.add(request.content)
            yield request
