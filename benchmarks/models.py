"""Llama models of known shapes with random weights, rows of random tokens, and interventions on them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from tokenizers import Tokenizer, models
from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedTokenizerFast

from graftbench.benchmark.interventions.conditions import Row
from graftbench.benchmark.interventions.operators import Ablate, Add, Intervention, Replace
from graftbench.benchmark.models.block_search import blocks_of
from graftbench.benchmark.models.chat import Chat
from graftbench.benchmark.models.load import Model

# As in the configurations of meta-llama/Llama-3.2-1B and 3B.
LLAMA_3_2 = {
    "Llama-3.2-1B": {
        "hidden_size": 2048,
        "intermediate_size": 8192,
        "num_hidden_layers": 16,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "head_dim": 64,
        "vocab_size": 128_256,
        "tie_word_embeddings": True,
    },
    "Llama-3.2-3B": {
        "hidden_size": 3072,
        "intermediate_size": 8192,
        "num_hidden_layers": 28,
        "num_attention_heads": 24,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "vocab_size": 128_256,
        "tie_word_embeddings": True,
    },
}
TINY = {
    "tiny": {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "vocab_size": 128,
        "tie_word_embeddings": True,
    }
}


def random_model(name: str, shape: dict[str, Any], dtype: torch.dtype, device: torch.device) -> Model:
    """Return a Llama of a shape with random weights, whose replies never end by themselves."""
    config = LlamaConfig(**shape, max_position_embeddings=8192, eos_token_id=None, bos_token_id=None, pad_token_id=0)
    torch.manual_seed(0)
    with torch.device(device):
        module = AutoModelForCausalLM.from_config(config, dtype=dtype).eval()
    module.generation_config.eos_token_id = None
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel({"a": 0}, unk_token="a")))  # noqa: S106
    return Model(name, module, tokenizer, blocks_of(module, "model.layers", ("self_attn", "mlp")), name)


@dataclass(frozen=True)
class Prompts:
    """Rows under interventions, and the token ids of each."""

    rows: Sequence[Row]
    ids: Sequence[Sequence[int]]


def prompts_of(model: Model, n: int, n_tokens: int, interventions: Sequence[Sequence[Intervention]]) -> Prompts:
    """Return `n` rows of random tokens; their interventions are given in turn."""
    vocabulary = int(model.module.config.vocab_size)
    ids = torch.randint(1, vocabulary, (n, n_tokens), generator=torch.Generator().manual_seed(1)).tolist()
    text = Chat("", ())
    return Prompts([Row(text, tuple(interventions[i % len(interventions)])) for i in range(n)], ids)


def vector_of(model: Model, *shape: int) -> torch.Tensor:
    """Return a small random vector [*shape, d]."""
    return 0.01 * torch.randn(*shape, model.d, generator=torch.Generator().manual_seed(2))


def mixed(model: Model) -> list[tuple[Intervention, ...]]:
    """Return interventions of every kind that needs no other model, for rows in turn."""
    site = len(model.blocks) // 2
    return [
        (Add(site, vector_of(model), None),),
        (Add(site, vector_of(model, 2), (-3, -1)),),
        (Add(site, vector_of(model, 1), (-1,), generated=vector_of(model, 4)),),
        (Replace(site, vector_of(model), (-1,)),),
        (Add(site, vector_of(model), None), Add(1, vector_of(model), None)),
    ]


def ablating(model: Model) -> list[tuple[Intervention, ...]]:
    """Return the ablation of a direction, for every row."""
    return [(Ablate(vector_of(model)),)]
