from graftbench.benchmark.experiments.protocol import SweepPoint
from graftbench.benchmark.runs.sweeps.native import NativeSweep, Point, point_of, points_of


def tried(native, random):
    """Success rates by strength, as rows of ten prompts."""
    found = [{"condition": "unsteered", "strength": None, "success": False}]
    for name, rates in (("native", native), ("random", random)):
        for strength, rate in rates.items():
            found += [{"condition": name, "strength": strength, "success": i < 10 * rate} for i in range(10)]
    return SweepPoint(found, "random", "last")


def test_a_site_is_seen_at_the_strength_where_native_is_furthest_ahead():
    point = point_of(tried({0.5: 0.4, 1.0: 0.9, 2.0: 1.0}, {0.5: 0.0, 1.0: 0.1, 2.0: 0.9}), 3)
    assert point == Point(3, None, 1.0, 0.0, 0.9, 0.1)


def test_the_smaller_strength_wins_a_tie():
    assert point_of(tried({1.0: 0.9, 2.0: 0.9}, {1.0: 0.1, 2.0: 0.1})).strength == 1.0


def sweep(*ahead, choose="last"):
    points = tuple(Point(site, None, 1.0, 0.0, lead, 0.0) for site, lead in enumerate(ahead))
    return NativeSweep("t", "v", "m", "site", "random", choose, None, points)


def test_the_last_steerable_site_is_the_last_one_before_the_drop():
    assert sweep(0.9, 1.0, 0.55, 0.3, 0.0).best == 2
    assert sweep(0.0, 0.9, 0.2).best == 1


def test_where_activations_are_replaced_the_first_good_site_is_taken():
    assert sweep(0.0, 0.3, 0.55, 0.9, 1.0, choose="first").best == 2


def test_a_task_that_chooses_its_site_itself_has_that_one_marked():
    points = tuple(Point(site, None, None, 0.0, lead, 0.0) for site, lead in enumerate((0.1, 0.9, 1.0)))
    assert NativeSweep("t", "v", "m", "site", "random", "own", 1, points).best == 1


def test_a_site_without_a_native_intervention_is_not_ahead():
    nothing = SweepPoint([{"condition": "unsteered", "strength": None, "success": True}], "random", "last")
    assert point_of(nothing, 0) == Point(0, None, None, 1.0, 0.0, 0.0)


def test_over_strengths_every_one_is_seen_and_the_one_furthest_ahead_is_the_best():
    points = points_of(tried({0.5: 0.4, 1.0: 0.9, 2.0: 1.0}, {0.5: 0.0, 1.0: 0.1, 2.0: 0.9}), 3)
    assert [point.strength for point in points] == [0.5, 1.0, 2.0]
    assert NativeSweep("t", "v", "m", "strength", "random", "last", None, tuple(points)).best == 1.0


def test_an_intervention_without_strengths_has_one_point():
    found = [{"condition": name, "strength": None, "success": name == "native"} for name in ("native", "mean_ablated")]
    assert point_of(SweepPoint(found, "mean_ablated", "first"), 2) == Point(2, None, None, 0.0, 1.0, 0.0)


def test_on_the_published_sweep_it_is_the_published_site():
    """Oozeer et al. (2025), table 3: percent by layer, whose output is the next site."""
    layers = [100, 98, 100, 100, 100, 100, 100, 100, 96, 96, 92, 92, 92, 80, 34, *[0] * 9]
    assert sweep(*(share / 100 for share in layers)).best == 13


def test_where_nothing_can_be_steered_there_is_no_such_site():
    assert sweep(0.0, -0.1).best is None


def test_over_positions_the_one_furthest_ahead_is_marked():
    points = tuple(point_of(tried({1.0: rate}, {1.0: 0.0}), 2, at) for at, rate in (("trigger", 0.9), (-1, 0.3)))
    assert NativeSweep("t", "v", "m", "position", "random", "last", None, points).best == "trigger"
