"""What a judge is worth: its agreement with labelled completions."""

import json
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, FiniteFloat
from sklearn.metrics import cohen_kappa_score, roc_auc_score

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.forms import read_json_lines
from graftbench.benchmark.metrics.statistics import interval, rank_correlation
from graftbench.judges.protocol import Case, Judge, Verdict

GOLD = Path(__file__).parent / "gold"  # the sets that ship
SEED, RESAMPLES = 0, 300  # of the intervals
_PART = 64  # completions that are judged before it is told how far it got
Values = NDArray[Any]


class LabelledCompletion(BaseModel):
    """One line of a gold file: a completion with the labels that it has, by measure."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    prompt: str
    completion: str
    reference: str | None = None
    kind: str = ""  # how it was made, or where it comes from
    labels: Mapping[str, FiniteFloat]

    @property
    def case(self) -> Case:
        """What the judge is shown."""
        return Case(self.prompt, self.completion, self.reference)


@dataclass(frozen=True)
class CalibrationFigure:
    """A figure with its 95 % interval; the interval is None where too few resamples have the figure."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Agreement:
    """How a judge agrees with labels. Figures are None where they are not defined, such as with one label alone.

    Where labels are on another scale than the judge's, their order alone is compared, by AUROC or Spearman. Kappa is
    Cohen's, on scales of more than two labels with quadratic weights, by rank on the scale; AUROC is of two
    labels, Spearman of more, each with its 95 % bootstrap interval. `length_bias` is Spearman's correlation of the
    judge's error with the length of the completion; `order_bias` is how much higher, on the mean, a completion scores
    against its reference than the other way round.
    """

    n: int
    unscored: int
    kappa: CalibrationFigure | None
    auroc: CalibrationFigure | None
    spearman: CalibrationFigure | None
    length_bias: float | None
    order_bias: float | None
    labels: list[float]
    confusion: list[list[int]]  # rows: labels; columns: scores, put to the nearest label or mark of the scale
    by_kind: dict[str, tuple[int, int]]  # of how many scored completions of a kind how many are as labelled
    unscored_reasons: dict[str, int]
    repeats_agree: float | None  # share with the same score in every repeat, of the cases that any repeat scored


def read_gold(named: Path | str, measure: str) -> list[LabelledCompletion]:
    """The lines of a JSONL file, or of the set that ships, that have a label for a measure.

    UserError where it cannot be read or none has.
    """
    path = gold_file(named)
    found = read_json_lines(path, LabelledCompletion, "gold file", "labelled completion")
    known = sorted({name for one in found for name in one.labels})
    asked = [one for one in found if measure in one.labels]
    if not asked:
        raise UserError(f"No completion in {path} has a label for {measure!r}; there are {', '.join(known) or 'none'}.")
    return asked


def gold_file(named: Path | str) -> Path:
    """Where a gold set lies: a file, or by the name of one that ships."""
    shipped = GOLD / f"{named}.jsonl"
    return shipped if shipped.is_file() else Path(named)


def calibrate(
    judges: Sequence[Judge],
    gold: Sequence[LabelledCompletion],
    measure: str,
    *,
    swap: bool = False,
    done: Callable[[int], None] = lambda _: None,
) -> Agreement:
    """Judge labelled completions by one judge, once for every time it is given, and compare the first with the labels.

    With `swap` completion and reference are judged the other way round, too: UserError where the judge looks at no
    reference. `done` is told how many completions were judged.
    """
    cases = [one.case for one in gold]
    if swap and not _compares(judges[0], cases):
        raise UserError("The judge, or the gold file, knows no reference: to swap it with the completion says nothing.")
    verdicts = [_in_parts(judge, cases, done) for judge in judges]
    bias = _order_bias(judges[0], cases, verdicts[0]) if swap else None
    return agreement(gold, verdicts[0], measure, _repeats_agree(verdicts), bias)


def _in_parts(judge: Judge, cases: Sequence[Case], done: Callable[[int], None]) -> list[Verdict]:
    found: list[Verdict] = []
    for start in range(0, len(cases), _PART):
        part = cases[start : start + _PART]
        found += judge(part)
        done(len(part))
    return found


def _compares(judge: Judge, cases: Sequence[Case]) -> bool:
    """Whether a judge needs a reference, and a case has one."""
    known = [case for case in cases if case.reference]
    return bool(known) and judge([replace(known[0], reference=None)])[0].score is None


