import numpy as np
import pytest
from scipy.stats import binomtest

from graftbench.benchmark.metrics.statistics import interval, quantiles, wilson


def test_wilson_gives_the_textbook_values():
    # Newcombe (1998), Statistics in Medicine 17, table I, method 3
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(15, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert wilson(29, 29) == pytest.approx((0.8830, 1.0), abs=5e-5)


def test_no_observations_have_no_interval():
    with pytest.raises(ValueError, match="at least one observation"):
        wilson(0, 0)


def test_an_interval_holds_the_middle_95_percent_of_the_resamples():
    values = np.arange(1001.0)
    assert interval(values) == (25, 975)
    assert np.isnan(interval([*values, np.nan])).all()
    assert interval([*values, np.nan], skip_nan=True) == (25, 975)


@pytest.mark.parametrize("n", [1, 2, 3, 40, 41, 1999, 2000])
def test_quantiles_are_those_of_numpy_to_the_last_digit(n):
    rng = np.random.default_rng(n)
    for values in (rng.standard_normal(n), rng.integers(0, 3, n) / 7):
        shares = [0.0, 0.025, 0.3, 0.5, 0.975, 1.0]
        assert quantiles(values, shares) == np.quantile(values, shares).tolist()
        lacking = np.where(rng.random(n) < 0.3, np.nan, values)
        lacking[0] = values[0]
        assert quantiles(lacking, shares, skip_nan=True) == np.nanquantile(lacking, shares).tolist()
    assert np.isnan(quantiles([np.nan], [0.5], skip_nan=True)).all()


def test_wilson_is_that_of_scipy_to_the_last_digit():
    for n in (1, 2, 3, 7, 128, 139, 2224):
        for hits in range(0, n + 1, max(1, n // 40)):
            expected = binomtest(hits, n).proportion_ci(method="wilson")
            assert wilson(hits, n) == (expected.low, expected.high)
