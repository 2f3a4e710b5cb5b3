"""Compare the figures of a rerun cell with its entry, kind by kind."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from graftbench.benchmark.results.schema import CellResult

MAX_MOVED = 0.02  # of the figures of a kind: another kind of CPU may turn a token
TOLERANCE = 0.02  # of one figure, relative where it is above 1
_OF_RATES = {"parts": ("gone", "good", "equal_clean"), "marks": ("marks",), "groups": ("groups",)}
_OF_RATES |= {"measures": ("measures",)}
Figures = Mapping[str, float]  # by path, such as rates.mapped.good


@dataclass(frozen=True)
class FigureKind:
    """Figures of one kind: their number, the paths of those that moved, and how many may."""

    name: str
    n: int
    moved: tuple[str, ...]
    max_moved: float

    @property
    def wrong(self) -> list[str]:
        """One sentence where too many moved."""
        if len(self.moved) <= self.max_moved:
            return []
        return [f"{len(self.moved)} of {self.n} figures of {self.name} differ now, such as {self.moved[0]}"]


def figure_kinds(stored: CellResult, rerun: CellResult, turned: int) -> list[FigureKind]:
    """Compare figures kind by kind, so that the few of one kind do not hide among the many of another.

    Each of the `turned` bits may move the success rate of a small group of prompts far.
    """
    before, now = _by_kind(stored), _by_kind(rerun)
    if not stored.sweep:  # version 1 of the schema had none
        del before["sweep"]
    return [_kind(name, figures, now[name], turned if name == "groups" else 0) for name, figures in before.items()]


def _kind(name: str, before: Figures, now: Figures, allowance: int) -> FigureKind:
    every = sorted({*before, *now})
    moved = tuple(path for path in every if _moved(before.get(path), now.get(path)))
    return FigureKind(name, len(every), moved, MAX_MOVED * len(every) + allowance)


def _by_kind(cell: CellResult) -> dict[str, Figures]:
    rates = {name: rate.model_dump() for name, rate in cell.rates.items()}
    kinds: dict[str, object] = {
        kind: {"rates": {name: {part: rate[part] for part in parts} for name, rate in rates.items()}}
        for kind, parts in _OF_RATES.items()
    }
    sweep = {name: {f"{point.strength:g}": point.value for point in points} for name, points in cell.sweep.items()}
    kinds |= {"sweep": {"sweep": sweep}, "fidelity": {"fidelity": cell.fidelity}}
    kinds["side effects"] = cell.model_dump(include={"side_effects"})
    kinds["cost"] = {"cost.share_aligned": cell.cost.share_aligned if cell.cost else None}
    return {kind: dict(_figures(record)) for kind, record in kinds.items()}


def _figures(record: object, path: str = "") -> Iterator[tuple[str, float]]:
    """Yield every number in a nested record with its path."""
    if isinstance(record, Mapping):
        for name, value in record.items():
            yield from _figures(value, f"{path}.{name}" if path else str(name))
    elif isinstance(record, int | float) and not isinstance(record, bool):
        yield path, float(record)


def _moved(before: float | None, now: float | None) -> bool:
    return before is None or now is None or abs(before - now) > TOLERANCE * max(1.0, abs(before))