def agreement(
    gold: Sequence[LabelledCompletion],
    verdicts: Sequence[Verdict],
    measure: str,
    repeats_agree: float | None = None,
    order_bias: float | None = None,
) -> Agreement:
    """How verdicts agree with the labels of a measure."""
    both = [(one, v, v.score) for one, v in zip(gold, verdicts, strict=True) if v.score is not None]
    wanted = np.array([one.labels[measure] for one, _, _ in both])
    scores = np.array([score for _, _, score in both])
    soft = np.array([score if v.soft is None else v.soft for _, v, score in both])
    given = {one.labels[measure] for one in gold}
    low, high = verdicts[0].scale
    # Yes and no are no marks of a longer scale.
    same_scale = given <= {low, high} if given <= {0.0, 1.0} else all(low <= label <= high for label in given)
    labels = sorted(given | _marks_of((low, high))) if same_scale else sorted(given)
    binary = len(labels) == 2
    known: dict[str, Any] = {
        "n": len(gold),
        "unscored": len(gold) - len(both),
        "auroc": _figure(_auroc, (wanted == labels[-1]).astype(int), soft) if binary else None,
        "spearman": None if binary else _figure(rank_correlation, wanted, soft),
        "order_bias": order_bias,
        "labels": labels,
        "unscored_reasons": dict(Counter(verdict.reason for verdict in verdicts if verdict.score is None)),
        "repeats_agree": repeats_agree,
    }
    if not same_scale:
        return Agreement(**known, kappa=None, length_bias=None, confusion=[], by_kind={})
    ranks = {label: i for i, label in enumerate(labels)}
    told = np.array([ranks[label] for label in wanted.tolist()], dtype=int)
    heard = np.array([ranks[_nearest(labels, score)] for score in scores.tolist()], dtype=int)
    return Agreement(
        **known,
        kappa=_figure(partial(_kappa, n=len(labels), weights=None if binary else "quadratic"), told, heard),
        length_bias=rank_correlation(scores - wanted, np.array([len(one.completion) for one, _, _ in both])),
        confusion=_confusion(told, heard, len(labels)),
        by_kind=_by_kind([one.kind for one, _, _ in both], told == heard),
    )


def _marks_of(scale: tuple[float, float]) -> set[float]:
    """What a judge on a scale can say, whether a label says it or not: its ends, and the whole numbers between."""
    low, high = scale
    return {low, high} | {float(mark) for mark in range(math.ceil(low), math.floor(high) + 1)}


def _figure(of: Callable[[Any, Any], float | None], a: Values, b: Values) -> CalibrationFigure | None:
    """A figure of paired values, with an interval from resamples of the pairs."""
    value = of(a, b) if len(a) else None
    if value is None:
        return None
    rng = np.random.default_rng(SEED)
    drawn = [of(a[where], b[where]) for where in rng.integers(0, len(a), (RESAMPLES, len(a)))]
    found = [one for one in drawn if one is not None]
    if 2 * len(found) < RESAMPLES:
        return CalibrationFigure(value, None, None)
    low, high = interval(found)
    return CalibrationFigure(value, round(low, 4), round(high, 4))


def _kappa(told: Values, heard: Values, n: int, weights: str | None) -> float | None:
    if len(set(told.tolist())) < 2:
        return None
    return _number(cohen_kappa_score(told, heard, labels=range(n), weights=weights))


def _auroc(told: Values, soft: Values) -> float | None:
    return _number(roc_auc_score(told, soft)) if len(set(told.tolist())) > 1 else None


def _confusion(told: Values, heard: Values, n: int) -> list[list[int]]:
    counts = np.zeros((n, n), dtype=int)
    np.add.at(counts, (told.astype(int), heard.astype(int)), 1)
    found: list[list[int]] = counts.tolist()
    return found


def _by_kind(kinds: Sequence[str], right: NDArray[np.bool_]) -> dict[str, tuple[int, int]]:
    found: dict[str, list[bool]] = {}
    for kind, as_labelled in zip(kinds, right.tolist(), strict=True):
        found.setdefault(kind, []).append(as_labelled)
    return {kind: (sum(each), len(each)) for kind, each in sorted(found.items())}


def _order_bias(judge: Judge, cases: Sequence[Case], verdicts: Sequence[Verdict]) -> float | None:
    both = [(case, v.score) for case, v in zip(cases, verdicts, strict=True) if case.reference and v.score is not None]
    swapped = judge([Case(case.prompt, case.reference or "", case.completion) for case, _ in both])
    apart = [score - v.score for (_, score), v in zip(both, swapped, strict=True) if v.score is not None]
    return round(float(np.mean(apart)), 4) if apart else None


def as_json(found: Agreement, about: Mapping[str, str]) -> str:
    """The report as JSON, with what it is about."""
    return json.dumps({**about, **asdict(found)}, indent=1) + "\n"


def _nearest(labels: Sequence[float], score: float) -> float:
    return min(labels, key=lambda label: abs(label - score))


def _repeats_agree(verdicts: Sequence[Sequence[Verdict]]) -> float | None:
    if len(verdicts) < 2:
        return None
    scores = [{v.score for v in each} for each in zip(*verdicts, strict=True)]
    scored = [said for said in scores if said != {None}]
    return sum(len(said) == 1 for said in scored) / len(scored) if scored else None


def _number(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 4)
