"""Untrained models of many architectures, each of three blocks and a width of 16."""

from typing import Any

import torch
import transformers
from transformers import PreTrainedModel

SHAPE: dict[str, Any] = {
    "vocab_size": 320,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 4,
    "max_position_embeddings": 128,
    "initializer_range": 0.3,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
_WINDOW = {"sliding_window": 6}
_HALF_ROTARY = {"partial_rotary_factor": 0.5}
_GPT = {"n_embd": 16, "n_layer": 3, "n_head": 4, "n_positions": 128}
_EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2}
_LOCAL_EXPERTS = {"num_local_experts": 4, "num_experts_per_tok": 2}
_ROUTED_EXPERTS = {
    "n_routed_experts": 4,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 8,
    "first_k_dense_replace": 1,
}
_LINEAR = {
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
    "linear_key_head_dim": 4,
    "linear_value_head_dim": 4,
    "layer_types": ["linear_attention", "linear_attention", "full_attention"],
}
_MAMBA = {"mamba_d_head": 4, "mamba_n_groups": 1, "mamba_d_state": 4, "mamba_chunk_size": 4}
_ATTENTION_BETWEEN = {"layer_types": ["mamba", "attention", "mamba"]}

# By class what its configuration needs besides SHAPE; None leaves a setting out.
RIGHT: dict[str, dict[str, Any]] = {
    "LlamaForCausalLM": {},
    "MistralForCausalLM": {"sliding_window": None},
    "Qwen2ForCausalLM": {},
    "Qwen3ForCausalLM": {},
    "GemmaForCausalLM": {},
    "Gemma2ForCausalLM": _WINDOW | {"query_pre_attn_scalar": 4},
    "Gemma3ForCausalLM": _WINDOW | {"query_pre_attn_scalar": 4},
    "Gemma4ForCausalLM": {
        **_WINDOW,
        "hidden_size_per_layer_input": 4,
        "vocab_size_per_layer_input": 320,
        "num_kv_shared_layers": 0,
        "global_head_dim": 4,
        "layer_types": ["sliding_attention", "full_attention", "full_attention"],
    },
    "GPT2LMHeadModel": {},
    "GPTNeoXForCausalLM": {},
    "GPTNeoForCausalLM": {
        "num_layers": 3,
        "num_heads": 4,
        "attention_types": [[["global", "local", "global"], 1]],
        "window_size": 6,
    },
    "GPTJForCausalLM": _GPT | {"rotary_dim": 2},
    "GPTBigCodeForCausalLM": _GPT,
    "OPTForCausalLM": {"ffn_dim": 24, "word_embed_proj_dim": 16},
    "BloomForCausalLM": {"n_layer": 3, "n_head": 4},
    "FalconForCausalLM": {"multi_query": True, "head_dim": None},
    "MptForCausalLM": {"d_model": 16, "n_layers": 3, "n_heads": 4, "max_seq_len": 128},
    "PhiForCausalLM": _HALF_ROTARY,
    "Phi3ForCausalLM": {},
    "StableLmForCausalLM": _HALF_ROTARY,
    "Starcoder2ForCausalLM": {},
    "NemotronForCausalLM": _HALF_ROTARY,
    "CohereForCausalLM": {},
    "Cohere2ForCausalLM": _WINDOW,
    "OlmoForCausalLM": {},
    "Olmo2ForCausalLM": {},
    "Olmo3ForCausalLM": _WINDOW,
    "OlmoeForCausalLM": _EXPERTS,
    "GraniteForCausalLM": {"residual_multiplier": 0.5},
    "GraniteMoeForCausalLM": _LOCAL_EXPERTS,
    "GraniteMoeHybridForCausalLM": {
        **_LOCAL_EXPERTS,
        **_MAMBA,
        **_ATTENTION_BETWEEN,
        "shared_intermediate_size": 8,
        "mamba_n_heads": 8,
        "mamba_expand": 2,
    },
    "MixtralForCausalLM": {"num_local_experts": 4},
    "MinistralForCausalLM": _WINDOW,
    "SmolLM3ForCausalLM": {},
    "Qwen3MoeForCausalLM": _EXPERTS | {"moe_intermediate_size": 8},
    "Qwen3NextForCausalLM": {
        **_EXPERTS,
        **_LINEAR,
        **_HALF_ROTARY,
        "moe_intermediate_size": 8,
        "shared_expert_intermediate_size": 8,
    },
    "Qwen3_5ForCausalLM": _LINEAR | _HALF_ROTARY,
    "DeepseekV3ForCausalLM": {
        **_ROUTED_EXPERTS,
        "q_lora_rank": 8,
        "kv_lora_rank": 8,
        "qk_rope_head_dim": 4,
        "qk_nope_head_dim": 4,
        "v_head_dim": 4,
        "n_group": 2,
        "topk_group": 1,
        "num_key_value_heads": 4,
    },
    "GptOssForCausalLM": _LOCAL_EXPERTS | _WINDOW,
    "Llama4ForCausalLM": {"intermediate_size_mlp": 24, "num_local_experts": 4, "attention_chunk_size": 64},
    "Exaone4ForCausalLM": _WINDOW | {"sliding_window_pattern": 2},
    "GlmForCausalLM": _HALF_ROTARY,
    "Glm4ForCausalLM": _HALF_ROTARY,
    "Glm4MoeForCausalLM": _ROUTED_EXPERTS | _HALF_ROTARY,
    "Lfm2ForCausalLM": {
        "layer_types": ["conv", "full_attention", "conv"],
        "block_ff_dim": 24,
        "block_auto_adjust_ff_dim": False,
    },
    "FalconH1ForCausalLM": _MAMBA | {"mamba_d_ssm": 16, "mamba_n_heads": 4},
    "ArceeForCausalLM": {},
    "HeliumForCausalLM": {},
    "ApertusForCausalLM": {},
    "SeedOssForCausalLM": {},
}
REFUSED: dict[str, dict[str, Any]] = {  # they keep their state elsewhere than in the cache that they are given
    "MambaForCausalLM": {"state_size": 4},
    "Mamba2ForCausalLM": {"num_heads": 8, "state_size": 4, "n_groups": 1, "chunk_size": 4},
    "RecurrentGemmaForCausalLM": {"lru_width": 16, "attention_window_size": 6},
}
_WITHOUT_BLOCKS: dict[str, dict[str, Any]] = {
    "Gemma3nForCausalLM": {
        "num_hidden_layers": 2,
        "vocab_size_per_layer_input": 320,
        "activation_sparsity_pattern": [0.0] * 2,
        "num_kv_shared_layers": 0,
        "layer_types": ["sliding_attention", "full_attention"],
        "laurel_rank": 4,
        "hidden_size_per_layer_input": 4,
    }
}
_CONFIGURATIONS = {
    "Gemma3nForCausalLM": "Gemma3nTextConfig",
    "GPT2LMHeadModel": "GPT2Config",
    "Gemma3ForCausalLM": "Gemma3TextConfig",
    "Gemma4ForCausalLM": "Gemma4TextConfig",
    "Llama4ForCausalLM": "Llama4TextConfig",
    "Qwen3_5ForCausalLM": "Qwen3_5TextConfig",
}


def tiny(kind: str, **changes: Any) -> PreTrainedModel:
    """Return a model of a class, with random weights, and gains of its norms that do something."""
    named = _CONFIGURATIONS.get(kind, kind.replace("ForCausalLM", "Config"))
    settings = SHAPE | (RIGHT | REFUSED | _WITHOUT_BLOCKS)[kind] | changes
    torch.manual_seed(0)
    made: PreTrainedModel = getattr(transformers, kind)(
        getattr(transformers, named)(
            **{name: value for name, value in settings.items() if value is not None or name == "sliding_window"}
        )
    )
    for name, parameter in made.named_parameters():
        if "norm" in name or "ln_" in name:
            parameter.data = torch.rand_like(parameter) + 0.5
    return made.float().eval()
