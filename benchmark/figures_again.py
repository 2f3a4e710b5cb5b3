"""The figures of a cell that was run again, beside those that its entry tells."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from graftbench.leaderboard.schema import Cell

MOST_MOVED = 0.02  # of the figures of a kind: another kind of CPU may turn a token
NEAR = 0.02  # as far as a figure may move for that, relatively where it is above 1
_OF_RATES = {"parts": ("gone", "good", "equal_clean"), "marks": ("marks",), "groups": ("groups",)}
_OF_RATES |= {"measures": ("measures",)}
Figures = Mapping[str, float]  # by where they stand


@dataclass(frozen=True)
class Kind:
    """Figures of one kind: how many there are, which of them moved, and how many may."""

    name: str
    n: int
    moved: tuple[str, ...]
    most: float

    @property
    def wrong(self) -> list[str]:
        """What is wrong where too many moved."""
        if len(self.moved) <= self.most:
            return []
        return [f"{len(self.moved)} of {self.n} figures of {self.name} are others now, {self.moved[0]} among them"]


def figures_again(told: Cell, found: Cell, turned: int) -> list[Kind]:
    """The figures by kind, so that the few of one do not hide among the many of another.

    With every bit that `turned` the success rate of a small group of prompts may move far.
    """
    mine, theirs = _by_kind(told), _by_kind(found)
    if not told.sweep:  # version 1 of the schema had none
        del mine["sweep"]
    return [_kind(name, figures, theirs[name], turned if name == "groups" else 0) for name, figures in mine.items()]


def _kind(name: str, mine: Figures, theirs: Figures, more: int) -> Kind:
    every = sorted({*mine, *theirs})
    moved = tuple(where for where in every if _moved(mine.get(where), theirs.get(where)))
    return Kind(name, len(every), moved, MOST_MOVED * len(every) + more)


def _by_kind(cell: Cell) -> dict[str, Figures]:
    rates = {name: rate.model_dump() for name, rate in cell.rates.items()}
    kinds: dict[str, object] = {
        kind: {"rates": {name: {part: rate[part] for part in parts} for name, rate in rates.items()}}
        for kind, parts in _OF_RATES.items()
    }
    tried = {name: {f"{one.strength:g}": one.value for one in swept} for name, swept in cell.sweep.items()}
    kinds |= {"sweep": {"sweep": tried}, "fidelity": {"fidelity": cell.fidelity}}
    kinds["side effects"] = cell.model_dump(include={"side_effects"})
    kinds["cost"] = {"cost.share_aligned": cell.cost.share_aligned if cell.cost else None}
    return {kind: dict(_figures(record)) for kind, record in kinds.items()}


def _figures(record: object, where: str = "") -> Iterator[tuple[str, float]]:
    """Every number in a record, by where it stands."""
    if isinstance(record, Mapping):
        for name, one in record.items():
            yield from _figures(one, f"{where}.{name}" if where else str(name))
    elif isinstance(record, int | float) and not isinstance(record, bool):
        yield where, float(record)


def _moved(told: float | None, found: float | None) -> bool:
    return told is None or found is None or abs(told - found) > NEAR * max(1.0, abs(told))
