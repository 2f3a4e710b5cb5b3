"""Whether two entries stand on the same ground: the same prompts and controls, which no mapper has a part in."""

from collections.abc import Iterator

from .schema import Cell, Entry

MOST_APART = 0.02  # of bits: another kind of CPU may turn a token, another benchmark turns more
MOST_OTHERS = 0.05  # of prompts: those that a judge leaves unscored under one mapper leave that mapper alone
Name = tuple[str, str, str, str]


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
    shared = [item for item in cell.prompt_ids if item in set(other.prompt_ids)]
    if len(shared) < (1 - MOST_OTHERS) * max(len(cell.prompt_ids), len(other.prompt_ids)):
        yield "the prompts are others"
        return
    clusters = [dict(zip(one.prompt_ids, one.clusters, strict=True)) for one in (cell, other)]
    if any(clusters[0][item] != clusters[1][item] for item in shared):
        yield "the clusters of prompts are others"
    for condition in ("unsteered", "native", mine or "unsteered"):
        told, found = (_bits(one, condition, shared) for one in (cell, other))
        if len(told) != len(found):
            yield f"{condition} was run otherwise"
        elif sum(a != b for a, b in zip(told, found, strict=True)) > MOST_APART * len(told):
            yield f"the answers under {condition} are others"


def _bits(cell: Cell, condition: str, items: list[str]) -> list[int]:
    """The bits of a condition on some prompts, draw after draw."""
    where = {item: i for i, item in enumerate(cell.prompt_ids)}
    return [draw[where[item]] for draw in cell.bits.get(condition, []) for item in items]
