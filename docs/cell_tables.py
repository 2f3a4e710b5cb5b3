"""Table of what each cell tells: whether it is at floor or ceiling, and which mappers it tells apart."""

from collections.abc import Sequence
from itertools import combinations

from result_tables import LEADERBOARD, Entries, Lines, head, row

from graftbench.benchmark.metrics.pooled import Pooled
from graftbench.benchmark.results.pooling import Place, Pooling
from graftbench.leaderboard.ranking import is_control
from graftbench.leaderboard.ranks import difference
from graftbench.leaderboard.scored import Scored, memory_of, scored
from graftbench.leaderboard.scoring import read_scoring

FLOOR, CEILING = 0.15, 0.9  # of a transfer


def discrimination(entries: Entries, number: str) -> Lines:
    """Yield for each cell of a number its weight, the transfer of the mappers, and how many pairs it tells apart.

    A cell is at floor where no mapper reaches 0.15, and at ceiling where all exceed 0.9. Two mappers are told apart
    where the 95 % interval of their difference in this cell alone excludes 0. The last row has the share of the weight
    in cells that tell none apart.
    """
    mappers = _mappers(entries, number)
    pools = {place: [one.pooling.pool([one.parts[place]]) for one in mappers] for place in mappers[0].parts}
    gains = {place: max(0.0, own[0].gain) * own[0].references.n_prompts for place, own in pools.items()}
    silent = 0.0
    yield from head("cell", "track", "weight", "lowest", "highest", "pairs told apart", "")
    for place, own in pools.items():
        share = gains[place] / sum(gains.values())
        if gains[place] == 0:
            yield row(*_names(place), "0 %", "–", "–", "–", "memory does all that native does")
            continue
        apart, n = _told_apart(own)
        silent += share * (apart == 0)
        values = [one.value for one in own]
        yield row(
            *_names(place),
            f"{100 * share:.0f} %",
            f"{min(values):z.2f}",
            f"{max(values):z.2f}",
            f"{apart} of {n}",
            _at(values),
        )
    yield row("all cells", "", "100 %", "", "", f"none in {100 * silent:.0f} % of the weight", "")


def _mappers(entries: Entries, number: str) -> list[Scored]:
    """Return the mappers with this number, without controls and without those that repeat another."""
    scoring = read_scoring(LEADERBOARD, next(iter(entries.values())).suite.name)
    pooling = Pooling.over(cell for entry in entries.values() for cell in entry.cells)
    memory = memory_of(entries.values(), scoring)
    own = [scored(entry, number, pooling, memory) for entry in entries.values() if not is_control(entry, scoring)]
    return list({one.bits: one for one in own if one.reason is None}.values())


def _told_apart(own: Sequence[Pooled]) -> tuple[int, int]:
    """Return how many pairs of mappers a cell tells apart, and of how many."""
    pairs = list(combinations(own, 2))
    limits = [difference(one, other)[1:] for one, other in pairs if one.value != other.value]
    return sum(low > 0 or high < 0 for low, high in limits), len(pairs)


def _at(values: Sequence[float]) -> str:
    if max(values) < FLOOR:
        return "floor"
    return "ceiling" if min(values) > CEILING else ""


def _names(place: Place) -> tuple[str, str]:
    _, variant, pair, track = place
    return f"`{variant}` `{pair}`", f"`{track}`"
