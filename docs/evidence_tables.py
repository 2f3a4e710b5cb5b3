"""Tables that say what a score depends on: single tasks, norms, seeds, fit, luck."""

from collections.abc import Callable, Iterable, Sequence
from statistics import fmean

from result_tables import TASKS, TRACKS, Entries, Lines, head, row

from graftbench.benchmark.results.schema import CellResult, Entry

TRAINED = ("lookup", "autoencoder", "affine", "ridge", "procrustes", "relative")
CONTROLS = ("shuffled", "random_map", "identity")
SHORT = ("affine_paper", "autoencoder_paper")  # the published schedule


def by_task(entries: Entries, track: str) -> Lines:
    """Yield the score of each task on a track, their mean, and the mean without each of two tasks."""
    without = ("corrupted_capabilities", "version_switching")
    yield from head("mapper", *map(_words, TASKS), "mean", *(f"without {_words(task)}" for task in without))
    for name in (*TRAINED, *SHORT, *CONTROLS):
        tasks = entries[name].headline.by_track[track].by_task
        scores = {task: score for task in TASKS if (score := tasks[task].score) is not None}
        means = [fmean(score for task, score in scores.items() if task != left_out) for left_out in ("", *without)]
        yield row(f"`{name}`", *(f"{score:z.1f}" for score in [*scores.values(), *means]))


def unexplained(entries: Entries) -> Lines:
    """Yield the fraction of variance unexplained on held-out text, mean over steerable cells."""
    yield from _by_track([*TRAINED, "shuffled"], entries, lambda cells: f"{_mean_fidelity(cells, 'fvu'):.3f}")


def own_norm(entries: Entries) -> Lines:
    """Yield the score at native's norms / at the mapper's own norm, over the cells that have both."""
    yield from _by_track([*TRAINED, "shuffled"], entries, _both_norms)


def by_seed(entries: Entries) -> Lines:
    """Yield the score of each seed alone."""
    names = [name for name in (*TRAINED, *SHORT, *CONTROLS) if len({cell.seed for cell in entries[name].cells}) > 1]
    yield from _by_track(names, entries, lambda cells: ", ".join(_seed_scores(cells)))


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


def _both_norms(cells: Sequence[CellResult]) -> str:
    both = [cell for cell in cells if "mapped_own_norm" in cell.bits]
    return f"{_score(both, 'mapped'):z.1f} / {_score(both, 'mapped_own_norm'):z.1f}"


def _seed_scores(cells: Sequence[CellResult]) -> list[str]:
    seeds = sorted({cell.seed for cell in cells})
    return [f"{_score([cell for cell in cells if cell.seed == seed], 'mapped'):z.1f}" for seed in seeds]


def _score(cells: Sequence[CellResult], condition: str) -> float:
    """Return 100 times the mean over tasks of the share of native's effect."""
    tasks = dict.fromkeys(cell.task for cell in cells)
    return 100 * fmean(_gain([cell for cell in cells if cell.task == task], condition) for task in tasks)


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


def _words(task: str) -> str:
    return task.replace("_", " ")
