"""How well two scores go together."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import spearmanr


def rank_correlation(a: ArrayLike, b: ArrayLike) -> float | None:
    """Spearman's correlation of paired values; None where there are too few, or one of them is always the same."""
    if np.size(a) < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return None
    value = float(spearmanr(a, b).statistic)
    return None if np.isnan(value) else round(value, 4)
