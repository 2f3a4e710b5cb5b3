import pytest
import torch

import graftbench as gb
from graftbench.api.vectors import ContrastVector
from graftbench.benchmark.interventions.vector_files import About, SteeringVector
from tests.api.conftest import PROMPTS


def test_a_vector_is_the_difference_of_the_mean_states(model):
    vector = gb.steering_vector(model, PROMPTS[:2], PROMPTS[2:], site=2, read_at=-2)
    states = gb.capture(model, PROMPTS, 2, positions=-2)[:, 0]
    assert torch.allclose(vector.vector, states[:2].mean(0) - states[2:].mean(0), atol=1e-5)
    assert vector.desired.shape == (2, 1, model.d)
    assert vector.undesired.shape == (1, 1, model.d)
    assert (vector.about.site, vector.about.positions, vector.about.strength) == (2, "last", 1.0)


def test_a_saved_vector_is_the_same_without_its_states(model, tmp_path):
    vector = gb.steering_vector(model, PROMPTS[:2], PROMPTS[2:], site=2, positions=-2, strength=1.5)
    gb.save_vector(vector, str(tmp_path / "v.safetensors"))
    loaded = gb.load_vector(tmp_path / "v.safetensors")
    assert torch.equal(loaded.vector, vector.vector)
    assert loaded.about == vector.about
    assert type(loaded) is gb.SteeringVector


def test_another_strength_keeps_the_states(model):
    vector = gb.steering_vector(model, PROMPTS[:2], PROMPTS[2:], site=2).at_strength(2.0)
    assert vector.about.strength == 2
    assert torch.equal(vector.desired[:, 0].float(), gb.capture(model, PROMPTS[:2], 2)[:, 0])


def test_a_random_vector_has_the_norm_and_the_place_and_another_direction(model):
    vector = gb.steering_vector(model, PROMPTS[:2], PROMPTS[2:], site=2, strength=2.0)
    one, same, other = (gb.random_vector(vector, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(one.vector, same.vector)
    assert not torch.allclose(one.vector, other.vector)
    assert torch.isclose(one.vector.norm(), vector.vector.norm())
    assert one.about == vector.about


def test_a_matched_vector_keeps_its_direction_and_takes_norm_and_strength(model):
    vector = gb.steering_vector(model, PROMPTS[:2], PROMPTS[2:], site=2, strength=2.0)
    longer = gb.SteeringVector(7 * vector.vector, vector.about.model_copy(update={"strength": 5.0}))
    matched = gb.match_norm(longer, vector)
    assert torch.allclose(matched.vector, vector.vector, atol=1e-5)
    assert matched.about.strength == 2


def test_mistakes_are_one_sentence(model, tmp_path):
    def fails(call, *words):
        with pytest.raises(gb.UserError) as error:
            call()
        assert all(word in str(error.value) for word in words), error.value

    def made(desired=PROMPTS[:1], undesired=PROMPTS[1:], site=1, **options):
        return gb.steering_vector(model, desired, undesired, site, **options)

    fails(lambda: made(desired=[]), "no prompts")
    fails(lambda: made(site=9), "no site 9")
    fails(lambda: made(undesired=PROMPTS[:1]), "The vector is zero")
    fails(lambda: made(read_at="prompt"), "'prompt'")
    fails(lambda: made(read_at=0), "not at 0")
    fails(lambda: made(read_at=-99), "no position -99")
    fails(lambda: made(positions="middle"), "'middle'")
    fails(lambda: made(positions=3), "not at 3")
    fails(lambda: made(kind="multiply"), "kind")
    fails(lambda: made(strength=float("nan")), "strength")
    fails(lambda: made(kind="ablate").at_strength(2.0), "no strength")
    fails(lambda: gb.match_norm(made(), made(kind="ablate")), "one kind and shape")
    fails(lambda: gb.load_vector(tmp_path / "none.safetensors"), "none.safetensors")


def test_a_vector_is_shown_by_its_use_shape_and_norm():
    vector = SteeringVector(torch.tensor([3.0, 4.0]), About(site=2, positions="last", strength=1.5))
    states = torch.zeros(1, 1, 2)
    assert repr(vector) == "SteeringVector(add, site 2, positions last, strength 1.5, [2], norm 5)"
    assert repr(ContrastVector(vector.vector, About(kind="ablate"), states, states)) == (
        "ContrastVector(ablate, [2], norm 5)"
    )
