import torch

from graftbench.benchmark.zoo.training.muon import Muon, orthogonal


def trained(optimizer, weights, steps=5):
    torch.manual_seed(1)
    for _ in range(steps):
        for weight in weights:
            weight.grad = torch.randn_like(weight)
        for group in optimizer.param_groups:
            group["lr"] = 0.01
        optimizer.step()
    return weights


def weights():
    torch.manual_seed(0)
    return [torch.nn.Parameter(torch.randn(shape)) for shape in ((8, 8), (8, 20), (20, 8), (8, 20))]


def test_it_moves_as_torchs_own_does_up_to_bfloat16():
    start, ours, theirs = weights(), weights(), weights()
    trained(Muon(ours, weight_decay=0.05), ours)
    trained(torch.optim.Muon(theirs, weight_decay=0.05, adjust_lr_fn="match_rms_adamw"), theirs)
    for a, b, c in zip(start, ours, theirs, strict=True):
        assert (b - c).norm() < 0.02 * (c - a).norm()


def test_singular_values_end_near_one_and_the_singular_vectors_stay():
    torch.manual_seed(0)
    matrix = torch.randn(12, 30)
    result = orthogonal([matrix])[0]
    u, _, vh = torch.linalg.svd(matrix, full_matrices=False)
    core = u.T @ result @ vh.T
    assert torch.allclose(core, torch.diag(core.diagonal()), atol=1e-4)
    assert ((core.diagonal() > 0.5) & (core.diagonal() < 1.5)).all()


def test_matrices_of_one_shape_do_not_mix():
    torch.manual_seed(0)
    many = [torch.randn(6, 9) for _ in range(3)]
    for alone, together in zip(many, orthogonal(many), strict=True):
        assert torch.allclose(orthogonal([alone])[0], together, atol=1e-5)
