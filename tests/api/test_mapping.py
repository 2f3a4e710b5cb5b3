"""The twin's residual stream is the model's times a rotation, so what a mapper ought to give is known."""

from dataclasses import dataclass

import pytest
import torch

import graftbench as gb
from graftbench.benchmark.models import pool
from graftbench.benchmark.models.twin import random_rotation
from graftbench.plugin import Pairs
from tests.api.conftest import PROMPTS, needs_zoo

TEXTS = [
    f"{i} Tell me about the {word} of the {place}" for i in range(12) for word in ("roof", "king") for place in "ab"
]


@dataclass
class Padded:
    """Maps by what it was given, for tests of classes."""

    name = "padded"
    deterministic = True
    width: int = 0

    def fit(self, pairs: Pairs, *, seed: int) -> None:
        self.width = pairs.d_target

    def __call__(self, source):
        return source[..., : self.width]


@pytest.fixture
def vector(model):
    return gb.steering_vector(model, PROMPTS[:1], PROMPTS[1:], site=2, positions="all", strength=2.0)


@pytest.fixture
def mapper(model, twin):
    return gb.fit("ridge", model, twin, TEXTS, sites=(2, 2))


@pytest.mark.parametrize("rule", [None, "difference", "linear", "jacobian"])
def test_a_vector_arrives_in_the_twin_rotated(model, vector, mapper, rule):
    there = gb.transfer(mapper, vector, rule=rule)
    expected = vector.vector.double() @ random_rotation(model.d, 3)
    assert torch.cosine_similarity(there.vector.double(), expected, dim=0) > 0.99
    assert there.about == vector.about


@needs_zoo
def test_models_that_are_named_are_read_one_after_the_other_and_once(monkeypatch):
    named, seen = ("ridge", "llama-s-hate", "llama-m-hate", TEXTS[:4], (2, 4)), []
    monkeypatch.setattr(pool, "read", lambda files, read=pool.read: seen.append(files.name) or read(files))
    by_name = gb.fit(*named)
    assert seen == ["llama-s-hate", "llama-m-hate"]
    assert torch.equal(gb.fit(*named)(torch.ones(1, 64)), by_name(torch.ones(1, 64)))
    assert len(seen) == 2
    models = (gb.load_model(name, device="cpu") for name in named[1:3])
    assert gb.fit("ridge", *models, *named[3:]).folder == by_name.folder


def test_activations_arrive_in_the_twin_rotated_whatever_the_leading_dimensions(model, twin, mapper):
    states = gb.capture(model, PROMPTS, 2, positions="prompt")
    real = states.any(-1)
    assert mapper(states).shape == states.shape
    expected = gb.capture(twin, PROMPTS, 2, positions="prompt")
    assert torch.cosine_similarity(mapper(states)[real], expected[real]).min() > 0.99


def test_a_vector_from_a_file_is_carried_by_rules_of_the_vector_or_with_its_states(model, vector, mapper, tmp_path):
    gb.save_vector(vector, tmp_path / "v.safetensors")
    loaded = gb.load_vector(tmp_path / "v.safetensors")
    with pytest.raises(gb.UserError, match="rule difference maps the states behind a vector"):
        gb.transfer(mapper, loaded)
    for rule in ("linear", "direct"):
        assert torch.allclose(
            gb.transfer(mapper, loaded, rule=rule).vector, gb.transfer(mapper, vector, rule=rule).vector, atol=1e-4
        )
    states = tuple(gb.capture(model, prompts, 2) for prompts in (PROMPTS[:1], PROMPTS[1:]))
    assert torch.allclose(
        gb.transfer(mapper, loaded, states=states).vector, gb.transfer(mapper, vector).vector, atol=1e-4
    )


def test_a_direction_stays_a_direction(model, mapper):
    direction = gb.steering_vector(model, PROMPTS[:1], PROMPTS[1:], site=2, kind="ablate")
    assert gb.transfer(mapper, direction).about.kind == "ablate"


