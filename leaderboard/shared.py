"""Whether two entries stand on the same ground: the same prompts and controls, which no mapper has a part in."""

from collections.abc import Iterator, Sequence

from graftbench.benchmark.errors import UserError

from .build import check_comparable
from .schema import Cell, Entry

MOST_APART = 0.02  # of bits: another kind of CPU may turn a token, another benchmark turns more
MOST_OTHERS = 0.05  # of prompts: those that a judge leaves unscored under one mapper leave that mapper alone
Name = tuple[str, str, str, str]


def beside_each_other(entries: Sequence[Entry]) -> list[str]:
    """Why entries cannot stand on one leaderboard, in one sentence each."""
    if not entries:
        return []
    first, *others = entries
    names = [entry.mapper.name.casefold() for entry in entries]
    twice = dict.fromkeys(entry.mapper.name for entry in entries if names.count(entry.mapper.name.casefold()) > 1)
    if twice:
        told = "of another source or with other options: give yours another `name`"
        return [f"there is a mapper called {name} already, {told}" for name in twice]
    try:
        check_comparable(entries)
    except UserError as error:
        return [str(error).rstrip(".")]
    return [
        f"{first.mapper.name} and {other.mapper.name} cannot be compared: {what}"
        for other in others
        for what in ground_apart(first, other)
    ]


def ground_apart(entry: Entry, other: Entry) -> list[str]:
    """Where what two entries share is not the same, in one sentence each; comparing them would mean nothing there."""
    theirs = {_name(cell): cell for cell in other.cells if cell.status == "ok"}
    return [
        f"{' '.join(_name(cell))}: {what}"
        for cell in entry.cells
        if cell.status == "ok" and _name(cell) in theirs
        for what in _apart(cell, theirs[_name(cell)])
    ]


def _name(cell: Cell) -> Name:
    return cell.task, cell.variant, cell.pair, cell.track


def _apart(cell: Cell, other: Cell) -> Iterator[str]:
    if cell.models != other.models:
        yield "the models are others"
    mine, theirs = (one.transfer.baseline if one.transfer else None for one in (cell, other))
    if mine != theirs:
        yield f"the baseline is {mine}, and elsewhere {theirs}"
        return
    clusters = [dict(zip(one.prompt_ids, one.clusters, strict=False)) for one in (cell, other)]
    shared = [item for item in clusters[0] if item in clusters[1]]
    if any(len(shared) < (1 - MOST_OTHERS) * len(one.prompt_ids) for one in (cell, other)):
        yield "the prompts are others"
        return
    if any(clusters[0][item] != clusters[1][item] for item in shared):
        yield "the clusters of prompts are others"
    alike = len(shared) == len(cell.prompt_ids) == len(other.prompt_ids)
    for condition in dict.fromkeys(("unsteered", "native", mine or "unsteered")):
        told, found = (_bits(one, condition, shared) for one in (cell, other))
        alike = alike and told == found
        if len(told) != len(found):
            yield f"{condition} was run otherwise"
        elif sum(a != b for a, b in zip(told, found, strict=True)) > MOST_APART * len(told):
            yield f"the answers under {condition} are others"
    if alike and (cell.steerable, cell.reason) != (other.steerable, other.reason):
        yield f"it can be steered in one and not in the other ({cell.reason or 'it can'}, {other.reason or 'it can'})"


def _bits(cell: Cell, condition: str, items: list[str]) -> list[int]:
    """The bits of a condition on some prompts, draw after draw."""
    where = {item: i for i, item in enumerate(cell.prompt_ids)}
    return [draw[where[item]] for draw in cell.bits.get(condition, []) for item in items]
