"""The transfer of one cell, with a confidence interval of its value and a prediction interval."""

from collections.abc import Sequence
from functools import lru_cache
from math import isinf

from graftbench.benchmark.metrics.ratio import interval_of
from graftbench.benchmark.metrics.statistics import Resamples
from graftbench.benchmark.results.draws import Draws
from graftbench.benchmark.results.estimates import BitsByCondition, draws_of, transfer_of
from graftbench.benchmark.results.pooling import Pooling
from graftbench.benchmark.results.schema import Limits, Transfer


def cell_transfer(clusters: Sequence[str], bits: BitsByCondition, baseline: str, resamples: Resamples) -> Transfer:
    """Return the transfer of the mapped condition; ValueError where native is no better than the baseline."""
    predicted = transfer_of(bits, baseline, resamples)
    return Transfer(
        value=predicted.value,
        confidence=confidence_of(clusters, bits, baseline),
        prediction=Limits(predicted.low, predicted.high),
        baseline=baseline,
        reason=None,
    )


def confidence_of(clusters: Sequence[str], bits: BitsByCondition, baseline: str) -> Limits | None:
    """Return the confidence interval of the transfer, over prompts and all random vectors.

    None where native's gain may be nothing, so that the transfer has no limits.
    """
    draws = [draws_of(bits, name) for name in ("mapped", "native", baseline)]
    return _confidence(_in_clusters(tuple(clusters)), tuple(clusters), *draws)


@lru_cache(maxsize=2**14)  # many mappers succeed on no prompt, or on all of native's
def _confidence(
    pooling: Pooling, clusters: tuple[str, ...], mapped: Draws, native: Draws, baseline: Draws
) -> Limits | None:
    low, high = interval_of(pooling.alone(clusters, mapped, native, baseline))
    return None if isinf(low) or isinf(high) else Limits(round(low, 4), round(high, 4))


@lru_cache(maxsize=64)  # tracks, seeds and mappers share their prompts
def _in_clusters(clusters: tuple[str, ...]) -> Pooling:
    return Pooling({name: i for i, name in enumerate(dict.fromkeys(clusters))})
