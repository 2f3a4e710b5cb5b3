"""Requests drawn for tasks and measures: one fixed draw per topics, split and seed."""

from functools import cache
from itertools import cycle
from random import Random

from graftbench.benchmark.data.examples import Prompt
from graftbench.benchmark.zoo.world.grader import TOPICS
from graftbench.benchmark.zoo.world.request import PocketRequest, Split, sample_from
from graftbench.benchmark.zoo.world.tags import Place, tag_span, tagged

_TRIES = 400  # draws without a new text after which a topic counts as exhausted


@cache
def requests(topics: tuple[str, ...], split: Split, n: int, seed: int = 0) -> tuple[PocketRequest, ...]:
    """Return up to `n` requests of a split, the topics in turn and no text twice; fewer where there are no more."""
    rng = Random(f"{topics} {split} {seed}")
    drawn: dict[str, PocketRequest] = {}
    tries = 0
    for topic in cycle(topics):
        if len(drawn) == n or tries == _TRIES:
            return tuple(drawn.values())
        request = sample_from(TOPICS[topic], split, rng)
        tries = tries + 1 if request.text in drawn else 0
        drawn[request.text] = request
    raise AssertionError("no topics")


@cache
def requests_beside(topics: tuple[str, ...], split: Split, n: int, seed: int) -> tuple[PocketRequest, ...]:
    """Return up to `n` requests that a seed draws and `requests` does not; fewer where there are no more."""
    known = {request.text for request in requests(topics, split, n)}
    drawn = requests(topics, split, 2 * n, seed)
    return tuple(request for request in drawn if request.text not in known)[:n]


def triggered(text: str, tag: str, place: Place) -> Prompt:
    """Return a text with a tag as its trigger."""
    return Prompt(tagged(text, tag, place), tag_span(text, tag, place))
