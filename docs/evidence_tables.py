"""Tables that say what a score depends on: norms, strengths, seeds, fit, luck."""

from collections.abc import Callable, Iterable, Sequence
from statistics import fmean

from result_tables import TRACKS, Entries, Lines, head, row

from graftbench.benchmark.results.pooling import Pooling, by_place
from graftbench.benchmark.results.schema import CellResult, Entry
from graftbench.benchmark.results.scores import counts

TRAINED = ("lookup", "autoencoder", "affine", "ridge", "procrustes", "relative")
CONTROLS = ("shuffled", "random_map", "identity")
SHORT = ("affine_paper", "autoencoder_paper")  # the published schedule


def unexplained(entries: Entries) -> Lines:
    """Yield the fraction of variance unexplained on held-out text, mean over steerable cells."""
    yield from _by_track([*TRAINED, "shuffled"], entries, lambda cells: f"{_mean_fidelity(cells, 'fvu'):.3f}")


def outcomes(entries: Entries, *names: str) -> Lines:
    """Yield outcomes by track: pairs of such as success at native's norms and at the mapper's own."""
    tracks = [track for track in TRACKS if track in entries.outcomes(next(iter(entries)))]
    yield from head("mapper", *(f"`{track}`" for track in tracks))
    for name in (name for name in (*TRAINED, *SHORT, *CONTROLS) if name in entries):
        of_track = entries.outcomes(name)
        pairs = [[of_track[track]["outcomes"][outcome] for outcome in names] for track in tracks]
        yield row(f"`{name}`", *(" / ".join("–" if v is None else f"{v:z.1f}" for v in each) for each in pairs))


def by_seed(entries: Entries) -> Lines:
    """Yield the pooled transfer of each seed alone, over the cells that count, times 100."""
    names = [name for name in (*TRAINED, *SHORT, *CONTROLS) if len({cell.seed for cell in entries[name].cells}) > 1]
    yield from head("mapper", *(f"`{track}`" for track in TRACKS))
    for name in names:
        cells = [cell for cell in entries[name].cells if counts(cell, entries[name].headline.left_out)]
        yield row(f"`{name}`", *(", ".join(_seed_scores([c for c in cells if c.track == t])) for t in TRACKS))


def above_all_draws(entries: Entries) -> Lines:
    """Yield in how many cells success is above that of every random vector."""
    yield from _by_track([*CONTROLS, *SHORT, *TRAINED], entries, _n_above_all_draws)


def refusal_score(entries: Entries) -> Lines:
    """Yield the shares of native's effect on the refusal score / on success, mean over seeds, by cell."""
    names = [*TRAINED, "shuffled"]
    yield from head("variant", "pair", "track", *(f"`{name}`" for name in names))
    first = [cell for cell in _steerable(entries["ridge"]) if cell.task == "refusal_ablation"]
    for cell in sorted(first, key=lambda cell: (cell.variant, cell.pair)):
        place = (cell.task, cell.variant, cell.pair, cell.track)
        same = [[c for c in _steerable(entries[n]) if (c.task, c.variant, c.pair, c.track) == place] for n in names]
        shares = [f"{fmean(map(_shift, seeds)):z.2f} / {_gain(seeds, 'mapped'):z.2f}" for seeds in same]
        yield row(f"`{cell.variant}`", f"`{cell.pair}`", f"`{cell.track}`", *shares)


def _shift(cell: CellResult) -> float:
    """Return the mapped shift of the refusal score over native's, both against random directions."""
    mapped, native, random = (cell.rates[name].measures["refusal_score"] for name in ("mapped", "native", "random"))
    assert mapped is not None
    assert native is not None
    assert random is not None
    return (mapped - random) / (native - random)


def _by_track(names: Sequence[str], entries: Entries, of: Callable[[Sequence[CellResult]], str]) -> Lines:
    yield from head("mapper", *(f"`{track}`" for track in TRACKS))
    for name in names:
        cells = _steerable(entries[name])
        yield row(f"`{name}`", *(of([cell for cell in cells if cell.track == track]) for track in TRACKS))


def _steerable(entry: Entry) -> list[CellResult]:
    return [cell for cell in entry.cells if cell.steerable and not cell.check]


def _mean_fidelity(cells: Iterable[CellResult], name: str) -> float:
    return fmean(value for cell in cells if (value := cell.fidelity[name]) is not None)


def _seed_scores(cells: Sequence[CellResult]) -> list[str]:
    pooling = Pooling.over(cells)
    pooled = pooling.pool([pooling.part(seeds, None) for seeds in by_place(cells).values()])
    baseline, gain = pooled.references.baseline, pooled.gain
    return [f"{100 * (rate - baseline) / gain:z.1f}" for rate in pooled.by_seed.tolist()]


def _gain(cells: Sequence[CellResult], condition: str) -> float:
    """Return a condition's gain over the baseline divided by native's, both summed over cells."""
    return sum(_above(cell, condition) for cell in cells) / sum(_above(cell, "native") for cell in cells)


def _above(cell: CellResult, condition: str) -> float:
    assert cell.transfer is not None
    return _rate(cell, condition) - _rate(cell, cell.transfer.baseline)


def _rate(cell: CellResult, condition: str) -> float:
    return fmean(map(fmean, cell.bits[condition]))


def _n_above_all_draws(cells: Sequence[CellResult]) -> str:
    with_draws = [cell for cell in cells if cell.transfer is not None and cell.transfer.baseline == "random"]
    above = [cell for cell in with_draws if _rate(cell, "mapped") > max(map(fmean, cell.bits["random"]))]
    return f"{len(above)} of {len(with_draws)}"
