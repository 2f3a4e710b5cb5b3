"""Thresholds of `intact` and `like_clean`: chosen on completions that were read, tried on prompts that were left out.

Those with the highest kappa are taken, and of several with the same kappa the middle ones. To try them, they are chosen
on the completions of all prompts but one, and used on the completions of that one, for each prompt in turn.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graftbench.benchmark.metrics.similarity import character_novelty, chrf, novelty
from graftbench.benchmark.metrics.statistics import interval, resample_counts
from graftbench.judges.agreement import RESAMPLES, SEED, CalibrationFigure
from graftbench.judges.gold.readings import readings
from graftbench.judges.intact import WINDOW

SET = "smollm2"
CHARACTERS = {f"{n} characters": partial(character_novelty, n=n, window=WINDOW) for n in (4, 6, 8)}
WORDS = {"3 words": novelty}
NOVELTIES = [n / 100 for n in range(40, 98, 2)]
PERPLEXITIES = [20.0, 30.0, 50.0, 70.0, 100.0, 150.0, 200.0, 300.0, 500.0]
CHRFS = [n / 100 for n in range(10, 62, 2)]

Bits = NDArray[np.bool_]
Figures = NDArray[Any]


@dataclass(frozen=True)
class Thresholds:
    """What a good completion has to reach; `run` is what a text is cut into, to see how much of it is new."""

    run: str
    novelty: float
    perplexity: float
    chrf: float


class Choice:
    """Thresholds chosen on the labels on which both readers agree, with `runs` to choose from."""

    def __init__(self, runs: Mapping[str, Callable[[str], float]] = CHARACTERS) -> None:
        read = readings(SET)
        self._prompts = np.array([one.prompt for one in read])
        self._chrf = np.array([chrf(one.completion, one.clean or "") for one in read])
        agreed = [one.agreed.labels for one in read]
        self._labels = {m: np.array([labels.get(m, np.nan) for labels in agreed]) for m in ("intact", "good")}
        said = np.array([bool(one.completion.strip()) for one in read])
        perplexity = np.array([one.perplexity for one in read], dtype=float)
        new = {run: np.array([share(one.completion) for one in read]) for run, share in runs.items()}
        self._ways = list(product(runs, NOVELTIES, PERPLEXITIES))
        self._intact = np.stack([said & (new[run] >= low) & (perplexity <= high) for run, low, high in self._ways])

    @cached_property
    def thresholds(self) -> Thresholds:
        """The thresholds that are chosen on all completions."""
        way, least = self._choose(np.full(len(self._prompts), True))
        return Thresholds(*self._ways[way], chrf=CHRFS[least])

    @cached_property
    def on_other_prompts(self) -> dict[str, CalibrationFigure]:
        """The kappa of both measures on prompts left out, with intervals from a bootstrap over prompts."""
        verdicts = {measure: np.zeros(len(self._prompts), dtype=bool) for measure in self._labels}
        for prompt in dict.fromkeys(self._prompts):
            out = self._prompts == prompt
            way, least = self._choose(~out)
            verdicts["intact"][out] = self._intact[way][out]
            verdicts["good"][out] = self._good(way)[least][out]
        return {measure: self._figure(measure, judged) for measure, judged in verdicts.items()}

    def _choose(self, rows: Bits) -> tuple[int, int]:
        """Return the index of the way to judge `intact`, then of the least chrF, that are best on these rows."""
        way = self._best("intact", self._intact, rows)
        return way, self._best("good", self._good(way), rows)

    def _good(self, way: int) -> Bits:
        """Return the verdicts of `like_clean` at each least chrF, [thresholds, completions]."""
        return np.asarray(self._intact[way] & (self._chrf >= np.array(CHRFS)[:, None]))

    def _best(self, measure: str, verdicts: Bits, rows: Bits) -> int:
        counts = _counts(self._labels[measure][rows], verdicts[:, rows]).sum(-1)
        kappas = _kappa(counts)
        best = np.flatnonzero(kappas >= kappas.max() - 1e-9)
        return int(best[len(best) // 2])

    def _figure(self, measure: str, verdicts: Bits) -> CalibrationFigure:
        _, prompt = np.unique(self._prompts, return_inverse=True)
        counts = _counts(self._labels[measure], verdicts)
        by_prompt = np.stack([np.bincount(prompt, weights=cell) for cell in counts])
        drawn = resample_counts(np.random.default_rng(SEED), by_prompt.shape[1], RESAMPLES)
        low, high = interval(_kappa(by_prompt @ drawn.T))
        return CalibrationFigure(float(_kappa(counts.sum(-1))), low, high)


def _counts(labels: Figures, verdicts: Bits) -> Figures:
    """Return whether label and verdict are yes and yes, no and no, yes and no, no and yes, [4, ..., completions]."""
    yes, no = labels == 1, labels == 0  # without a label neither
    return np.stack([yes & verdicts, no & ~verdicts, yes & ~verdicts, no & verdicts])


def _kappa(counts: Figures) -> Figures:
    """Return Cohen's kappa of counts [4, ...]."""
    yes, no, missed, wrong = counts
    n = counts.sum(0)
    by_chance = ((yes + missed) * (yes + wrong) + (no + missed) * (no + wrong)) / n**2
    return np.asarray(((yes + no) / n - by_chance) / (1 - by_chance))
