import pytest

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.models.cache_check import check_cache
from tests.benchmark.tiny_models import REFUSED, tiny


@pytest.mark.parametrize("kind", REFUSED)
def test_a_class_that_ignores_its_cache_is_refused(kind):
    with pytest.raises(UserError, match=f"{kind} (gives other logits|cannot read on).*cannot use it"):
        check_cache(tiny(kind))


@pytest.mark.parametrize("kind", ["LlamaForCausalLM", "Gemma2ForCausalLM", "Qwen3NextForCausalLM", "Lfm2ForCausalLM"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_class_that_uses_it_is_not(kind, dtype):
    module = tiny(kind)
    check_cache(module if dtype == "float32" else module.bfloat16())
