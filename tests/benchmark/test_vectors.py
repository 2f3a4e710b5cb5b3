import torch

from graftbench.benchmark.vectors import difference_in_means, random_like


def test_a_planted_difference_is_found():
    planted = torch.randn(3, 32)
    calm = torch.randn(2000, 3, 32)
    found = difference_in_means(torch.randn(2000, 3, 32) * 0.1 + calm + planted, calm)
    assert torch.cosine_similarity(found, planted.double(), dim=-1).min() > 0.99


def test_random_vectors_copy_the_norms_of_every_position_and_follow_the_seed():
    vector = torch.randn(3, 32) * torch.tensor([[1.0], [0.0], [5.0]])
    draws = random_like(vector, 4, seed=1)
    assert draws.shape == (4, 3, 32)
    assert torch.allclose(draws.norm(dim=-1), vector.double().norm(dim=-1).expand(4, 3))
    assert torch.equal(draws, random_like(vector, 4, seed=1))
    assert not torch.equal(draws, random_like(vector, 4, seed=2))
