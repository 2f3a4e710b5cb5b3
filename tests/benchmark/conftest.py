import pytest
import torch
from transformers import (
    Gemma2Config,
    Gemma2ForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    Qwen2Config,
    Qwen2ForCausalLM,
)

SHAPE = {
    "vocab_size": 50,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 4,
    "max_position_embeddings": 64,
    "bos_token_id": 1,
    "eos_token_id": None,
    "pad_token_id": 0,
}
ARCHITECTURES = {
    "llama": (LlamaForCausalLM, LlamaConfig),
    "qwen2": (Qwen2ForCausalLM, Qwen2Config),
    "gemma2": (Gemma2ForCausalLM, Gemma2Config),
}


def untrained(architecture: str, **changes) -> PreTrainedModel:
    model, config = ARCHITECTURES[architecture]
    torch.manual_seed(0)
    made = model(config(**SHAPE | changes)).eval()
    for name, parameter in made.named_parameters():
        if "norm" in name:  # gains that do something
            parameter.data = torch.rand_like(parameter) + 0.5
    return made


@pytest.fixture(params=ARCHITECTURES)
def model(request) -> PreTrainedModel:
    return untrained(request.param)
