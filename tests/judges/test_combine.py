from dataclasses import dataclass

import pytest

from graftbench.benchmark.core.errors import UserError
from graftbench.judges.combine import Panel
from graftbench.judges.protocol import Case, Verdict

CASES = [Case("p", "c")]


@dataclass(frozen=True)
class Says:
    """A judge that always says the same."""

    score: float | None
    scale: tuple[float, float] = (0.0, 5.0)
    binary: bool = False

    @property
    def identity(self):
        return f"says {self.score}"

    def __call__(self, cases):
        return [Verdict(self.score, "", "" if self.score is not None else "no idea", self.scale) for _ in cases]


def verdict(*scores, rule="majority"):
    (combined,) = Panel(tuple(map(Says, scores)), rule)(CASES)
    return combined


def test_the_majority_decides_and_every_members_score_is_evidence():
    combined = verdict(1, 4, 4)
    assert (combined.score, combined.evidence, combined.scale) == (4, "1; 4; 4", (0, 5))


@pytest.mark.parametrize("scores", [(1, 4), (0, 1, 2), (1, 1, 2, 2)])
def test_a_split_panel_scores_nothing(scores):
    combined = verdict(*scores)
    assert combined.score is None
    assert "split" in combined.reason


def test_the_mean_is_of_all_members_or_there_is_none():
    assert verdict(1, 4, 4, rule="mean").score == 3
    combined = verdict(1, 4, None, rule="mean")
    assert combined.score is None
    assert combined.reason == "the panel: of 3 members 1 left it unscored: no idea"


def test_an_unscored_member_changes_no_majority():
    assert verdict(4, 4, None).score == 4  # whatever the third would say
    assert verdict(4, None, None).score is None
    assert verdict(4, None).score is None
    assert verdict(4, 4, 1, None).score is None


def test_members_have_one_scale_and_are_at_least_two():
    with pytest.raises(UserError, match="different scales"):
        Panel((Says(1), Says(1, (0.0, 1.0))))
    with pytest.raises(ValueError, match="at least two"):
        Panel((Says(1),))


def test_a_panel_is_known_by_its_rule_and_its_members():
    assert Panel((Says(1), Says(2))).identity == "panel/1 majority of [says 1] [says 2]"


def test_a_panel_says_yes_or_no_where_all_of_it_does_and_most_decide():
    yes, no = Says(1, (0.0, 1.0), binary=True), Says(0, (0.0, 1.0), binary=True)
    assert Panel((yes, no)).binary
    assert not Panel((yes, no), "mean").binary
    assert not Panel((yes, Says(1, (0.0, 1.0)))).binary