def test_a_mapper_says_what_it_was_fitted_on(mapper):
    assert (mapper.name, mapper.sites, mapper.widths) == ("ridge", (2, 2), (16, 16))
    assert repr(mapper) == f"CrossModelMap(ridge, site 2 [16] -> site 2 [16], {mapper.n_pairs} pairs)"
    assert (mapper.folder / "mapper.safetensors").is_file()


def test_texts_may_have_replies(model, twin):
    alone = gb.fit("ridge", model, twin, TEXTS, sites=(2, 2))
    answered = gb.fit("ridge", model, twin, [(gb.Prompt(text), " The roof is old.") for text in TEXTS], sites=(2, 2))
    assert answered.n_pairs > alone.n_pairs


def test_a_mapper_is_also_a_class_and_takes_options(model, twin):
    with pytest.raises(gb.UserError, match="'tests' .* Isolated, it imports installed packages alone"):
        gb.fit(Padded, model, twin, TEXTS, sites=(1, 2), options={"width": 3})
    padded = gb.fit(Padded, model, twin, TEXTS, sites=(1, 2), options={"width": 3}, isolate=False)
    assert (padded.name, padded(torch.ones(2, 16)).shape) == ("padded", (2, 16))
    penalised = gb.fit("low_rank", model, twin, TEXTS, sites=(2, 2), options={"rank": 1})
    assert torch.linalg.matrix_rank(penalised(torch.eye(16)) - penalised(torch.zeros(16, 16)), atol=1e-3) == 1


def test_mistakes_are_one_sentence(model, twin, vector, mapper):
    def fails(call, *words):
        with pytest.raises(gb.UserError) as error:
            call()
        assert all(word in str(error.value) for word in words), error.value

    elsewhere = gb.SteeringVector(vector.vector, vector.about.model_copy(update={"site": 1}))
    narrow = gb.SteeringVector(torch.ones(5), vector.about)
    zero = gb.fit("zero", model, twin, TEXTS, sites=(2, 2))
    fails(lambda: gb.fit("rigde", model, twin, TEXTS, sites=(2, 2)), "Did you mean ridge?")
    fails(lambda: gb.fit("ridge", model, twin, TEXTS, sites=(2, 2), options={"ranc": 1}), "no option 'ranc'")
    fails(lambda: gb.fit("ridge", model, twin, [], sites=(2, 2)), "at least two")
    fails(lambda: gb.fit("ridge", model, twin, TEXTS[:1], sites=(2, 2)), "at least two")
    fails(lambda: gb.fit("ridge", model, twin, TEXTS, sites=(2,)), "sites are two")
    fails(lambda: gb.fit("low_rank", model, twin, TEXTS, sites=(2, 2), options={"rank": -1}), "not -1")
    fails(lambda: gb.fit("relative", model, twin, TEXTS, sites=(2, 2), options={"anchors": 0}), "not 0")
    fails(lambda: gb.fit("ridge", model, twin, "text", sites=(2, 2)), "as a list")
    fails(lambda: gb.fit("ridge", model, twin, ["a", 3], sites=(2, 2)), "Text 1")
    fails(lambda: gb.fit("ridge", model, twin, TEXTS, sites=(2, 8)), "no site 8")
    fails(lambda: gb.fit(3, model, twin, TEXTS, sites=(2, 2)), "not int")
    fails(lambda: mapper(torch.ones(2, 5)), "width 16", "have 5")
    fails(lambda: gb.transfer(mapper, narrow), "width 16", "have 5")
    fails(lambda: gb.transfer(mapper, elsewhere), "site 1", "site 2")
    fails(lambda: gb.transfer(mapper, vector, rule="linaer"), "no vector rule 'linaer'")
    fails(lambda: gb.transfer(mapper, vector, states=(torch.ones(3, 2, 16),) * 2), "[prompts, 1, 16]")
    fails(lambda: gb.transfer(zero, vector), "Nothing is left")
