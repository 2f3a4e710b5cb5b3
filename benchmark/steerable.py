"""Whether a cell can be steered, from its bits alone."""

from collections.abc import Mapping, Sequence

import numpy as np

from .metrics.effects import Bits, Resamples, is_steerable, resampled
from .task import Scored

BOOTSTRAP_SEED = 0


def bits_of(bits: Mapping[str, list[list[int]]], condition: str) -> Bits:
    """The bits of a condition, [draws, prompts]."""
    return np.array(bits[condition], dtype=float)


def resamples_of(clusters: Sequence[str], bits: Mapping[str, list[list[int]]], baseline: str) -> Resamples:
    """The resamples of a cell's prompts and of its baseline's draws, the same for all cells on the same prompts."""
    return resampled(clusters, len(bits.get(baseline, [[]])), BOOTSTRAP_SEED)


def steerable(scored: Scored) -> bool:
    """Whether native beats the baseline in an experiment in which both were run."""
    summary = scored.summary
    drawn = resamples_of(summary.clusters, summary.bits, scored.baseline)
    return is_steerable(bits_of(summary.bits, "native"), bits_of(summary.bits, scored.baseline), drawn)
