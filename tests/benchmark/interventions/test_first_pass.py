"""What rows share of their prompts is read once, and gives what each row gives alone."""

import pytest
import torch

from graftbench.benchmark.interventions.first_pass import n_steered
from graftbench.benchmark.interventions.operators import Ablate, Add, Replace, Rewrite
from tests.benchmark.conftest import WORDS
from tests.benchmark.interventions.test_generation import rows_of, spelt_out, tokens_of


def placed():
    torch.manual_seed(4)
    return [
        (),
        (Add(1, 3 * torch.randn(2, 16), (-3, -2)),),
        (Replace(1, torch.randn(16), (-1,)), Add(2, 2 * torch.randn(16), (-2,))),
        (Add(1, 3 * torch.randn(1, 16), (-1,), generated=3 * torch.randn(5, 16)),),
        (Add(0, torch.randn(1, 16), (-1,)),),
    ]


@pytest.fixture
def read(llama):
    """The rows and tokens of every pass, at the first block and at the last."""
    shapes = {0: [], 2: []}
    handles = [
        llama.blocks[i].register_forward_pre_hook(
            lambda _, args, __, i=i: shapes[i].append(tuple(args[0].shape[:2])), with_kwargs=True
        )
        for i in shapes
    ]
    yield shapes
    for handle in handles:
        handle.remove()


@pytest.mark.parametrize("first", [0, 1], ids=["at the embeddings", "above the first block"])
def test_rows_that_begin_alike_give_what_each_gives_alone(model, first):
    some = [condition for condition in placed() if all(step.site >= first for step in condition)]
    rows = rows_of(model, *some)
    assert tokens_of(model, rows) == [spelt_out(model, row) for row in rows]


def test_a_condition_at_the_last_token_costs_one_token_and_that_above_its_site_alone(llama, read):
    n = 20
    tokens_of(llama, rows_of(llama, *[(Add(1, torch.randn(1, 16), (-1,)),) for _ in range(n)]), max_new_tokens=1)
    (beginnings, own), (_, below) = read[2], read[0]
    assert beginnings[0] == len(WORDS)
    assert own == (n * len(WORDS), 1)
    assert below == (len(WORDS), 1)


def test_rows_under_an_intervention_at_every_token_are_read_in_one_pass(llama, read):
    rows = rows_of(llama, (Add(1, torch.randn(16), None),), (Add(1, torch.randn(1, 16), (-1,)),))
    tokens_of(llama, rows, max_new_tokens=1)
    assert len(read[0]) == len(read[2]) == 1


def test_prompts_that_begin_with_what_is_steered_are_read_in_one_pass(llama, read):
    rows = rows_of(llama, *[(Add(1, torch.randn(1, 16), (-12,)),) for _ in range(3)])
    tokens_of(llama, rows, max_new_tokens=1)
    assert len(read[2]) == 1


@pytest.mark.parametrize("step", [Add(1, torch.ones(16), None), Ablate(torch.ones(16)), Rewrite(1, torch.tanh, "tanh")])
def test_what_acts_at_all_tokens_leaves_no_beginning(llama, step):
    assert n_steered(rows_of(llama, (), (Add(1, torch.ones(1, 16), (-3,)),))) == 3
    assert n_steered(rows_of(llama, (), (step,))) is None
