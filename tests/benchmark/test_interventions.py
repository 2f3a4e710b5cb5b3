from contextlib import ExitStack

import pytest
import torch

from graftbench.benchmark.activations import residuals
from graftbench.benchmark.blocks import blocks_of, stream
from graftbench.benchmark.interventions import ablating, adding

IDS = torch.tensor([[5, 6, 7, 8], [9, 10, 11, 12]])


def logits(model):
    with torch.inference_mode():
        return model(IDS, use_cache=False).logits


def n_hooks(model):
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())


def test_adding_nothing_changes_no_bit(model):
    with adding(model, 1, torch.zeros(2, 4, 16)):
        steered = logits(model)
    assert torch.equal(steered, logits(model))


def test_the_block_reads_what_was_there_and_what_is_added(model):
    addition = torch.randn(2, 4, 16)
    plain = residuals(model, {"input_ids": IDS}, [1, 2])
    with adding(model, 1, addition):
        steered = residuals(model, {"input_ids": IDS}, [1, 2])
    assert torch.equal(steered[1], plain[1] + addition)
    assert not torch.allclose(steered[2], plain[2] + addition)


def test_each_row_gets_its_own_vector(model):
    addition = torch.zeros(2, 4, 16)
    addition[1, 2] = 3.0
    with adding(model, 1, addition):
        steered = logits(model)
    assert torch.equal(steered[0], logits(model)[0])
    assert torch.equal(steered[1, :2], logits(model)[1, :2])
    assert not torch.allclose(steered[1, 2:], logits(model)[1, 2:])


def test_generated_tokens_see_the_prompt_as_it_was_changed_and_get_nothing_added(model):
    addition = torch.randn(2, 4, 16)
    with adding(model, 1, addition):
        cached = model.generate(IDS, attention_mask=torch.ones_like(IDS), max_new_tokens=5, do_sample=False)
    for n in range(4, 9):  # the same without a cache: the addition padded with zeros for what was generated
        longer = torch.cat([addition, torch.zeros(2, n - 4, 16)], dim=1)
        with torch.inference_mode(), adding(model, 1, longer):
            following = model(cached[:, :n], use_cache=False).logits[:, -1].argmax(-1)
        assert torch.equal(following, cached[:, n])


def test_an_addition_of_the_wrong_shape_is_refused(model):
    with pytest.raises(ValueError, match=r"shape \(2, 3, 16\).*\(2, 4, 16\)"), adding(model, 0, torch.zeros(2, 3, 16)):
        logits(model)


def test_an_ablated_direction_is_gone_from_every_site(model):
    direction = torch.randn(16)
    with ablating(model, direction):
        inside = residuals(model, {"input_ids": IDS}, range(3))
    for site, hidden in inside.items():
        assert hidden.abs().max() > 0.01
        # the hook of the capture runs after that of the ablation
        assert (hidden @ direction).abs().max() < 1e-4 * hidden.abs().max(), site


def test_ablating_a_direction_per_row_is_ablating_each_alone(model):
    directions = torch.randn(2, 16)
    with ablating(model, directions):
        together = logits(model)
    for row in range(2):
        with ablating(model, directions[row]):
            assert torch.allclose(logits(model)[row], together[row], atol=1e-6)


def test_hooks_come_off_when_the_work_fails(model):
    def fail():
        with adding(model, 0, torch.zeros(2, 4, 16)), ablating(model, torch.ones(16)):
            assert n_hooks(model) > 0
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert n_hooks(model) == 0


def test_the_input_is_never_written_to(model):
    seen = []
    with ExitStack() as stack:
        for block in blocks_of(model):
            hook = block.register_forward_pre_hook(lambda _, args: seen.append((args[0], args[0].clone())))
            stack.callback(hook.remove)
        with adding(model, 1, torch.ones(2, 4, 16)), ablating(model, torch.ones(16)):
            logits(model)
    assert len(seen) == 3
    assert all(torch.equal(now, then) for now, then in seen)


def test_what_attention_and_mlp_write_is_free_of_an_ablated_direction(model):
    direction = torch.randn(16)
    seen = []
    with ablating(model, direction), ExitStack() as stack:
        for block in blocks_of(model):
            for part in (block.self_attn, block.mlp):
                hook = part.register_forward_hook(lambda _, __, output: seen.append(stream(output)))
                stack.callback(hook.remove)
        logits(model)
    assert len(seen) == 6
    for written in seen:
        assert (written @ direction).abs().max() < 1e-4 * written.abs().max()
