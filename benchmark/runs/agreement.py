"""Agreement of two judges on the completions of a run."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sklearn.metrics import cohen_kappa_score

from graftbench.benchmark.metrics.statistics import rank_correlation

RowPair = tuple[Mapping[str, Any], Mapping[str, Any]]  # the same completion with both verdicts, the new one second


@dataclass(frozen=True)
class JudgeAgreement:
    """Agreement over the `n` completions that both judges scored; `unscored` is the number that the new one did not.

    For a measure that is part of success, `same` is the share with equal success, and `kappa` is Cohen's kappa, None
    where a judge gives one verdict only. For a score reported besides success, `spearman` is the rank correlation.
    """

    n: int
    unscored: int
    same: float | None = None
    kappa: float | None = None
    spearman: float | None = None

    def __str__(self) -> str:
        if self.same is not None:
            kappa = "none" if self.kappa is None else f"{self.kappa:g}"
            return f"Both judges find success, or none, in {self.same:.1%} of {self.n} completions (kappa {kappa})"
        if self.spearman is not None:
            return f"Spearman's correlation of both judges' scores is {self.spearman:g} over {self.n} completions"
        return f"Both judges scored {self.n} completions, too few or too much alike to compare"


def agreement_of(measure: str, pairs: Sequence[RowPair]) -> JudgeAgreement:
    """Compare two judges of a measure over rows of answers."""
    marks = [tuple(json.loads(row["marks"]).get(measure) for row in pair) for pair in pairs]
    unscored = sum(new["success"] is None or measure in json.loads(new["unscored"] or "{}") for _, new in pairs)
    if any(isinstance(new, float) for _, new in marks):  # reported besides success
        scored = [(old, new) for old, new in marks if old is not None and new is not None]
        columns = [old for old, _ in scored], [new for _, new in scored]
        return JudgeAgreement(len(scored), unscored, spearman=rank_correlation(*columns))
    successes = [(old["success"], new["success"]) for old, new in pairs]
    bits = [pair for pair in successes if None not in pair]
    kappa = None
    if bits and all(len(set(verdicts)) > 1 for verdicts in zip(*bits, strict=True)):
        kappa = round(float(cohen_kappa_score(*zip(*bits, strict=True))), 4)
    same = sum(old == new for old, new in bits) / len(bits) if bits else None
    return JudgeAgreement(len(bits), unscored, same, kappa)
