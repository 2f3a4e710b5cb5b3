"""Whether a cell that was run again came out as its entry tells: settings exactly, what is measured nearly."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from graftbench.benchmark.results.schema import CellResult, ShownReply
from graftbench.leaderboard.comparability import MOST_OTHERS, bits_on

MOST_APART = 0.02  # of the bits of a condition: another kind of CPU may turn a token
MOST_SAID = 0.2  # of the completions that are shown, for the same reason
_SETTINGS = {"sites", "positions", "strength", "n_asked", "models"}


@dataclass(frozen=True)
class RerunDiff:
    """One cell that was run again: of how many bits and figures which are others, and where too many are."""

    name: str
    bits: int = 0
    others: int = 0
    figures: int = 0
    moved: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()

    @property
    def told(self) -> str:
        """The result in one line."""
        if self.wrong:
            return f"{self.name}: {'; '.join(self.wrong)}"
        among = f", {self.moved[0]} among them" if self.moved else ""
        bits, figures = f"{self.others} of {self.bits} bits", f"{len(self.moved)} of {self.figures} figures"
        return f"{self.name}: {bits} and {figures} are others{among}"


def compared(name: str, told: CellResult, found: CellResult | None) -> RerunDiff:
    """A cell as its entry tells it beside the same as it came out now."""
    if found is None:
        return RerunDiff(name, wrong=("it is not planned for this mapper",))
    if found.status != "ok":
        return RerunDiff(name, wrong=(f"it {found.status} now: {found.reason}",))
    elsewhere = (*_settings_apart(told, found), *_prompts_apart(told, found))
    if elsewhere:  # for which everything else is other, too
        return RerunDiff(name, wrong=elsewhere)
    bits = list(_bits_apart(told, found))
    turned = sum(apart for _, apart, _ in bits)
    kinds = figures_again(told, found, turned)
    wrong = [f"{apart} of {n} bits of {name} are others now" for name, apart, n in bits if apart > MOST_APART * n]
    wrong += [what for kind in kinds for what in kind.wrong]
    return RerunDiff(
        name,
        bits=sum(n for _, _, n in bits),
        others=turned,
        figures=sum(kind.n for kind in kinds),
        moved=tuple(where for kind in kinds for where in kind.moved),
        wrong=(*wrong, *_examples_apart(told, found)),
    )


def _settings_apart(told: CellResult, found: CellResult) -> Iterator[str]:
    """What hangs on the suite, the mapper and its data, and on no kind of machine."""
    mine, theirs = _settings(told), _settings(found)
    for name, value in mine.items():
        if value != theirs[name]:
            yield f"{name} is {value}, and {theirs[name]} now"


def _settings(cell: CellResult) -> dict[str, object]:
    cost, training, transfer = cell.cost, cell.training, cell.transfer
    return cell.model_dump(include=_SETTINGS) | {
        "transfer.baseline": transfer.baseline if transfer else None,
        "training.data_hash": training.data_hash if training else None,
        "cost.parameters": cost.parameters if cost else None,
        "cost.bytes": cost.bytes if cost else None,
        "cost.pairs": cost.pairs if cost else None,
    }


def _prompts_apart(told: CellResult, found: CellResult) -> Iterator[str]:
    """Prompts leave where their clean answers are not good, in which a token may have turned."""
    most = max(len(told.prompt_ids), len(found.prompt_ids))
    if len(_shared(told, found)) < (1 - MOST_OTHERS) * most:
        yield "its prompts are others now"
    mine, theirs = told.n_validation or 0, found.n_validation or 0
    if abs(mine - theirs) > MOST_OTHERS * mine:
        yield f"n_validation is {mine}, and {theirs} now"


def _shared(told: CellResult, found: CellResult) -> list[str]:
    there = set(found.prompt_ids)
    return [item for item in told.prompt_ids if item in there]


def _bits_apart(told: CellResult, found: CellResult) -> Iterator[tuple[str, int, int]]:
    """Of each condition how many bits are others, of how many, on the prompts that both have."""
    shared = _shared(told, found)
    for condition in sorted({*told.bits, *found.bits}):
        one, other = (bits_on(shared, cell, condition) for cell in (told, found))
        apart = sum(a != b for a, b in zip(one, other, strict=False)) + abs(len(one) - len(other))
        yield condition, apart, max(len(one), len(other))


def _examples_apart(told: CellResult, found: CellResult) -> Iterator[str]:
    """Where what an entry shows was not asked, or not said."""
    if not told.examples:  # version 1 of the schema had none
        return
    asked, now = ({one.item: (one.prompt, one.reference) for one in cell.examples} for cell in (told, found))
    if any(asked[item] != now[item] for item in asked.keys() & now.keys()):
        yield "the examples are others now: their prompts or references"
    said, then = _said(told), _said(found)
    every = said.keys() | then.keys()
    others = sum(said.get(one) != then.get(one) for one in every)
    if others > MOST_SAID * len(every):
        yield f"the examples are others now: {others} of {len(every)} completions"


def _said(cell: CellResult) -> dict[tuple[str, str], ShownReply]:
    return {(one.item, name): said for one in cell.examples for name, said in one.said.items()}


MOST_MOVED = 0.02  # of the figures of a kind: another kind of CPU may turn a token
NEAR = 0.02  # as far as a figure may move for that, relatively where it is above 1
_OF_RATES = {"parts": ("gone", "good", "equal_clean"), "marks": ("marks",), "groups": ("groups",)}
_OF_RATES |= {"measures": ("measures",)}
Figures = Mapping[str, float]  # by where they stand


@dataclass(frozen=True)
class FigureKind:
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


def figures_again(told: CellResult, found: CellResult, turned: int) -> list[FigureKind]:
    """The figures by kind, so that the few of one do not hide among the many of another.

    With every bit that `turned` the success rate of a small group of prompts may move far.
    """
    mine, theirs = _by_kind(told), _by_kind(found)
    if not told.sweep:  # version 1 of the schema had none
        del mine["sweep"]
    return [_kind(name, figures, theirs[name], turned if name == "groups" else 0) for name, figures in mine.items()]


def _kind(name: str, mine: Figures, theirs: Figures, more: int) -> FigureKind:
    every = sorted({*mine, *theirs})
    moved = tuple(where for where in every if _moved(mine.get(where), theirs.get(where)))
    return FigureKind(name, len(every), moved, MOST_MOVED * len(every) + more)


def _by_kind(cell: CellResult) -> dict[str, Figures]:
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
