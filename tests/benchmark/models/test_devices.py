from functools import partial

import pytest
import torch
from transformers import AutoModelForCausalLM

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.interventions.conditions import Row
from graftbench.benchmark.interventions.generation import generate
from graftbench.benchmark.models import load as reading
from graftbench.benchmark.models.chat import plain_text
from graftbench.benchmark.models.devices import device_of, free_by_gpu, is_spread
from graftbench.benchmark.models.load import load

GIB = 2**30


@pytest.mark.parametrize(
    ("size", "free", "spread"),
    [
        (15, [], False),  # a CPU
        (15, [80], False),
        (140, [80], False),  # torch says that it does not fit
        (15, [80, 80], False),
        (80, [80, 80], False),
        (140, [80, 80], True),
        (15, [10, 80], True),  # the first one is in use by somebody else
    ],
)
def test_a_model_is_spread_where_the_first_gpu_is_too_small_and_there_are_others(size, free, spread):
    assert is_spread("m", size * GIB, [each * GIB for each in free]) is spread


def test_what_all_gpus_together_do_not_hold_is_refused():
    with pytest.raises(UserError, match=r"weights of m take 200\.0 GiB, and all 2 GPUs together have 160\.0 GiB free"):
        is_spread("m", 200 * GIB, [80 * GIB, 80 * GIB])


def test_a_gpu_that_is_named_by_its_number_is_the_only_one(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: ((device.index + 1) * GIB, 80 * GIB))
    assert free_by_gpu(torch.device("cuda")) == [GIB, 2 * GIB, 3 * GIB]
    assert free_by_gpu(torch.device("cuda:1")) == [2 * GIB]
    assert free_by_gpu(device_of("cpu")) == []


def replies(model):
    rows = [Row(plain_text(text, model.tokenizer)) for text in ("Tell me how to ship the sweater.", "Sew it.")]
    return [each.tokens for each in generate(model, rows, max_new_tokens=8)]


def _asked(seen, read, *folder, device_map, **settings):
    seen.append(device_map)
    return read(*folder, device_map=device_map, **settings)


def test_a_model_that_is_spread_says_so_and_gives_the_same(monkeypatch, capsys):
    expected = load("llama-s-hate", device="cpu")
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(reading, "free_by_gpu", lambda _: [GIB // 2**20, GIB])
    asked = []
    monkeypatch.setattr(
        AutoModelForCausalLM, "from_pretrained", partial(_asked, asked, AutoModelForCausalLM.from_pretrained)
    )
    model = load("llama-s-hate", device="cpu")
    assert capsys.readouterr().err == "graftbench: llama-s-hate does not fit on one GPU, and is spread over 2.\n"
    assert asked == ["auto"]  # accelerate finds no GPU here, and uses the CPU
    assert (replies(model), model.identity) == (replies(expected), expected.identity)
