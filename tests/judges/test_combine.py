from dataclasses import dataclass

import pytest

from graftbench.benchmark.core.errors import UserError
from graftbench.judges.combine import Panel, disagreement
from graftbench.judges.protocol import NO_USAGE, Case, Usage, Verdict

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
    (found,) = Panel(tuple(map(Says, scores)), rule)(CASES)
    return found


def test_what_most_say_is_the_verdict_and_every_voice_is_on_record():
    found = verdict(1, 4, 4)
    assert (found.score, found.evidence, found.scale) == (4, "1; 4; 4", (0, 5))


@pytest.mark.parametrize("scores", [(1, 4), (0, 1, 2), (1, 1, 2, 2)])
def test_a_split_panel_scores_nothing(scores):
    found = verdict(*scores)
    assert found.score is None
    assert "split" in found.reason


def test_the_mean_is_of_all_members_or_there_is_none():
    assert verdict(1, 4, 4, rule="mean").score == 3
    found = verdict(1, 4, None, rule="mean")
    assert found.score is None
    assert found.reason == "the panel: of 3 members 1 left it unscored: no idea"


def test_whoever_says_nothing_changes_no_majority():
    assert verdict(4, 4, None).score == 4  # whatever the third would say
    assert verdict(4, None, None).score is None
    assert verdict(4, None).score is None
    assert verdict(4, 4, 1, None).score is None


def test_disagreement_is_the_mean_distance_as_a_share_of_the_scale():
    each = Panel((Says(0), Says(5), Says(5))).each(CASES)
    assert disagreement(each) == pytest.approx(2 / 3)
    assert disagreement(Panel((Says(3), Says(3))).each(CASES)) == 0
    assert disagreement(Panel((Says(3), Says(None))).each(CASES)) is None


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


def test_what_a_panel_took_has_no_price_where_a_member_has_none():
    assert (Usage(1, 1, 0.5) + Usage(1, 1, None)).dollars is None
    assert (Usage(1, 1, 0.5) + NO_USAGE) == Usage(1, 1, 0.5)
