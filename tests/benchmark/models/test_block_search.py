import pytest
import torch

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.models.block_search import blocks_of
from tests.benchmark.tiny_models import tiny

ATTENTION_AND_MLP = {("self_attn", "mlp")}
WRITERS = {
    "LlamaForCausalLM": ATTENTION_AND_MLP,
    "GPTNeoXForCausalLM": {("attention", "mlp")},
    "GPTNeoForCausalLM": {("attn", "mlp")},
    "Gemma2ForCausalLM": {("post_attention_layernorm", "post_feedforward_layernorm")},
    "Gemma4ForCausalLM": {
        ("post_attention_layernorm", "post_feedforward_layernorm", "post_per_layer_input_norm"),
    },
    "Olmo2ForCausalLM": {("post_attention_layernorm", "post_feedforward_layernorm")},
    "Glm4ForCausalLM": {("post_self_attn_layernorm", "post_mlp_layernorm")},
    "BloomForCausalLM": {("self_attention.dense", "mlp.dense_4h_to_h")},  # both modules add the stream themselves
    "MptForCausalLM": {("attn", "ffn.down_proj")},
    "OPTForCausalLM": {("self_attn", "fc2")},
    "GraniteForCausalLM": ATTENTION_AND_MLP,  # with a factor before they are added
    "FalconForCausalLM": {("self_attention", "mlp")},  # both read the same norm
    "Qwen3NextForCausalLM": {("linear_attn", "mlp"), ("self_attn", "mlp")},
    "FalconH1ForCausalLM": {("feed_forward", "mamba", "self_attn")},
}


@pytest.mark.parametrize("kind", WRITERS)
def test_blocks_and_what_they_write_with_are_found(kind):
    module = tiny(kind)
    blocks = blocks_of(module)
    assert len(blocks) == 3
    assert set(blocks.writers) == WRITERS[kind]
    again = blocks.of(tiny(kind))
    assert (again.path, again.writers) == (blocks.path, blocks.writers)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("size", [1.0, 0.02])  # of what a block adds, in proportion to the stream
def test_rounding_of_low_precision_hides_no_writer(dtype, size):
    module = tiny("LlamaForCausalLM", hidden_size=64, head_dim=16)
    for block in module.model.layers:
        for writer in (block.self_attn.o_proj, block.mlp.down_proj):
            writer.weight.data *= size / 4
    module.model.embed_tokens.weight.data *= 3
    module.model.embed_tokens.weight.data[:, 5] *= 50  # a few numbers are far larger than the others
    assert set(blocks_of(module.to(dtype)).writers) == ATTENTION_AND_MLP


def test_modules_that_are_no_blocks_are_refused_where_they_are_named():
    module = tiny("LlamaForCausalLM")
    module.vision_tower = torch.nn.ModuleList(torch.nn.Linear(16, 16) for _ in range(3))
    with pytest.raises(UserError, match="at 'vision_tower' are not called one after the other"):
        blocks_of(module, "vision_tower")


def test_a_stream_of_another_shape_has_no_blocks():
    with pytest.raises(UserError, match="The list of blocks of a Gemma3nForCausalLM was not found"):
        blocks_of(tiny("Gemma3nForCausalLM"))  # it carries four streams


def test_a_block_that_normalises_the_stream_has_no_writers():
    module = tiny("OPTForCausalLM", do_layer_norm_before=False)
    assert set(blocks_of(module).writers) == {()}


def test_training_and_random_numbers_stay_as_they_were():
    module = tiny("GPT2LMHeadModel", resid_pdrop=0.5).train()
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    assert set(blocks_of(module).writers) == {("attn", "mlp")}
    assert torch.equal(torch.rand(4), expected)
    assert module.training


def test_what_is_named_is_taken_and_blocks_may_differ():
    module = tiny("Qwen3NextForCausalLM")
    named = blocks_of(module, "model.layers", ["self_attn", "linear_attn", "mlp"])
    assert named.writers == (("linear_attn", "mlp"), ("linear_attn", "mlp"), ("self_attn", "mlp"))


@pytest.mark.parametrize(
    ("path", "writers", "message"),
    [
        ("stick", None, "has no list of blocks at 'stick'"),
        ("model", None, "at 'model' is no list of blocks"),
        ("model.layers", ["mix"], "No block of a LlamaForCausalLM has the writer 'mix'.*self_attn"),
    ],
)
def test_what_is_not_there_is_a_users_mistake(path, writers, message):
    with pytest.raises(UserError, match=message):
        blocks_of(tiny("LlamaForCausalLM"), path, writers)


def test_a_model_whose_list_is_not_found_says_how_to_name_it():
    module = tiny("LlamaForCausalLM")
    module.config.num_hidden_layers = 7
    with pytest.raises(UserError, match=r"was not found.*`blocks: model.decoder.layers`"):
        blocks_of(module)
