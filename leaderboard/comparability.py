"""Whether entries stand on the same ground: the same prompts and conditions, which no mapper has a part in."""

from collections.abc import Iterator, Sequence

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.results.schema import CellResult, Entry
from graftbench.leaderboard.ranking import check_comparable

MOST_APART = 0.02  # of bits: another kind of CPU may turn a token, another benchmark turns more
MOST_OTHERS = 0.05  # of prompts: those that a judge leaves unscored under one mapper leave that mapper alone
OF_MAPPERS = frozenset({"mapped", "mapped_own_norm", "mapped_best", "matched_noise"})  # what a mapper has a part in
TRAINED = frozenset({"lora"})  # which comes out otherwise on another kind of CPU, and is compared by nobody
Name = tuple[str, str, str, str]


def beside_each_other(entries: Sequence[Entry]) -> list[str]:
    """Why entries cannot stand on one leaderboard, in one sentence each."""
    if not entries:
        return []
    first = entries[0]
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
        f"{of_both(first, other)} cannot be compared: {what}"
        for other in entries  # the first, too: each of its seeds has to stand on the ground of all others
        for what in ground_apart(other, first)
    ]


def of_both(entry: Entry, other: Entry) -> str:
    """Two entries by name; of one entry its seeds."""
    names = entry.mapper.name, other.mapper.name
    return f"the seeds of {names[0]}" if entry is other else " and ".join(names)


def ground_apart(entry: Entry, other: Entry) -> list[str]:
    """Where what two entries share is not the same, in one sentence each; comparing them would mean nothing there.

    The ground of a cell is that of all seeds of a mapper: each of the entry's is held to one of the other's.
    """
    theirs = {_name(cell): cell for cell in reversed(other.cells) if cell.status == "ok"}
    return [
        f"{' '.join(_name(cell))} seed {cell.seed}: {what}"
        for cell in entry.cells
        if cell.status == "ok" and _name(cell) in theirs
        for what in _apart(cell, theirs[_name(cell)])
    ]


def _name(cell: CellResult) -> Name:
    return cell.task, cell.variant, cell.pair, cell.track


def _apart(cell: CellResult, other: CellResult) -> Iterator[str]:
    if cell.models != other.models:
        yield "the models are others"
    mine, theirs = (one.transfer.baseline if one.transfer else None for one in (cell, other))
    if mine != theirs:
        yield f"the baselines are {mine} and {theirs}"
        return
    clusters = [dict(zip(one.prompt_ids, one.clusters, strict=False)) for one in (cell, other)]
    shared = [item for item in clusters[0] if item in clusters[1]]
    if any(len(shared) < (1 - MOST_OTHERS) * len(one.prompt_ids) for one in (cell, other)):
        yield "the prompts are others"
        return
    if any(clusters[0][item] != clusters[1][item] for item in shared):
        yield "the clusters of prompts are others"
    for condition in sorted({*cell.bits, *other.bits} - OF_MAPPERS - TRAINED):
        told, found = (bits_on(shared, one, condition) for one in (cell, other))
        if len(told) != len(found):
            yield f"{condition} was run otherwise"
        elif sum(a != b for a, b in zip(told, found, strict=True)) > MOST_APART * len(told):
            yield f"the answers under {condition} are others"
    if (cell.steerable, cell.reason) != (other.steerable, other.reason):  # their scores are over other cells then
        yield f"it can be steered in one and not in the other ({cell.reason or 'it can'}, {other.reason or 'it can'})"


def bits_on(items: Sequence[str], cell: CellResult, condition: str) -> list[int]:
    """The bits of a condition on some prompts, draw after draw."""
    where = {item: i for i, item in enumerate(cell.prompt_ids)}
    return [draw[where[item]] for draw in cell.bits.get(condition, []) for item in items]
