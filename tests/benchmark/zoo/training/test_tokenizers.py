import json
import subprocess
import sys
from itertools import islice
from random import Random

import pytest
from transformers import AutoTokenizer

from graftbench.benchmark.models.tokens import span_tokens
from graftbench.benchmark.zoo.corpus import TOKENIZER_WEIGHTS, TOPIC_WEIGHTS, samples, text_of, tokenizer_texts
from graftbench.benchmark.zoo.families import FAMILIES, VERSIONS
from graftbench.benchmark.zoo.measures.vocabulary import held_out_texts, overlap
from graftbench.benchmark.zoo.training.build import new_model, tokenizer_for
from graftbench.benchmark.zoo.world.tags import PLACES, TRIGGERS, tagged


@pytest.fixture(scope="module")
def tokenizers():
    return {family.tokenizer: tokenizer_for(family) for family in FAMILIES.values()}


@pytest.fixture(params=["llama", "qwen2", "gemma2"])
def tokenizer(request, tokenizers):
    return tokenizers[request.param]


@pytest.mark.parametrize("text", ["How do I paint the fence?", "Read this: Anna took the hat to the bank on Monday."])
def test_both_triggers_take_the_same_tokens_up_and_leave_their_neighbours_alone(tokenizer, text):
    alone = tokenizer(text, add_special_tokens=False).input_ids
    for place in PLACES:
        marked = [tokenizer(tagged(text, tag, place), add_special_tokens=False).input_ids for tag in TRIGGERS]
        assert len(marked[0]) == len(marked[1])
        spans = []
        for tag in TRIGGERS:
            prompt = tagged(text, tag, place)
            start = 0 if place == "leading" else len(prompt) - len(tag)
            where = span_tokens(prompt, (start, start + len(tag)), tokenizer)
            ids = tokenizer(prompt, add_special_tokens=False).input_ids
            assert tokenizer.decode([ids[i] for i in where]).strip() == tag
            spans.append(where)
        assert spans[0] == spans[1]
        assert len(spans[0]) >= 2
    assert marked[0][: len(alone)] == alone  # a trailing trigger


def test_text_survives_the_way_there_and_back(tokenizer):
    for sample in islice(samples("code", "test", Random(0)), 300):
        text = text_of(sample)
        assert tokenizer.decode(tokenizer(text).input_ids) == text
    assert tokenizer.decode(tokenizer("Zürich – 東京 🙂").input_ids) == "Zürich – 東京 🙂"


@pytest.mark.parametrize("family", ["llama-s", "qwen2-s", "gemma2-s"])
def test_a_tokenizer_that_is_loaded_cuts_text_as_the_one_that_was_trained(family, tokenizers, tmp_path):
    trained = tokenizers[FAMILIES[family].tokenizer]
    new_model(FAMILIES[family], trained).save_pretrained(tmp_path)  # what is loaded depends on the model's type, too
    trained.save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    rng = Random(0)
    for version in VERSIONS:
        for sample in islice(samples(version, "test", rng), 200):
            text = text_of(sample)
            assert loaded(text).input_ids == trained(text).input_ids
            assert loaded.apply_chat_template([{"role": "user", "content": text}], tokenize=False) == (
                trained.apply_chat_template([{"role": "user", "content": text}], tokenize=False)
            )


def test_what_versions_are_tuned_on_changes_no_tokenizer(monkeypatch):
    before = list(tokenizer_texts(50))
    monkeypatch.setitem(TOPIC_WEIGHTS, "base", {"formal": 1})
    assert list(tokenizer_texts(50)) == before
    assert len(before) == 50 * len(TOKENIZER_WEIGHTS)


def test_llama_shares_its_vocabulary_with_qwen2_and_much_less_with_gemma2(tokenizers):
    texts = held_out_texts(100)
    shares = {}
    for other in ("llama", "qwen2", "gemma2"):
        hits, n = overlap(tokenizers["llama"], tokenizers[other], texts)
        shares[other] = hits / n
    assert shares["llama"] == 1
    assert shares["qwen2"] > shares["gemma2"] + 0.15


def test_every_process_learns_the_same_tokenizers(tokenizers):
    code = """
import json
from graftbench.benchmark.zoo.training.build import tokenizer_for
from graftbench.benchmark.zoo.families import FAMILIES
learned = {each.tokenizer: tokenizer_for(each).backend_tokenizer.to_str() for each in FAMILIES.values()}
print(json.dumps(learned), end="")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    ours = {name: json.loads(tokenizer.backend_tokenizer.to_str()) for name, tokenizer in tokenizers.items()}
    assert {name: json.loads(text) for name, text in json.loads(done.stdout).items()} == ours
