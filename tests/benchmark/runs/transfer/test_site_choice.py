import pytest

from graftbench.benchmark.runs.transfer.site_choice import TriedSite, best_of, between, fractions_of


def tried(**leads):
    return [TriedSite(int(site[1:]), lead) for site, lead in leads.items()]


def test_fractions_of_the_depth_come_first_and_a_small_budget_takes_the_middle():
    assert fractions_of(32, 5) == [8, 12, 16, 20, 24]
    assert fractions_of(32, 7) == [8, 12, 16, 20, 24]
    assert fractions_of(32, 1) == [16]
    assert fractions_of(3, 5) == [1, 2]
    assert fractions_of(1, 7) == [0]
    assert fractions_of(2, 7) == [0, 1]


def test_the_middles_beside_the_best_site_come_next():
    found = tried(s8=0.1, s12=0.2, s16=0.5, s20=0.4, s24=0.0)
    assert between(found, 2) == [14, 18]
    assert between(found, 1) == [14]
    assert between(found, 0) == []


@pytest.mark.parametrize(("best", "middles"), [("s8", [10]), ("s24", [22])])
def test_at_an_end_there_is_one_neighbour(best, middles):
    assert between(tried(**({"s8": 0.1, "s12": 0.1, "s20": 0.1, "s24": 0.1} | {best: 0.9})), 2) == middles


def test_no_site_is_tried_twice():
    assert between(tried(s1=0.1, s2=0.3), 2) == []


def test_the_later_of_two_equal_sites_is_taken():
    assert best_of(tried(s8=0.5, s16=0.5, s24=0.1)).site == 16
