import math

import pytest
import torch

from graftbench.benchmark.directions import Candidate, refusal_score


def test_the_refusal_score_is_the_log_odds_of_a_first_token_of_a_refusal():
    logits = torch.log(torch.tensor([[0.5, 0.3, 0.2], [0.05, 0.05, 0.9]]))
    scores = refusal_score(logits, [0, 1])
    assert scores.tolist() == pytest.approx([math.log(0.8 / 0.2), math.log(0.1 / 0.9)], abs=1e-6)


def test_a_certain_refusal_has_a_finite_score():
    scores = refusal_score(torch.tensor([[100.0, -100.0], [-100.0, 100.0]]), [0])
    assert scores.tolist() == pytest.approx([math.log(1e8), -math.log(1e8)], rel=1e-3)


@pytest.mark.parametrize(
    ("changes", "passes"),
    [
        ({}, True),
        ({"kl": 0.11}, False),
        ({"induced": -0.01}, False),
        ({"site": 4}, False),  # 4 of 5 blocks is 0.8
        ({"site": 3}, True),
        ({"kl": math.nan}, False),
    ],
)
def test_a_direction_is_taken_under_the_published_conditions(changes, passes):
    values = {"site": 2, "position": -1, "vector": torch.ones(3), "ablated": -5.0, "induced": 0.0, "kl": 0.1} | changes
    assert Candidate(**values).passes(n_blocks=5) == passes
