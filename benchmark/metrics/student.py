"""Student's t by way of the normal distribution, with a number of degrees of freedom that need not be whole.

Wallace (1959), Bounds on normal approximations to Student's and the chi-square distributions, Annals of Mathematical
Statistics 30: z = (8 f + 1) / (8 f + 3) * sqrt(f log(1 + t^2 / f)). Its 97.5 % quantile is too large by 4 % at two
degrees of freedom, and by 1.2 % or less from three on; scipy would take longer to load than a leaderboard to build.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Z_95 = 1.959963984540054  # the 97.5 % quantile of the normal distribution
MIN_FREEDOM = 1.0  # of three seeds at the least


def t_of(z: ArrayLike, freedom: ArrayLike) -> NDArray[np.float64]:
    """Return the t value, not below 0, that is as unlikely as the absolute value of `z`."""
    f = np.asarray(freedom, dtype=float)
    scaled = np.abs(z) * (8 * f + 3) / (8 * f + 1)
    return np.asarray(np.sqrt(f * np.expm1(scaled**2 / f)))


def z_of(t: ArrayLike, freedom: ArrayLike) -> NDArray[np.float64]:
    """Return the normal value, not below 0, that is as unlikely as the absolute value of `t`."""
    f = np.asarray(freedom, dtype=float)
    return np.asarray((8 * f + 1) / (8 * f + 3) * np.sqrt(f * np.log1p(np.square(t) / f)))


def freedom_of(variances: ArrayLike, freedoms: ArrayLike) -> float:
    """Return the degrees of freedom of a sum of variances: Satterthwaite (1946), Biometrics Bulletin 2."""
    parts, own = np.asarray(variances, dtype=float), np.asarray(freedoms, dtype=float)
    spread = float((parts**2 / own).sum())
    return float(parts.sum()) ** 2 / spread if spread > 0 else float(own.max())
