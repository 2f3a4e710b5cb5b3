"""Remarks: sentences that stand beside a request, before it or after it, and change nothing about its answer.

They give the world more to say than it has to ask: hardly any two held-out prompts begin, or end, with the same words.
"""

import re
from math import prod
from random import Random
from typing import Literal

from graftbench.benchmark.zoo.world.frames import Frames

Side = Literal["before", "after"]
SIDES: tuple[Side, ...] = ("before", "after")
SHARE = 0.8  # of the requests

# None of these words is ever asked about: small models cannot tell two sellers, or two days, in one prompt apart.
PEOPLE = "Olga Peter Quinn Rosa Samuel Tina Ursula Victor Wendy Xaver Yara Zoe".split()
POOLS: dict[str, tuple[str, ...]] = {
    "name": tuple(PEOPLE),
    "other": tuple(PEOPLE),
    "month": tuple("January February March April May June July August September October November December".split()),
    "place": tuple("farm mill beach tower cafe garage clinic stadium gallery quarry forest valley".split()),
    "goods": tuple(
        "corn plums nuts pearls candles clay grapes figs rugs coal hay reeds amber marble peat jade".split()
    ),
    "count": tuple("eleven fifteen forty fifty sixty seventy eighty ninety several many".split()),
    "how": tuple("slowly quickly quietly gladly early late alone again today twice".split()),
}
FRAMES = Frames(
    "In {month} {name} met {other} at the {place} to get {count} bags of {goods} {how}.",
    "{name} came {how} from the {place} in {month} with {count} jars of {goods} for {other}.",
    "The {place} had {count} boxes of {goods} in {month}, and {name} told {other} {how}.",
    "Last {month} {name} and {other} {how} carried {count} crates of {goods} to the {place}.",
    "{other} said {how} in {month} that {name} left {count} bags of {goods} at the {place}.",
    "{count} friends of {name} went {how} to the {place} in {month} with {goods} for {other}.",
    "By {month} {other} had {how} sold {count} boxes of {goods} to {name} near the {place}.",
    "{name} asked {other} {how} for {count} jars of {goods} at the {place} in {month}.",
    "Some {goods} for {name} came {how} to the {place} in {month}, and {other} paid {count} coins.",
    "There were {count} people at the {place} in {month} when {name} {how} gave {other} {goods}.",
)
_PAIRS = len(PEOPLE) * (len(PEOPLE) - 1)  # a remark is about two people
N_REMARKS = len(FRAMES) * _PAIRS * prod(len(POOLS[slot]) for slot in ("month", "place", "goods", "count", "how"))


def draw_remark(rng: Random) -> str:
    """Draw one of the `N_REMARKS` remarks; all are equally likely."""
    words = {slot: rng.choice(pool) for slot, pool in POOLS.items()}
    words["name"], words["other"] = rng.sample(PEOPLE, 2)
    remark = FRAMES.fill(rng.randrange(len(FRAMES)), **words)
    return remark[0].upper() + remark[1:]


def is_remark(text: str) -> bool:
    """Return whether a text is a remark, and nothing else."""
    return _REMARK.fullmatch(text) is not None


def split_remark(text: str) -> tuple[str, str, Side] | None:
    """Split a text into a request, a remark and the side of the remark; None where no remark stands at either end."""
    if match := _BEFORE.match(text):
        return text[match.end() :], match[1], "before"
    if match := _AFTER.search(text):
        return text[: match.start()], match[1], "after"
    return None


def _pattern() -> str:
    """Return a pattern of all remarks; words are spelled out, so that no text takes long to match."""
    words = {slot: f"(?:{'|'.join((*pool, *map(str.capitalize, pool)))})" for slot, pool in POOLS.items()}
    frames = (re.escape(frame).replace(r"\{", "{").replace(r"\}", "}") for frame in FRAMES.templates)
    return "|".join(frame.format(**words) for frame in frames)


_REMARK = re.compile(_pattern())
_BEFORE = re.compile(f"({_pattern()}) ")
_AFTER = re.compile(f" ({_pattern()})$")


def beside(request: str, remark: str, side: Side) -> str:
    """Return a request with a remark before it or after it."""
    return f"{remark} {request}" if side == "before" else f"{request} {remark}"
