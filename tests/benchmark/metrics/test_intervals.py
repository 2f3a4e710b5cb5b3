import numpy as np
import pytest

from graftbench.benchmark.metrics.statistics import interval, wilson


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
