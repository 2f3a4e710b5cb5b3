"""Calibration of a judge on labelled completions: agreement, steadiness over repeats, bias by order."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace

import numpy as np

from graftbench.benchmark.core.errors import UserError
from graftbench.judges.agreement import Agreement, agreement
from graftbench.judges.gold.labels import LabelledCompletion
from graftbench.judges.protocol import Case, Judge, Verdict

_PART = 64  # completions between two reports of progress


def calibrate(
    judges: Sequence[Judge],
    gold: Sequence[LabelledCompletion],
    measure: str,
    *,
    swap: bool = False,
    done: Callable[[int], None] = lambda _: None,
) -> Agreement:
    """Judge labelled completions, and compare the verdicts with the labels of a measure.

    `judges` is one judge, given once for every repeat; the first one's verdicts are compared. With `swap` completion
    and reference are judged the other way round, too: UserError where the judge needs no reference. `done` is called
    with the number of completions judged since its last call.
    """
    cases = [line.case for line in gold]
    if swap and not _compares(judges[0], cases):
        raise UserError("The judge, or the gold file, knows no reference: to swap it with the completion says nothing.")
    verdicts = [_judge_in_parts(judge, cases, done) for judge in judges]
    bias = _order_bias(judges[0], cases, verdicts[0]) if swap else None
    return agreement(gold, verdicts[0], measure, _repeats_agree(verdicts), bias)


def as_json(figures: Agreement, about: Mapping[str, str]) -> str:
    """Return a report as JSON: the entries of `about`, then the figures."""
    return json.dumps({**about, **asdict(figures)}, indent=1) + "\n"


def _judge_in_parts(judge: Judge, cases: Sequence[Case], done: Callable[[int], None]) -> list[Verdict]:
    verdicts: list[Verdict] = []
    for start in range(0, len(cases), _PART):
        part = cases[start : start + _PART]
        verdicts += judge(part)
        done(len(part))
    return verdicts


def _compares(judge: Judge, cases: Sequence[Case]) -> bool:
    """Return True where a case has a reference, and the judge cannot score it without."""
    with_reference = [case for case in cases if case.reference]
    return bool(with_reference) and judge([replace(with_reference[0], reference=None)])[0].score is None


def _order_bias(judge: Judge, cases: Sequence[Case], verdicts: Sequence[Verdict]) -> float | None:
    both = [(case, v.score) for case, v in zip(cases, verdicts, strict=True) if case.reference and v.score is not None]
    swapped = judge([Case(case.prompt, case.reference or "", case.completion) for case, _ in both])
    differences = [score - v.score for (_, score), v in zip(both, swapped, strict=True) if v.score is not None]
    return round(float(np.mean(differences)), 4) if differences else None


def _repeats_agree(verdicts: Sequence[Sequence[Verdict]]) -> float | None:
    if len(verdicts) < 2:
        return None
    scores = [{v.score for v in repeats} for repeats in zip(*verdicts, strict=True)]
    scored = [distinct for distinct in scores if distinct != {None}]
    return sum(len(distinct) == 1 for distinct in scored) / len(scored) if scored else None
