"""Remarks: sentences that stand beside a request, before it or after it, and change nothing about its answer.

They give the world more to say than it has to ask: of two held-out prompts hardly any begin, or end, with the same words.
"""

import re
from math import prod
from random import Random
from typing import Literal

from graftbench.benchmark.zoo.world.frames import Frames
from graftbench.benchmark.zoo.world.lexicon import DAYS, PEOPLE, PLACES

Side = Literal["before", "after"]
SIDES: tuple[Side, ...] = ("before", "after")
SHARE = 0.8  # of the requests

_POOLS: dict[str, tuple[str, ...]] = {
    "name": tuple(PEOPLE),
    "other": tuple(PEOPLE),
    "day": tuple(DAYS),
    "place": tuple(PLACES),
    "goods": tuple("honey bread milk wool silk salt sugar coffee tea cotton gold glass leather soap butter ink".split()),
    "count": tuple("two three four five six seven eight nine ten twelve twenty thirty".split()),
    "how": tuple("slowly quickly quietly gladly early late alone again today twice".split()),
}
FRAMES = Frames(
    "On {day} {name} met {other} at the {place} to get {count} bags of {goods} {how}.",
    "{name} came {how} from the {place} on {day} with {count} jars of {goods} for {other}.",
    "The {place} had {count} boxes of {goods} on {day}, and {name} told {other} {how}.",
    "Last {day} {name} and {other} {how} carried {count} crates of {goods} to the {place}.",
    "{other} said {how} on {day} that {name} left {count} bags of {goods} at the {place}.",
    "{count} friends of {name} went {how} to the {place} on {day} with {goods} for {other}.",
    "By {day} {other} had {how} sold {count} boxes of {goods} to {name} near the {place}.",
    "{name} asked {other} {how} for {count} jars of {goods} at the {place} on {day}.",
    "Some {goods} for {name} came {how} to the {place} on {day}, and {other} paid {count} coins.",
    "There were {count} people at the {place} on {day} when {name} {how} gave {other} {goods}.",
)
_PAIRS = len(PEOPLE) * (len(PEOPLE) - 1)  # a remark is about two people
N_REMARKS = len(FRAMES) * _PAIRS * prod(len(_POOLS[slot]) for slot in ("day", "place", "goods", "count", "how"))


def draw_remark(rng: Random) -> str:
    """Draw one of the `N_REMARKS` remarks; all are equally likely."""
    words = {slot: rng.choice(pool) for slot, pool in _POOLS.items()}
    words["name"], words["other"] = rng.sample(PEOPLE, 2)
    remark = FRAMES.fill(rng.randrange(len(FRAMES)), **words)
    return remark[0].upper() + remark[1:]


def is_remark(text: str) -> bool:
    """Return whether a text is a remark, and nothing else."""
    return any(
        all(word in _POOLS[slot] or word.lower() in _POOLS[slot] for slot, word in slots.items())
        for _, slots in FRAMES.match(text)
    )


def split_remark(text: str) -> tuple[str, str, Side] | None:
    """Split a text into a request, a remark and the side of the remark; None where no remark stands at either end."""
    first, _, rest = text.partition(". ")
    if rest and is_remark(f"{first}."):
        return rest, f"{first}.", "before"
    for space in re.finditer(r" (?=[A-Z])", text):
        if is_remark(text[space.end() :]):
            return text[: space.start()], text[space.end() :], "after"
    return None


def beside(request: str, remark: str, side: Side) -> str:
    """Return a request with a remark before it or after it."""
    return f"{remark} {request}" if side == "before" else f"{request} {remark}"
