from contextlib import ExitStack

import pytest
import torch

from graftbench.benchmark.activations.capture import residuals
from graftbench.benchmark.interventions.hooks import Batch
from graftbench.benchmark.interventions.operators import Ablate, Add, Replace
from graftbench.benchmark.models.architectures import hidden_states, input_states

IDS = torch.tensor([[5, 6, 7, 8], [9, 10, 11, 12]])


def logits(model, *rows):
    with torch.inference_mode(), Batch(rows or [(), ()]).on(model.blocks):
        return model.module(IDS, use_cache=False).logits


def states(model, sites, *rows):
    with Batch(rows or [(), ()]).on(model.blocks):
        return residuals(model, {"input_ids": IDS}, sites)


def n_hooks(model):
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.module.modules())


def test_adding_nothing_changes_no_bit(model):
    nothing = Add(1, torch.zeros(16), None)
    assert torch.equal(logits(model, (nothing,), (nothing,)), logits(model))


def test_the_block_reads_what_was_there_and_what_is_added_where_it_is_added(model):
    vectors = torch.randn(2, 16)
    plain = states(model, [1, 2])
    steered = states(model, [1, 2], (), (Add(1, vectors, (-3, -1)),))
    expected = plain[1].clone()
    expected[1, [1, 3]] += vectors
    assert torch.equal(steered[1], expected)
    assert torch.equal(steered[2][0], plain[2][0])
    assert not torch.allclose(steered[2][1], plain[2][1])


def test_two_additions_at_one_place_add_up(llama):
    first, second = torch.randn(16), torch.randn(1, 16)
    both = states(llama, [1], (Add(1, first, None), Add(1, second, (-1,))), ())[1]
    assert torch.allclose(both[0, -1], states(llama, [1])[1][0, -1] + first + second[0])


def test_what_is_replaced_is_gone(model):
    vectors = torch.randn(2, 16)
    replaced = states(model, [1, 2], (Replace(1, vectors, (-2, -1)),), ())
    assert torch.equal(replaced[1][0, 2:], vectors)
    assert torch.equal(replaced[1][0, :2], states(model, [1])[1][0, :2])


def test_replacing_by_what_was_there_changes_no_bit(model):
    own = states(model, [1])[1]
    rows = [(Replace(1, own[i], tuple(range(-4, 0))),) for i in range(2)]
    assert torch.equal(logits(model, *rows), logits(model))


def test_each_row_gets_its_own(model):
    many = [(Add(0, torch.randn(16), (-2,)),), (Ablate(torch.randn(16)),)]
    together = logits(model, *many)
    assert torch.allclose(logits(model, many[0], ())[0], together[0], atol=1e-5)
    assert torch.allclose(logits(model, (), many[1])[1], together[1], atol=1e-5)
    assert not torch.allclose(logits(model)[0], together[0], atol=1e-2)


def test_a_position_before_the_prompt_is_refused(llama):
    with pytest.raises(ValueError, match=r"\(-5,\) lies before a prompt of 4 tokens"):
        logits(llama, (Add(0, torch.zeros(1, 16), (-5,)),), ())


def test_an_ablated_direction_is_gone_from_every_site_and_from_what_is_written(model):
    direction = torch.randn(16)
    row = (Ablate(direction),)
    written = []
    with ExitStack() as stack:
        batch = Batch([row, row])
        stack.enter_context(batch.on(model.blocks))
        for module in model.blocks.writer_modules():  # these hooks run after those of the ablation
            handle = module.register_forward_hook(lambda _, __, output: written.append(hidden_states(output)))
            stack.callback(handle.remove)
        for block in model.blocks.modules:
            handle = block.register_forward_pre_hook(
                lambda _, args, kwargs: written.append(input_states(args, kwargs)), with_kwargs=True
            )
            stack.callback(handle.remove)
        model.module(IDS, use_cache=False)
    assert len(written) == 9
    for hidden in written:
        assert hidden.abs().max() > 0.001
        assert (hidden @ direction).abs().max() < 1e-4 * hidden.abs().max()


def test_a_zero_vector_cannot_be_ablated():
    with pytest.raises(ValueError, match="zero vector"):
        Batch([(Ablate(torch.zeros(16)),)])


def test_hooks_come_off_when_the_work_fails(model):
    def fail():
        with Batch([(Add(0, torch.zeros(16), None), Ablate(torch.ones(16)))]).on(model.blocks):
            assert n_hooks(model) > 0
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert n_hooks(model) == 0


def test_the_input_is_never_written_to(model):
    seen = []

    def remember(_, args, kwargs):
        hidden = input_states(args, kwargs)
        seen.append((hidden, hidden.clone()))

    with ExitStack() as stack:
        for block in model.blocks.modules:
            stack.callback(block.register_forward_pre_hook(remember, with_kwargs=True).remove)
        row = (Add(1, torch.ones(16), None), Replace(2, torch.ones(16), None), Ablate(torch.ones(16)))
        logits(model, row, row)
    assert len(seen) == 3
    assert all(torch.equal(now, then) for now, then in seen)
