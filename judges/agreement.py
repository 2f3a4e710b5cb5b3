"""Agreement of verdicts with labels: kappa, AUROC and rank correlation, with bootstrap intervals."""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import cohen_kappa_score, roc_auc_score

from graftbench.benchmark.metrics.statistics import rank_correlation
from graftbench.judges.gold.labels import LabelledCompletion
from graftbench.judges.protocol import Verdict

SEED, RESAMPLES = 0, 300  # of the intervals
Values = NDArray[Any]


@dataclass(frozen=True)
class CalibrationFigure:
    """A figure with its 95 % interval; the interval is None where the figure is undefined in most resamples."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Agreement:
    """Agreement of a judge with labels. Figures are None where they are undefined, such as for one label alone.

    Labels on another scale than the judge's are compared by order alone, by AUROC or Spearman.
    """

    n: int
    unscored: int
    kappa: CalibrationFigure | None  # Cohen's; with more than two labels weighted quadratically, by rank on the scale
    auroc: CalibrationFigure | None  # for two labels
    spearman: CalibrationFigure | None  # for more than two labels
    length_bias: float | None  # Spearman's correlation of the judge's error with the length of the completion
    order_bias: float | None  # mean difference between a completion's score against its reference and the reverse
    labels: list[float]
    confusion: list[list[int]]  # by label (rows) and score (columns), put to the nearest label or mark of the scale
    by_kind: dict[str, tuple[int, int]]  # verdicts as labelled, and scored completions
    unscored_reasons: dict[str, int]
    repeats_agree: float | None  # share with one score in all repeats, of the cases that any repeat scored


def agreement(
    gold: Sequence[LabelledCompletion],
    verdicts: Sequence[Verdict],
    measure: str,
    repeats_agree: float | None = None,
    order_bias: float | None = None,
) -> Agreement:
    """Compare verdicts with the labels of a measure."""
    scored = [(line, v, v.score) for line, v in zip(gold, verdicts, strict=True) if v.score is not None]
    wanted = np.array([line.labels[measure] for line, _, _ in scored])
    scores = np.array([score for _, _, score in scored])
    fine_scores = np.array([score if v.expected is None else v.expected for _, v, score in scored])
    given = {line.labels[measure] for line in gold}
    same_scale = _on_scale(given, verdicts[0].scale)
    labels = sorted(given | _marks(verdicts[0].scale)) if same_scale else sorted(given)
    binary = len(labels) == 2
    figures: dict[str, Any] = {
        "n": len(gold),
        "unscored": len(gold) - len(scored),
        "auroc": _figure(_auroc, (wanted == labels[-1]).astype(int), fine_scores) if binary else None,
        "spearman": None if binary else _figure(rank_correlation, wanted, fine_scores),
        "order_bias": order_bias,
        "labels": labels,
        "unscored_reasons": dict(Counter(verdict.reason for verdict in verdicts if verdict.score is None)),
        "repeats_agree": repeats_agree,
    }
    if not same_scale:
        return Agreement(**figures, kappa=None, length_bias=None, confusion=[], by_kind={})
    wanted_ranks, ranks = _ranks(labels, wanted), _ranks(labels, scores)
    return Agreement(
        **figures,
        kappa=_figure(partial(_kappa, n=len(labels), weights=None if binary else "quadratic"), wanted_ranks, ranks),
        length_bias=rank_correlation(scores - wanted, np.array([len(line.completion) for line, _, _ in scored])),
        confusion=_confusion(wanted_ranks, ranks, len(labels)),
        by_kind=_by_kind([line.kind for line, _, _ in scored], wanted_ranks == ranks),
    )


def _on_scale(labels: set[float], scale: tuple[float, float]) -> bool:
    """Return True where labels are on a judge's scale; yes and no (1 and 0) are no marks of a longer one."""
    low, high = scale
    return labels <= {low, high} if labels <= {0.0, 1.0} else all(low <= label <= high for label in labels)


def _marks(scale: tuple[float, float]) -> set[float]:
    """Return the ends of a scale, and the whole numbers between them."""
    low, high = scale
    return {low, high} | {float(mark) for mark in range(math.ceil(low), math.floor(high) + 1)}


def _ranks(labels: Sequence[float], values: Values) -> NDArray[np.int_]:
    """Return the index of the label nearest to each value, [n]."""
    nearest = [min(labels, key=lambda label: abs(label - value)) for value in values.tolist()]
    return np.array([labels.index(label) for label in nearest], dtype=int)


def _figure(of: Callable[[Any, Any], float | None], a: Values, b: Values) -> CalibrationFigure | None:
    """Return a figure of paired values [n], with an interval from resamples of the pairs."""
    value = of(a, b) if len(a) else None
    if value is None:
        return None
    rng = np.random.default_rng(SEED)
    drawn = [of(a[rows], b[rows]) for rows in rng.integers(0, len(a), (RESAMPLES, len(a)))]
    defined = [figure for figure in drawn if figure is not None]
    if 2 * len(defined) < RESAMPLES:
        return CalibrationFigure(value, None, None)
    low, high = np.quantile(defined, [0.025, 0.975])
    return CalibrationFigure(value, round(float(low), 4), round(float(high), 4))


def _kappa(wanted: Values, judged: Values, n: int, weights: str | None) -> float | None:
    if len(set(wanted.tolist())) < 2:
        return None
    return _number(cohen_kappa_score(wanted, judged, labels=range(n), weights=weights))


def _auroc(wanted: Values, scores: Values) -> float | None:
    return _number(roc_auc_score(wanted, scores)) if len(set(wanted.tolist())) > 1 else None


def _number(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 4)


def _confusion(wanted: Values, judged: Values, n: int) -> list[list[int]]:
    counts = np.zeros((n, n), dtype=int)
    np.add.at(counts, (wanted, judged), 1)
    rows: list[list[int]] = counts.tolist()
    return rows


def _by_kind(kinds: Sequence[str], right: NDArray[np.bool_]) -> dict[str, tuple[int, int]]:
    by_kind: dict[str, list[bool]] = {}
    for kind, as_labelled in zip(kinds, right.tolist(), strict=True):
        by_kind.setdefault(kind, []).append(as_labelled)
    return {kind: (sum(each), len(each)) for kind, each in sorted(by_kind.items())}
