import numpy as np
import pytest
from scipy.stats import norm, t

from graftbench.benchmark.metrics.student import Z_95, freedom_of, t_of, z_of


@pytest.mark.parametrize(("freedom", "within"), [(2, 0.041), (3, 0.012), (5, 0.003), (15, 0.001), (200, 0.001)])
def test_quantiles_are_near_students_and_not_below_them(freedom, within):
    assert t_of(Z_95, freedom) == pytest.approx(t.ppf(0.975, freedom), rel=within)
    assert t_of(3.0, freedom) >= t.ppf(norm.cdf(3.0), freedom)


def test_normal_values_come_back():
    freedom = np.array([1.0, 2.5, 30.0])
    assert z_of(t_of(1.7, freedom), freedom) == pytest.approx(1.7)
    assert z_of(-t_of(1.7, 4.0), 4.0) == pytest.approx(1.7)


def test_the_freedom_of_a_sum_is_that_of_what_dominates_it():
    assert freedom_of([1.0, 0.0], [2.0, 100.0]) == pytest.approx(2)
    assert freedom_of([1.0, 1.0], [4.0, 4.0]) == pytest.approx(8)
    assert freedom_of([0.0, 0.0], [2.0, 100.0]) == 100
