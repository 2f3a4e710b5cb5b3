import math

import pytest
import torch
from torch import nn

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.store import Store
from graftbench.benchmark.interventions import ablation_check
from graftbench.benchmark.interventions.ablation_check import check_ablation
from graftbench.benchmark.interventions.conditions import Row
from graftbench.benchmark.interventions.logits import next_logits
from graftbench.benchmark.interventions.model_check import ABLATED, Check, check_once, checks_of
from graftbench.benchmark.interventions.operators import Add
from graftbench.benchmark.models.architectures import Blocks
from graftbench.benchmark.models.block_search import blocks_of
from graftbench.benchmark.models.chat import plain_text
from graftbench.benchmark.models.load import Model, load
from tests.benchmark.conftest import byte_pairs
from tests.benchmark.tiny_models import tiny


def tiny_model(kind, writers=None, **changes):
    module = tiny(kind, **changes)
    return Model(kind, module, byte_pairs(320), blocks_of(module, None, writers), kind)


def test_blocks_that_share_keys_read_every_token():
    model = tiny_model("Gemma4ForCausalLM", num_kv_shared_layers=1)
    assert [check for check in checks_of(model) if not check.passed] == []
    text = plain_text("The river is long", model.tokenizer)
    (logits,) = next_logits(model, [Row(text, (Add(2, torch.ones(model.d), (-3,)),))])
    assert logits.isfinite().all()


@pytest.mark.parametrize(
    ("kind", "writers"),
    [
        ("Olmo2ForCausalLM", ["self_attn", "mlp"]),
        ("Glm4ForCausalLM", ["self_attn", "mlp"]),
        ("Exaone4ForCausalLM", ["self_attn", "mlp"]),
        ("Gemma4ForCausalLM", ["post_attention_layernorm", "post_feedforward_layernorm"]),
    ],
)
def test_an_ablation_that_leaves_something_names_the_writers(kind, writers):
    model = tiny_model(kind, writers)
    with pytest.raises(UserError, match=rf"is not gone.*other parts that write.*{writers[0]}.*as `writers`"):
        check_ablation(model)
    check_once_passes = [check for check in checks_of(model) if check.name != ABLATED]
    assert all(check.passed for check in check_once_passes)


def test_nothing_can_be_ablated_from_blocks_that_normalise_the_stream():
    with pytest.raises(UserError, match="not found: name them as `writers`.*nothing can be ablated"):
        check_ablation(tiny_model("OPTForCausalLM", do_layer_norm_before=False))


def test_a_check_that_gives_no_number_has_failed(monkeypatch):
    assert not Check("a", math.nan, 1.0).passed
    monkeypatch.setattr(ablation_check, "left_of_ablated", lambda _: math.nan)
    with pytest.raises(UserError, match="is not gone"):
        check_ablation(tiny_model("LlamaForCausalLM"))


def test_a_model_whose_blocks_are_others_is_refused_and_one_that_passed_is_not_checked_again(tmp_path):
    model = tiny_model("LlamaForCausalLM")
    first, second, third = model.blocks.modules
    swapped = Blocks(nn.ModuleList([second, first, third]), model.blocks.writers, model.blocks.path)
    wrong = Model(model.name, model.module, model.tokenizer, swapped, "wrong")
    with pytest.raises(UserError, match=r"does not pass the checks.*captured = output_hidden_states"):
        check_once(Store(tmp_path), wrong)
    check_once(Store(tmp_path), model)
    model.module.forward = None  # would fail
    check_once(Store(tmp_path), model)


def test_checks_hold_in_low_precision():
    model = tiny_model("LlamaForCausalLM")
    model.module.to(torch.bfloat16)
    assert [check for check in checks_of(model) if not check.passed] == []


@pytest.mark.parametrize("name", ["llama-s-hate", "llama-m-base", "gemma2-s-instruct", "qwen2-s-code"])
def test_what_ships_passes_and_is_not_checked_in_a_run(name, tmp_path):
    model = load(name, device="cpu")
    assert [check for check in checks_of(model) if not check.passed] == []
    check_once(Store(tmp_path), model)
    assert not list(tmp_path.iterdir())


def test_how_a_model_likes_to_generate_is_no_part_of_the_check():
    model = tiny_model("LlamaForCausalLM")
    settings = model.module.generation_config
    settings.num_beams, settings.no_repeat_ngram_size, settings.return_dict_in_generate = 3, 2, True
    assert [check for check in checks_of(model) if not check.passed] == []
    assert model.module.generation_config is settings
