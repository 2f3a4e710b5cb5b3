"""Texts that are read as a tree give what each of them gives by itself, on architectures that may be read so."""

import pytest
import torch

from graftbench.benchmark.interventions import joint_reading
from graftbench.benchmark.interventions.hooks import Batch
from graftbench.benchmark.interventions.joint_reading import can_read_jointly, joint_likelihoods
from graftbench.benchmark.interventions.operators import Ablate, Add, Replace
from graftbench.benchmark.interventions.token_tree import tree_of
from tests.benchmark.conftest import untrained, wrapped

TEXTS = [[5, 9, 30, 31, 40], [5, 9, 30, 31, 41, 42, 43], [5, 9, 8, 200, 40], [6, 12, 13]]
STARTS = [4, 4, 3, 1]


def vectors(model, n):
    return 3 * torch.randn(n, model.d, generator=torch.Generator().manual_seed(0))


def conditions(model):
    """What is done to a text, by the tokens that it has before what is predicted, and all of them."""
    some = vectors(model, 4)
    return [
        lambda *_: (),
        lambda *_: (Add(1, some[0], None),),
        lambda *_: (Add(1, some[:1].clone(), None), Add(2, some[1], None)),
        lambda start, n: (Add(1, some[2], (start - 1 - n,)),),
        lambda start, n: (Replace(2, some[:1], (start - 1 - n,)), Add(2, some[3], (-2,))),
        lambda _, n: (Add(0, some[:2], (-n, 1 - n)),),
    ]


def table(model, texts=TEXTS, starts=STARTS):
    return [[make(start, len(ids)) for make in conditions(model)] for ids, start in zip(texts, starts, strict=True)]


def alone(model, ids, start, steps):
    with torch.no_grad(), Batch([steps]).on(model.blocks):
        logits = model.module(torch.tensor([ids]), use_cache=False).logits[0].double().log_softmax(-1)
    return logits[start - 1 : -1].gather(-1, torch.tensor(ids[start:])[:, None])[:, 0]


@pytest.mark.parametrize("nodes", [1, 8, 512])  # a text for each pass, some, all
def test_a_tree_gives_what_each_text_gives_by_itself(model, nodes, monkeypatch):
    monkeypatch.setattr(joint_reading, "_NODES", nodes)
    steps = table(model)
    for ids, start, by_condition, found in zip(
        TEXTS, STARTS, steps, joint_likelihoods(model, TEXTS, STARTS, steps), strict=True
    ):
        for each, likelihoods in zip(by_condition, found, strict=True):
            assert likelihoods.tolist() == pytest.approx(alone(model, ids, start, each).tolist(), abs=1e-4)


@pytest.mark.parametrize("bound", [320 * 30, 320 * 8, 1])
def test_the_memory_of_a_pass_is_bounded(llama, bound, monkeypatch):
    steps = table(llama)
    whole = joint_likelihoods(llama, TEXTS, STARTS, steps)
    monkeypatch.setattr(joint_reading, "_LOGITS", bound)
    sizes = []
    handle = llama.module.lm_head.register_forward_hook(lambda *args: sizes.append(args[2].numel()))
    parts = joint_likelihoods(llama, TEXTS, STARTS, steps)
    handle.remove()
    assert max(sizes) <= max(bound, 3 * 320)  # a text of three predicted tokens is read, whatever the bound
    assert len(sizes) > 1
    for one, other in zip(whole, parts, strict=True):
        assert torch.allclose(torch.cat(one), torch.cat(other), atol=1e-5)


def test_what_texts_begin_with_is_read_once():
    tree = tree_of(TEXTS, [[()]] * len(TEXTS))
    assert len(tree.tokens) == 14
    assert tree.texts[0][:4] == tree.texts[1][:4]
    assert tree.depths() == [0, 1, 2, 3, 4, 4, 5, 6, 2, 3, 4, 0, 1, 2]
    assert [sum(row) for row in tree.visible().tolist()] == [depth + 1 for depth in tree.depths()]


def test_tokens_under_different_vectors_are_not_shared():
    one, same, other = torch.ones(2), torch.ones(2), torch.zeros(2)
    texts = [[5, 9, 30], [5, 9, 31]]
    assert len(tree_of(texts, [[(Add(1, one, (-3,)),)], [(Add(1, same, (-3,)),)]]).tokens) == 4
    assert len(tree_of(texts, [[(Add(1, one, (-3,)),)], [(Add(1, other, (-3,)),)]]).tokens) == 6
    assert len(tree_of(texts, [[(Add(1, one, (-2,)),)], [()]]).tokens) == 5


def test_conditions_are_divided_where_their_states_are_too_many(llama, monkeypatch):
    steps = table(llama)
    whole = joint_likelihoods(llama, TEXTS, STARTS, steps)
    monkeypatch.setattr(joint_reading, "_STATES", 2 * 14)  # two conditions on a tree of 14 tokens, or more of them
    rows = []

    def counted(_, args):
        if args[0].shape[1] > 1:  # a single token is read where logits are made
            rows.append(len(args[0]))

    handle = llama.module.model.layers[2].register_forward_pre_hook(counted)
    parts = joint_likelihoods(llama, TEXTS, STARTS, steps)
    handle.remove()
    assert sum(rows) == len(steps[0])
    assert len(rows) > 1
    for one, other in zip(whole, parts, strict=True):
        assert torch.allclose(torch.cat(one), torch.cat(other), atol=1e-5)


@pytest.mark.parametrize(("dtype", "most"), [(torch.bfloat16, 0.2), (torch.float16, 0.02)])
def test_in_half_precision_they_differ_by_rounding(dtype, most):
    model = wrapped(untrained("llama").to(dtype))
    steps = table(model)
    for ids, start, by_condition, found in zip(
        TEXTS, STARTS, steps, joint_likelihoods(model, TEXTS, STARTS, steps), strict=True
    ):
        for each, likelihoods in zip(by_condition, found, strict=True):
            assert (likelihoods - alone(model, ids, start, each)).abs().max() < most * 5


@pytest.mark.parametrize("where", [(-4,), (-1, -1)])
def test_a_position_that_is_not_there_or_is_named_twice_is_refused(llama, where):
    steps = [[(Add(1, vectors(llama, 1)[0], where),)]]
    with pytest.raises(ValueError, match="lie before a text of 3 tokens, or stand there twice"):
        joint_likelihoods(llama, [[5, 9, 30]], [1], steps)


def test_a_short_window_and_other_interventions_are_read_text_by_text():
    model = wrapped(untrained("gemma2"))  # a window of 6
    assert can_read_jointly(model, 6, [[()]])
    assert not can_read_jointly(model, 7, [[()]])
    assert not can_read_jointly(model, 6, [[(Ablate(torch.ones(16)),)]])
