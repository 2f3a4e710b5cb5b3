import pytest
from transformers import BertConfig, BertLMHeadModel

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.models.cache_check import check_cache
from tests.benchmark.tiny_models import REFUSED, tiny


@pytest.mark.parametrize("kind", REFUSED)
def test_a_class_that_ignores_its_cache_is_refused(kind):
    with pytest.raises(UserError, match=f"{kind} (gives other logits|cannot read on).*cannot use it"):
        check_cache(tiny(kind))


def test_an_encoder_is_told_apart():
    settings = {"num_hidden_layers": 2, "num_attention_heads": 2, "initializer_range": 0.3}
    module = BertLMHeadModel(BertConfig(vocab_size=320, hidden_size=16, intermediate_size=24, **settings)).eval()
    with pytest.raises(UserError, match="A BertLMHeadModel sees tokens that come later.*no causal language model"):
        check_cache(module)


@pytest.mark.parametrize("error", [IndexError("no such row"), KeyError("cache"), AssertionError("a mask\nof 4 axes")])
def test_a_class_that_reads_nothing_is_one_sentence(monkeypatch, error):
    def fail(*_, **__):
        raise error

    module = tiny("LlamaForCausalLM", vocab_size=317)  # another one than those that were checked in this process
    monkeypatch.setattr(module.model.layers[0], "forward", fail)
    with pytest.raises(UserError, match=rf"A LlamaForCausalLM cannot read a text \({type(error).__name__}: [^\n]*$"):
        check_cache(module)


def test_a_class_that_fails_with_a_cache_alone_is_one_sentence(monkeypatch):
    module = tiny("LlamaForCausalLM", vocab_size=317)
    plain = module.forward
    monkeypatch.setattr(module, "forward", lambda **given: plain(**given) if not given["use_cache"] else {}["keys"])
    with pytest.raises(UserError, match=r"cannot read on from a KV cache \(KeyError: 'keys'\)"):
        check_cache(module)


@pytest.mark.parametrize("kind", ["LlamaForCausalLM", "Gemma2ForCausalLM", "Qwen3NextForCausalLM", "Lfm2ForCausalLM"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_class_that_uses_it_is_not(kind, dtype):
    module = tiny(kind)
    check_cache(module if dtype == "float32" else module.bfloat16())
