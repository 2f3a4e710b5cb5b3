"""Tables of an entry's cells: success and transfer, and the rates that only some suites ask for."""

from collections.abc import Sequence

from rich.markup import escape
from rich.table import Table

from graftbench.benchmark.results.schema import CellResult, Entry, Rate, Transfer

CAPTION = (
    "With 95 % confidence intervals; a transfer has no limits where native's gain may be nothing. Baseline: {}. In "
    "brackets under a transfer: its 95 % prediction interval, against a single random vector."
)
_BASELINES = {
    "random": "the mean of random vectors, with the 95 % prediction interval of a single one",
    "mean_ablated": "the mean activation",
    "eraser": "the direct patch without its trigger",
}
TARGET_LOSS, STILL_GOOD = "target_loss", "good_untriggered"  # a condition and a measure, as an entry has them
TRAINED, _NO_TRIGGER = "trained on target's loss", "no trigger"  # how their columns begin
_ASKED = (TRAINED, *(f"{_NO_TRIGGER}: {name}" for name in ("unsteered", "baseline", "mapped", "native")))
_ASKED_CAPTIONS = {
    TRAINED: f"Trained on target's loss ({TARGET_LOSS}): the source's vector, carried by a map that is trained so.",
    _NO_TRIGGER: f"No trigger ({STILL_GOOD}): prompts without their trigger that the other version answers well.",
}


def cells_table(entry: Entry, shown: Sequence[str], gap: str) -> Table:
    """Build a table of success under the conditions `shown`, and of transfer; `gap` stands within an interval."""
    table = Table(
        title=escape(f"{entry.mapper.name} on {entry.suite.name}") + ": success and transfer",
        title_justify="left",
        caption=_caption(entry.cells),
        caption_justify="left",
    )
    table.add_column("cell", overflow="fold")
    for column in ("unsteered", "baseline", *(condition.replace("mapped_", "") for condition in shown), "transfer"):
        table.add_column(column.replace("_", " "), justify="right")
    for cell in entry.cells:
        table.add_row(*_cell_row(cell, shown, gap))
    return table


def asked_table(cells: Sequence[CellResult], gap: str) -> Table | None:
    """Build a table of the rates that only some suites ask for; None where no cell has any."""
    rows = {i: _asked_rates(cell, gap) for i, cell in enumerate(cells)}
    columns = [column for column in _ASKED if any(column in rates for rates in rows.values())]
    if not columns:
        return None
    captions = [told for start, told in _ASKED_CAPTIONS.items() if any(c.startswith(start) for c in columns)]
    table = Table(
        title="Success under further conditions",
        title_justify="left",
        caption=" ".join(captions),
        caption_justify="left",
    )
    table.add_column("cell", overflow="fold")
    for column in columns:
        table.add_column(column, justify="right")
    for i, rates in rows.items():
        if rates:
            table.add_row(_name(cells[i]), *(rates.get(column, "-") for column in columns))
    return table


def _asked_rates(cell: CellResult, gap: str) -> dict[str, str]:
    """Return by column the rates of a cell that only some suites ask for."""
    trained = {TRAINED: _value_of(cell.rates[TARGET_LOSS], gap)} if TARGET_LOSS in cell.rates else {}
    conditions = {"unsteered": "unsteered", "baseline": _baseline(cell), "mapped": "mapped", "native": "native"}
    measured = {name: cell.rates[c].measures for name, c in conditions.items() if c in cell.rates}
    shares = {name: each[STILL_GOOD] for name, each in measured.items() if STILL_GOOD in each}
    return trained | {f"{_NO_TRIGGER}: {name}": "-" if s is None else f"{s:z.2f}" for name, s in shares.items()}


def _caption(cells: Sequence[CellResult]) -> str | None:
    """Say what the baseline is in these cells, and in which tasks it is another than random vectors."""
    measured = [(cell, cell.transfer.baseline) for cell in cells if cell.transfer is not None]
    places: dict[str, dict[str, None]] = {}
    for cell, baseline in measured:
        mixed = len({other for each, other in measured if each.task == cell.task}) > 1
        places.setdefault(baseline, {})[f"{cell.task} {cell.variant}" if mixed else cell.task] = None
    names = sorted(places, key=lambda name: name != "random")
    where = {name: f" in {', '.join(places[name])}" if len(places) > 1 and name != "random" else "" for name in names}
    told = "; ".join(f"{_BASELINES.get(name, words(name))}{where[name]}" for name in names)
    return escape(CAPTION.format(told)) if told else None


def _baseline(cell: CellResult) -> str:
    return cell.transfer.baseline if cell.transfer else "random"


def _name(cell: CellResult) -> str:
    fit = f"fit: {cell.track}" + (f", seed {cell.seed}" if cell.seed else "") + (" (check)" if cell.check else "")
    return escape(f"{cell.task}\n  {cell.variant}\n  {cell.pair}\n  {fit}")


def _cell_row(cell: CellResult, shown: Sequence[str], gap: str) -> list[str]:
    name = _name(cell)
    if cell.status != "ok":
        return [name, *[""] * (len(shown) + 2), cell.status]
    return [
        name,
        *(_value_of(cell.rates.get(c), gap) for c in ("unsteered", _baseline(cell), *shown)),
        _transfer_of(cell.transfer, gap),
    ]


def _value_of(rate: Rate | None, gap: str) -> str:
    if rate is None:
        return "-"
    if rate.value is None:
        return f"-\n{escape(words(rate.reason))}"
    return f"{rate.value:z.2f}\n{_limits((rate.low, rate.high), gap)}"


def _transfer_of(transfer: Transfer | None, gap: str) -> str:
    if transfer is None:
        return "-"
    if transfer.value is None:
        return f"-\n{escape(words(transfer.reason))}"
    confidence, prediction = (_limits(each, gap) for each in (transfer.confidence, transfer.prediction))
    return f"{transfer.value:z.2f}\n{confidence}\n({prediction})"


def _limits(limits: Sequence[float | None] | None, gap: str) -> str:
    if limits is None:
        return "no limits"
    return f"{limits[0]:z.2f} to{gap}{limits[1]:z.2f}"


def words(reason: str | None) -> str:
    """Return a reason, or a name, with blanks between its words."""
    return (reason or "none").replace("_", " ")
