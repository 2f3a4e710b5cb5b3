"""Tables of the suite `smollm2`: success by cell, shifts and side effects."""

from collections.abc import Sequence

from result_tables import Entries, Lines, head, row

from graftbench.benchmark.results.schema import CellResult, Entry, Rate, SideEffect, SideEffects

ORDER = ("procrustes", "ridge", "low_rank", "relative", "lookup", "identity", "random_map", "shuffled")


def smollm2_cells(entries: Entries) -> Lines:
    """Yield success with its interval in every cell: the baseline, native, and each mapper at native's norm."""
    mappers = _mappers(entries)
    yield from head("variant", "pair, track", "baseline", "native", *(f"`{one.mapper.name}`" for one in mappers))
    for first in mappers[0].cells:
        same = [next(cell for cell in one.cells if _place(cell) == _place(first)) for one in mappers]
        assert first.transfer is not None
        shared = [_rate(first.rates.get(name)) for name in (first.transfer.baseline, "native")]
        note = " (check)" if first.check else "" if first.steerable else " (not steerable)"
        mapped = [_rate(cell.rates.get("mapped")) for cell in same]
        yield row(f"`{first.variant}`{note}", f"`{first.pair}`, `{first.track}`", *shared, *mapped)


def smollm2_shifts(entries: Entries) -> Lines:
    """Yield by how many nats per token each style's reply gains on its opposite: random vectors, native, mapped."""
    mappers = _mappers(entries)
    yield from head("style", "random, mean", "native", *(f"`{one.mapper.name}`" for one in mappers))
    for first in mappers[0].cells:
        if first.task != "behaviour_steering" or first.track != "task":
            continue
        same = [next(cell for cell in one.cells if _place(cell) == _place(first)) for one in mappers]
        shared = [_shift(first.rates.get(name)) for name in ("random", "native")]
        note = " (check)" if first.check else ""
        yield row(f"`{first.variant}`{note}", *shared, *(_shift(cell.rates.get("mapped")) for cell in same))


def smollm2_side_effects(entries: Entries) -> Lines:
    """Yield accuracy on MMLU / F1 on SQuAD / KL in nats / perplexity of WikiText, under each condition."""
    conditions = ("unsteered", "native", "mapped", "random", "replacement")
    yield from head("mapper", *conditions)
    for entry in _mappers(entries):
        measured = [c.side_effects.deployed for c in entry.cells if isinstance(c.side_effects, SideEffects)]
        for effects in measured:
            yield row(f"`{entry.mapper.name}`", *(_effect(effects.get(name)) for name in conditions))


def _mappers(entries: Entries) -> list[Entry]:
    return [entries[name] for name in ORDER if name in entries]


def _place(cell: CellResult) -> Sequence[str]:
    return cell.task, cell.variant, cell.pair, cell.track


def _rate(rate: Rate | None) -> str:
    if rate is None or rate.value is None:
        return "–"
    return f"{rate.value:.2f} ({rate.low:.2f} to {rate.high:.2f})"


def _shift(rate: Rate | None) -> str:
    shift = None if rate is None else rate.marks.get("shift")
    return "–" if shift is None else f"{shift:+z.2f}"


def _effect(effect: SideEffect | None) -> str:
    if effect is None:
        return ""
    accuracy, f1 = effect.tasks["mmlu_condensed"]["acc"].value, effect.tasks["squad"]["f1"].value
    return " / ".join("–" if each is None else f"{each:.2f}" for each in (accuracy, f1, effect.kl, effect.perplexity))
