import json

import pytest
import torch
from safetensors.torch import save_file

from graftbench.benchmark.activations.capture import states_at
from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.data.examples import Prompt
from graftbench.benchmark.interventions.operators import Ablate
from graftbench.benchmark.interventions.vector_files import (
    About,
    SteeringVector,
    load_vector,
    read_pairs,
    save_vector,
    vector_from_pairs,
)
from graftbench.benchmark.interventions.vectors import difference_in_means
from graftbench.benchmark.models.chat import chat

AT = {"site": "1", "positions": "all"}
PAIRS = [{"desired": "a b c", "undesired": "a b d"}, {"desired": "b b c", "undesired": "b b d"}]


@pytest.fixture
def prompts(tmp_path):
    path = tmp_path / "pairs.jsonl"
    path.write_text("\n".join(json.dumps(pair) for pair in PAIRS) + "\n")
    return read_pairs(path)


def test_a_vector_is_the_difference_in_means_at_its_site_and_position(llama, prompts):
    vector = vector_from_pairs(llama, prompts, 2, "last", ("add", "all", 1.5))
    sides = [[chat(Prompt(pair[side]), llama.tokenizer) for pair in PAIRS] for side in ("desired", "undesired")]
    states = [states_at(llama, side, 2, "last") for side in sides]
    assert torch.allclose(vector.vector.double(), difference_in_means(*states)[0], atol=1e-5)
    assert vector.about == About(site=2, positions="all", strength=1.5)


@pytest.mark.parametrize("positions", ["all", "prompt", "last", "-2"])
def test_what_is_written_is_what_is_read(llama, prompts, tmp_path, positions):
    vector = vector_from_pairs(llama, prompts, 1, "-1", ("add", positions, -2.0))
    save_vector(vector, tmp_path / "v.safetensors")
    read = load_vector(tmp_path / "v.safetensors")
    assert torch.equal(read.vector, vector.vector)
    assert read.about == vector.about


def test_a_vector_is_added_where_it_says_at_its_strength(llama):
    vector = SteeringVector(torch.arange(llama.d).float(), About(site=1, positions=-2, strength=3.0))
    text = chat(Prompt("a b c"), llama.tokenizer)
    (step,) = vector.condition(llama).row(None, text).interventions
    assert (step.site, step.positions) == (1, (-2,))
    assert torch.equal(step.vectors, 3 * vector.vector)
    (step,) = vector.at_strength(0.0).condition(llama).row(None, text).interventions
    assert not step.vectors.any()
    direction = SteeringVector(torch.ones(llama.d), About(kind="ablate"))
    (step,) = direction.condition(llama).row(None, text).interventions
    assert isinstance(step, Ablate)


@pytest.mark.parametrize(
    ("tensor", "metadata", "message"),
    [
        (torch.ones(4), AT | {"positions": "first"}, "positions: they are all, prompt, last, or an index"),
        (torch.ones(4), AT | {"site": "-1"}, "site"),
        (torch.ones(4), AT | {"strength": "nan"}, "strength"),
        (torch.ones(4), AT | {"positions": "2"}, "positions: they are all, prompt, last, or an index"),
        (torch.ones(4), AT | {"place": "1"}, "place"),
        (torch.ones(4), {}, "needs a `site` and `positions`"),
        (torch.ones(4), AT | {"kind": "ablate"}, "has no `site`, `positions` or `strength`"),
        (torch.ones(2, 2, 2), AT, "finite numbers"),
        (torch.full((4,), float("inf")), AT, "finite numbers"),
        (torch.ones(2, 4), AT, "several rows: they are for the positions `prompt`"),
        (torch.ones(2, 4), AT | {"positions": "last"}, "several rows"),
        (torch.ones(0, 4), AT | {"positions": "prompt"}, "is zero"),
        (torch.zeros(4), AT, "is zero"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused_in_one_sentence(tmp_path, tensor, metadata, message):
    path = tmp_path / "v.safetensors"
    save_file({"vector": tensor}, path, metadata=metadata)
    with pytest.raises(UserError) as error:
        load_vector(path)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_vector_that_does_not_fit_the_model_is_refused(llama, tmp_path):
    with pytest.raises(UserError, match="has width 3, and .* has 16"):
        SteeringVector(torch.ones(3), About(site=1, positions="all")).condition(llama)
    with pytest.raises(UserError, match="no site 9"):
        SteeringVector(torch.ones(llama.d), About(site=9, positions="all")).condition(llama)
    with pytest.raises(UserError, match="is no file of a steering vector"):
        load_vector(tmp_path / "nothing.safetensors")


@pytest.mark.parametrize(
    ("lines", "message"),
    [("", "holds no pair"), ('{"desired": "a"}', "Line 1 .* undesired"), ("[", "Line 1 of .* is no pair")],
)
def test_prompts_that_are_none_are_refused(tmp_path, lines, message):
    path = tmp_path / "pairs.jsonl"
    path.write_text(lines)
    with pytest.raises(UserError, match=message):
        read_pairs(path)


def test_a_mark_that_ends_lines_elsewhere_may_stand_in_a_prompt(tmp_path):
    path = tmp_path / "pairs.jsonl"
    path.write_text('{"desired": "a\u2028b", "undesired": "c"}\n', encoding="utf-8")
    assert read_pairs(path)[0].desired == "a\u2028b"


def test_a_byte_order_mark_at_the_start_is_read(tmp_path):
    path = tmp_path / "pairs.jsonl"
    path.write_text("\n".join(json.dumps(pair) for pair in PAIRS), encoding="utf-8-sig")
    assert [pair.desired for pair in read_pairs(path)] == ["a b c", "b b c"]


def test_prompts_that_do_not_differ_make_no_vector(llama, prompts):
    with pytest.raises(UserError, match="The vector is zero"):
        vector_from_pairs(llama, prompts, 0, "-1", ("add", "all", 1.0))  # the last token is the format's
    with pytest.raises(UserError, match="not at 'first'"):
        vector_from_pairs(llama, prompts, 0, "first", ("add", "all", 1.0))


def test_a_position_outside_a_prompt_is_refused(llama):
    vector = SteeringVector(torch.ones(llama.d), About(site=1, positions=-60))
    with pytest.raises(UserError, match="The vector cannot be added at -60: a prompt of .* has no position -60"):
        vector.condition(llama).row(None, chat(Prompt("a b c"), llama.tokenizer))


def test_the_identity_of_a_vector_covers_all_of_it():
    one, other = torch.ones(60, 4), torch.ones(60, 4)
    other[0] = 2  # further to the left than most prompts reach
    about = About(site=1, positions="prompt")
    assert SteeringVector(one, about).identity == SteeringVector(one.clone(), about).identity
    assert SteeringVector(one, about).identity != SteeringVector(other, about).identity
    assert SteeringVector(one, about).identity != SteeringVector(one, About(site=2, positions="prompt")).identity
