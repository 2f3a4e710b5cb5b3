"""What a judge is worth: its agreement with labelled completions."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, FiniteFloat, ValidationError
from scipy.stats import spearmanr
from sklearn.metrics import cohen_kappa_score, confusion_matrix, roc_auc_score

from graftbench.benchmark.errors import UserError

from .protocol import Case, Judge, Verdict


class Labelled(BaseModel):
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
class Agreement:
    """How a judge agrees with labels. Figures are None where they are not defined, such as with one label alone.

    Kappa is Cohen's, on scales of more than two labels with quadratic weights; AUROC is of two labels, Spearman of
    more. `length_bias` is Spearman's correlation of the judge's error with the length of the completion.
    """

    n: int
    unscored: int
    kappa: float | None
    auroc: float | None
    spearman: float | None
    length_bias: float | None
    labels: list[float]
    confusion: list[list[int]]  # rows: labels; columns: scores, put to the nearest label
    by_kind: dict[str, tuple[int, int]]  # of how many scored completions of a kind how many are as labelled
    unscored_reasons: dict[str, int]
    repeats_agree: float | None  # share of cases with the same score in every repeat


def read_gold(path: Path, measure: str) -> list[Labelled]:
    """The lines of a JSONL file that have a label for a measure; UserError where it cannot be read or none has."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"The gold file {path} cannot be read: {error}.") from error
    found = []
    for i, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            found.append(Labelled.model_validate_json(line))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "the line"
            raise UserError(f"Line {i} of {path} is no labelled completion: {where}: {first['msg']}.") from error
    known = sorted({name for one in found for name in one.labels})
    asked = [one for one in found if measure in one.labels]
    if not asked:
        raise UserError(f"No completion in {path} has a label for {measure!r}; there are {', '.join(known) or 'none'}.")
    return asked


def calibrated(judges: Sequence[Judge], gold: Sequence[Labelled], measure: str) -> Agreement:
    """Judge labelled completions by one judge, once for every time it is given, and compare the first with the labels.

    UserError where a label is not on the judge's scale.
    """
    cases = [one.case for one in gold]
    verdicts = [judge(cases) for judge in judges]
    low, high = verdicts[0][0].scale
    off = [one.labels[measure] for one in gold if not low <= one.labels[measure] <= high]
    if off:
        raise UserError(f"The label {off[0]:g} of {measure!r} is not on the judge's scale from {low:g} to {high:g}.")
    return agreement(gold, verdicts[0], measure, _repeats_agree(verdicts))


def agreement(
    gold: Sequence[Labelled], verdicts: Sequence[Verdict], measure: str, repeats_agree: float | None = None
) -> Agreement:
    """How verdicts agree with the labels of a measure."""
    both = [(one, v.score) for one, v in zip(gold, verdicts, strict=True) if v.score is not None]
    wanted = np.array([one.labels[measure] for one, _ in both])
    scores = np.array([score for _, score in both])
    labels = sorted({one.labels[measure] for one in gold})
    nearest = np.array([_nearest(labels, score) for score in scores.tolist()])
    binary = len(labels) == 2
    lengths = np.array([len(one.completion) for one, _ in both])
    as_labelled: dict[str, list[bool]] = {}
    for (one, _), near in zip(both, nearest, strict=True):
        as_labelled.setdefault(one.kind, []).append(bool(near == one.labels[measure]))
    reasons: dict[str, int] = {}
    for verdict in verdicts:
        if verdict.score is None:
            reasons[verdict.reason] = reasons.get(verdict.reason, 0) + 1
    ranks = list(range(len(labels)))
    rank = {label: i for i, label in enumerate(labels)}
    told, heard = ([rank[value] for value in values] for values in (wanted.tolist(), nearest.tolist()))
    varied = len(set(told)) > 1
    return Agreement(
        n=len(gold),
        unscored=len(gold) - len(both),
        kappa=_number(cohen_kappa_score(told, heard, labels=ranks, weights=None if binary else "quadratic"))
        if varied
        else None,
        auroc=_number(roc_auc_score(told, scores)) if binary and varied else None,
        spearman=_correlation(scores, wanted) if not binary else None,
        length_bias=_correlation(scores - wanted, lengths),
        labels=labels,
        confusion=confusion_matrix(told, heard, labels=ranks).tolist() if both else [],
        by_kind={kind: (sum(right), len(right)) for kind, right in sorted(as_labelled.items())},
        unscored_reasons=reasons,
        repeats_agree=repeats_agree,
    )


def as_json(found: Agreement, about: Mapping[str, str]) -> str:
    """The report as JSON, with what it is about."""
    return json.dumps({**about, **asdict(found)}, indent=1) + "\n"


def _nearest(labels: Sequence[float], score: float) -> float:
    return min(labels, key=lambda label: abs(label - score))


def _repeats_agree(verdicts: Sequence[Sequence[Verdict]]) -> float | None:
    if len(verdicts) < 2:
        return None
    same = [len({v.score for v in each}) == 1 for each in zip(*verdicts, strict=True)]
    return sum(same) / len(same)


def _correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float | None:
    if len(a) < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return None
    return _number(spearmanr(a, b).statistic)


def _number(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 4)
