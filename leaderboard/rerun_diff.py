"""Compare a rerun cell with its entry: settings must match exactly, measurements within tolerance."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from graftbench.benchmark.results.schema import CellResult, ShownReply
from graftbench.leaderboard.comparability import MAX_BIT_MISMATCHES, MAX_PROMPT_MISMATCHES, bits_on

MAX_MOVED = 0.02  # share of the figures of one kind that may move: another kind of CPU may change a token
TOLERANCE = 0.02  # by which a figure may differ without having moved; relative where it is above 1
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
        """A sentence where too many moved; nothing otherwise."""
        if len(self.moved) <= self.max_moved:
            return []
        return [f"{len(self.moved)} of {self.n} figures of {self.name} differ now, such as {self.moved[0]}"]


def figure_kinds(stored: CellResult, rerun: CellResult, turned: int) -> list[FigureKind]:
    """Compare figures kind by kind, so that the few of one kind do not hide among the many of another.

    `turned` bits differ. Each may move the success rate of one small group of prompts by more than the tolerance, so as
    many more rates of groups may move.
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


MAX_COMPLETION_MISMATCHES = 0.2  # share of the completions of examples: another kind of CPU may change a token
_SETTINGS = {"sites", "positions", "strength", "n_asked", "models"}


@dataclass(frozen=True)
class RerunDiff:
    """Differences between a rerun cell and its entry.

    `wrong` says in sentences what differs by more than it may, `moved` names all figures that differ.
    """

    name: str
    bits: int = 0
    bit_mismatches: int = 0
    figures: int = 0
    moved: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()

    @property
    def report(self) -> str:
        """The result in one line."""
        if self.wrong:
            return f"{self.name}: {'; '.join(self.wrong)}"
        bits = f"{self.bit_mismatches} of {self.bits} bits"
        figures = f"{len(self.moved)} of {self.figures} figures"
        return f"{self.name}: {bits} and {figures} differ{f', such as {self.moved[0]}' if self.moved else ''}"


def compare_cells(name: str, stored: CellResult, rerun: CellResult | None) -> RerunDiff:
    """Compare a cell of an entry with the same cell as it was rerun."""
    if rerun is None:
        return RerunDiff(name, wrong=("it is not planned for this mapper",))
    if rerun.status != "ok":
        return RerunDiff(name, wrong=(f"it {rerun.status} now: {rerun.reason}",))
    other_setup = (*_setting_mismatches(stored, rerun), *_prompt_mismatches(stored, rerun))
    if other_setup:  # then everything else differs, too
        return RerunDiff(name, wrong=other_setup)
    bits = list(_bit_mismatches(stored, rerun))
    turned = sum(mismatches for _, mismatches, _ in bits)
    kinds = figure_kinds(stored, rerun, turned)
    wrong = [f"{m} of {n} bits of {condition} differ now" for condition, m, n in bits if m > MAX_BIT_MISMATCHES * n]
    wrong += [sentence for kind in kinds for sentence in kind.wrong]
    return RerunDiff(
        name,
        bits=sum(n for _, _, n in bits),
        bit_mismatches=turned,
        figures=sum(kind.n for kind in kinds),
        moved=tuple(figure for kind in kinds for figure in kind.moved),
        wrong=(*wrong, *_example_mismatches(stored, rerun)),
    )


def _setting_mismatches(stored: CellResult, rerun: CellResult) -> Iterator[str]:
    """Compare the settings: they depend on the suite, the mapper and its data, and not on the machine."""
    before, now = _settings(stored), _settings(rerun)
    for name, value in before.items():
        if value != now[name]:
            yield f"{name} is {value}, and {now[name]} now"


def _settings(cell: CellResult) -> dict[str, object]:
    cost, training, transfer = cell.cost, cell.training, cell.transfer
    return cell.model_dump(include=_SETTINGS) | {
        "transfer.baseline": transfer.baseline if transfer else None,
        "training.data_hash": training.data_hash if training else None,
        "cost.parameters": cost.parameters if cost else None,
        "cost.bytes": cost.bytes if cost else None,
        "cost.pairs": cost.pairs if cost else None,
    }


def _prompt_mismatches(stored: CellResult, rerun: CellResult) -> Iterator[str]:
    """Compare prompts, of which a few may differ: one turned token can make a clean answer not good."""
    most = max(len(stored.prompt_ids), len(rerun.prompt_ids))
    if len(_shared_prompts(stored, rerun)) < (1 - MAX_PROMPT_MISMATCHES) * most:
        yield "its prompts differ now"
    before, now = stored.n_validation or 0, rerun.n_validation or 0
    if abs(before - now) > MAX_PROMPT_MISMATCHES * before:
        yield f"n_validation is {before}, and {now} now"


def _shared_prompts(stored: CellResult, rerun: CellResult) -> list[str]:
    present = set(rerun.prompt_ids)
    return [item for item in stored.prompt_ids if item in present]


def _bit_mismatches(stored: CellResult, rerun: CellResult) -> Iterator[tuple[str, int, int]]:
    """Yield each condition with the number of its bits that differ and of all its bits, on the shared prompts."""
    shared = _shared_prompts(stored, rerun)
    for condition in sorted({*stored.bits, *rerun.bits}):
        before, now = (bits_on(shared, cell, condition) for cell in (stored, rerun))
        mismatches = sum(a != b for a, b in zip(before, now, strict=False)) + abs(len(before) - len(now))
        yield condition, mismatches, max(len(before), len(now))


def _example_mismatches(stored: CellResult, rerun: CellResult) -> Iterator[str]:
    """Compare the prompts, references and completions of examples."""
    if not stored.examples:  # version 1 of the schema had none
        return
    asked, now = ({one.item: (one.prompt, one.reference) for one in cell.examples} for cell in (stored, rerun))
    if any(asked[item] != now[item] for item in asked.keys() & now.keys()):
        yield "the examples differ now: their prompts or references"
    said, said_now = _replies(stored), _replies(rerun)
    every = said.keys() | said_now.keys()
    mismatches = sum(said.get(one) != said_now.get(one) for one in every)
    if mismatches > MAX_COMPLETION_MISMATCHES * len(every):
        yield f"the examples differ now: {mismatches} of {len(every)} completions"


def _replies(cell: CellResult) -> dict[tuple[str, str], ShownReply]:
    return {(one.item, condition): reply for one in cell.examples for condition, reply in one.said.items()}
