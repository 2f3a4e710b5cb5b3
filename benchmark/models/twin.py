"""A model's twin: the same function with a rotated residual stream. The known-answer pair of the suite."""

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from graftbench.benchmark.models.block_search import blocks_of
from graftbench.benchmark.models.load import Model

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def rotated(model: "PreTrainedModel", rotation: Tensor) -> "PreTrainedModel":
    """Copy a Llama-type model so that its residual stream is that of `model` times `rotation` [d, d].

    The gain of each norm is folded into the weights that read from it, because an RMS norm without gain commutes with a
    rotation; embeddings and head are untied. Logits stay the same, activations h [rows, tokens, d] become h @ rotation.
    ValueError where the matrix is not orthogonal or the model has norms or biases that do not commute.
    """
    _check(model, rotation)
    other = copy.deepcopy(model)
    _untie(other)
    q = rotation.double().to(model.device)
    decoder: Any = other.model
    _set(decoder.embed_tokens, decoder.embed_tokens.weight.double() @ q)
    for block in decoder.layers:
        attention, mlp = block.self_attn, block.mlp
        _fold(block.input_layernorm, (attention.q_proj, attention.k_proj, attention.v_proj), q)
        _fold(block.post_attention_layernorm, (mlp.gate_proj, mlp.up_proj), q)
        for writer in (attention.o_proj, mlp.down_proj):
            _set(writer, q.T @ writer.weight.double())
    _fold(decoder.norm, (other.lm_head,), q)
    return other


def twin_of(model: Model, seed: int) -> Model:
    """Return the twin of a model by a rotation drawn from `seed`."""
    rotation = random_rotation(model.d, seed)
    module = rotated(model.module, rotation)
    identity = identity_of_twin(model.identity, seed)
    return Model(name_of_twin(model.name), module, model.tokenizer, blocks_of(module), identity)


def name_of_twin(name: str) -> str:
    """Return the name of a model's twin."""
    return f"twin of {name}"


def identity_of_twin(identity: str, seed: int) -> str:
    """Return the identity of the twin of a model with an identity."""
    return f"{identity}-twin-{seed}"


def random_rotation(d: int, seed: int) -> Tensor:
    """Draw an orthogonal matrix [d, d] in float64: QR of a Gaussian matrix, signs fixed (Mezzadri, 2007)."""
    gaussian = torch.randn((d, d), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    q, r = torch.linalg.qr(gaussian)
    rotation: Tensor = q * r.diagonal().sign()
    return rotation


def _check(model: Any, rotation: Tensor) -> None:
    kind = type(model).__name__
    if kind not in ("LlamaForCausalLM", "MistralForCausalLM", "Qwen2ForCausalLM"):
        raise ValueError(f"a twin is made of a Llama-type model, not of {kind}")
    d = model.config.hidden_size
    if tuple(rotation.shape) != (d, d):
        raise ValueError(
            f"the rotation has shape {tuple(rotation.shape)}, the residual stream of the model {d} dimensions"
        )
    if not torch.allclose(rotation.double().T @ rotation.double(), torch.eye(d, dtype=torch.float64), atol=1e-6):
        raise ValueError("the rotation is not an orthogonal matrix")
    written = [module for block in model.model.layers for module in (block.self_attn.o_proj, block.mlp.down_proj)]
    if any(module.bias is not None for module in written):
        raise ValueError("the model has a bias on a matrix that writes to the residual stream")


def _untie(model: Any) -> None:
    model.config.tie_word_embeddings = False
    model.lm_head.weight = nn.Parameter(model.lm_head.weight.detach().clone())


def _fold(norm: nn.RMSNorm, readers: Sequence[nn.Linear], q: Tensor) -> None:
    """Fold the gain [d] of a norm and the rotation `q` [d, d] into the weights [out, d] that read from it."""
    gain = norm.weight.detach().double()
    for reader in readers:
        _set(reader, (reader.weight.double() * gain) @ q)
    _set(norm, torch.ones_like(gain))


def _set(module: nn.Linear | nn.RMSNorm | nn.Embedding, weight: Tensor) -> None:
    module.weight = nn.Parameter(weight.detach().to(module.weight.dtype))
