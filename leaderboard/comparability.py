"""Comparability of entries: the same prompts, models and answers under all conditions that involve no mapper."""

from collections.abc import Iterator, Sequence

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.names import cell_name
from graftbench.benchmark.results.schema import CellResult, Entry
from graftbench.leaderboard.entries import by_suite
from graftbench.leaderboard.ranking import check_comparable

MAX_BIT_MISMATCHES = 0.02  # of the bits of a condition: another kind of CPU may turn a token
MAX_PROMPT_MISMATCHES = 0.05  # of prompts: those that a judge leaves unscored under one mapper leave that mapper alone
OF_MAPPERS = frozenset(
    {"mapped", "mapped_own_norm", "mapped_best", "mapped_shuffled", "matched_noise"}
)  # conditions with a mapper in it
TRAINED = frozenset({"lora"})  # trains differently on another kind of CPU; no score depends on it
Name = tuple[str, str, str, str]


def comparison_problems(entries: Sequence[Entry]) -> list[str]:
    """Return the reasons why entries cannot be on one leaderboard, in one sentence each.

    An entry is compared with the others of its suite alone.
    """
    return [f"on the suite {name} {why}" for name, ours in by_suite(entries).items() for why in _problems(ours)]


def _problems(entries: Sequence[Entry]) -> list[str]:
    """Return the reasons why entries of one suite cannot be compared."""
    first = entries[0]
    names = [entry.mapper.name.casefold() for entry in entries]
    duplicates = dict.fromkeys(entry.mapper.name for entry in entries if names.count(entry.mapper.name.casefold()) > 1)
    if duplicates:
        advice = "of another source or with other options: give yours another `name`"
        return [f"there is a mapper called {name} already, {advice}" for name in duplicates]
    try:
        check_comparable(entries)
    except UserError as error:
        return [str(error).rstrip(".")]
    return [
        f"{names_of_both(first, other)} cannot be compared: {mismatch}"
        for other in entries  # the first, too: its own seeds have to agree
        for mismatch in reference_mismatches(other, first)
    ]


def names_of_both(entry: Entry, other: Entry) -> str:
    """Return the names of two entries, or the seeds of one."""
    names = entry.mapper.name, other.mapper.name
    return f"the seeds of {names[0]}" if entry is other else " and ".join(names)


def reference_mismatches(entry: Entry, other: Entry) -> list[str]:
    """Return where the reference conditions of two entries differ, which makes them incomparable.

    All seeds of a mapper share the reference conditions of a cell, so each seed of `entry` is compared with one of
    `other`.
    """
    theirs = {_name(cell): cell for cell in reversed(other.cells) if cell.status == "ok"}
    return [
        f"{cell_name(*_name(cell), cell.seed)}: {mismatch}"
        for cell in entry.cells
        if cell.status == "ok" and _name(cell) in theirs
        for mismatch in _cell_mismatches(cell, theirs[_name(cell)])
    ]


def _name(cell: CellResult) -> Name:
    return cell.task, cell.variant, cell.pair, cell.track


def _cell_mismatches(cell: CellResult, other: CellResult) -> Iterator[str]:
    if cell.models != other.models:
        yield "the models differ"
    baselines = [one.transfer.baseline if one.transfer else None for one in (cell, other)]
    if baselines[0] != baselines[1]:
        yield f"the baselines are {baselines[0]} and {baselines[1]}"
        return
    shared, mismatch = _shared_prompts(cell, other)
    if mismatch is not None:
        yield mismatch
    if shared is None:
        return
    yield from _answer_mismatches(cell, other, shared)
    if (cell.steerable, cell.reason) != (other.steerable, other.reason):  # their scores are over other cells then
        reasons = f"{cell.reason or 'steerable'}, {other.reason or 'steerable'}"
        yield f"it can be steered in one and not in the other ({reasons})"


def _shared_prompts(cell: CellResult, other: CellResult) -> tuple[Sequence[str] | None, str | None]:
    """Return the prompts of both cells, None where these are too few, and what differs, if anything."""
    if (cell.prompt_ids, cell.clusters) == (other.prompt_ids, other.clusters):
        return cell.prompt_ids, None
    clusters = [dict(zip(one.prompt_ids, one.clusters, strict=False)) for one in (cell, other)]
    shared = [item for item in clusters[0] if item in clusters[1]]
    if any(len(shared) < (1 - MAX_PROMPT_MISMATCHES) * len(one.prompt_ids) for one in (cell, other)):
        return None, "the prompts differ"
    same_clusters = all(clusters[0][item] == clusters[1][item] for item in shared)
    return shared, None if same_clusters else "the clusters of prompts differ"


def _answer_mismatches(cell: CellResult, other: CellResult, shared: Sequence[str]) -> Iterator[str]:
    """Yield the reference conditions under which too many answers to shared prompts differ."""
    same_prompts = cell.prompt_ids == other.prompt_ids
    for condition in sorted({*cell.bits, *other.bits} - OF_MAPPERS - TRAINED):
        if same_prompts and cell.bits.get(condition) == other.bits.get(condition):
            continue
        mine, theirs = (bits_on(shared, one, condition) for one in (cell, other))
        if len(mine) != len(theirs):
            yield f"{condition} has another number of draws"
        elif sum(a != b for a, b in zip(mine, theirs, strict=True)) > MAX_BIT_MISMATCHES * len(mine):
            yield f"the answers under {condition} differ"


def bits_on(items: Sequence[str], cell: CellResult, condition: str) -> list[int]:
    """Return the bits of a condition on some prompts, draw after draw."""
    index = {item: i for i, item in enumerate(cell.prompt_ids)}
    return [draw[index[item]] for draw in cell.bits.get(condition, []) for item in items]
