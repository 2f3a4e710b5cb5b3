import pytest
import torch

from graftbench.benchmark.activations.capture import residuals
from graftbench.benchmark.models.twin import random_rotation, rotated
from tests.benchmark.conftest import untrained, wrapped

IDS = torch.randint(0, 50, (3, 20), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("architecture", ["llama", "qwen2"])
@pytest.mark.parametrize("tied", [True, False])
def test_a_twin_computes_the_same_with_a_rotated_residual_stream(architecture, tied):
    model = untrained(architecture, tie_word_embeddings=tied)
    rotation = random_rotation(16, seed=3)
    other = rotated(model, rotation)
    with torch.inference_mode():
        assert (other(IDS).logits - model(IDS).logits).abs().max() < 1e-4
    ours, theirs = (residuals(wrapped(m), {"input_ids": IDS}, range(3)) for m in (model, other))
    for site in range(3):
        assert not torch.allclose(theirs[site], ours[site], atol=1e-3)
        assert torch.allclose(theirs[site], ours[site] @ rotation.float(), atol=1e-4)


def test_the_model_itself_stays_as_it_was():
    model = untrained("llama", tie_word_embeddings=True)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    rotated(model, random_rotation(16, seed=0))
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert model.config.tie_word_embeddings


def test_a_twin_is_saved_and_loaded_like_any_model(tmp_path):
    model = untrained("llama", tie_word_embeddings=True)
    other = rotated(model, random_rotation(16, seed=0))
    other.save_pretrained(tmp_path)
    again = type(model).from_pretrained(tmp_path)
    with torch.inference_mode():
        assert torch.equal(again(IDS).logits, other(IDS).logits)


def test_what_cannot_have_a_twin_is_refused():
    with pytest.raises(ValueError, match="not of Gemma2ForCausalLM"):
        rotated(untrained("gemma2"), random_rotation(16, seed=0))
    with pytest.raises(ValueError, match=r"shape \(8, 8\).*16 dimensions"):
        rotated(untrained("llama"), random_rotation(8, seed=0))
    with pytest.raises(ValueError, match="not an orthogonal matrix"):
        rotated(untrained("llama"), torch.ones(16, 16))
