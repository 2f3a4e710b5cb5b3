"""The upper reference, on a source that is the target with another first block: nothing linear makes up for it."""

from dataclasses import replace

import pytest
import torch

from graftbench.benchmark.activations.pairs import ActivationPairs
from graftbench.benchmark.core.store import Store
from graftbench.benchmark.data.examples import Example, Prompt, Turn
from graftbench.benchmark.experiments import target_loss
from graftbench.benchmark.experiments.bench import Outcome
from graftbench.benchmark.experiments.conditions import Draws
from graftbench.benchmark.experiments.protocol import FitData
from graftbench.benchmark.experiments.steering.design import SteeringDesign
from graftbench.benchmark.experiments.steering.experiment import SteeringExperiment
from graftbench.benchmark.experiments.target_loss import target_loss_map
from graftbench.benchmark.mappers.protocol import FittedMapper
from tests.benchmark.conftest import WORDS, untrained, wrapped
from tests.benchmark.experiments.stubs import StubJudging

TEXTS = tuple((Prompt(f"{words} {i}"), f" {i} the old house.") for i in range(6) for words in WORDS)
HELD_OUT = tuple((Prompt(f"{words} {i}"), f" {i} the old house.") for i in (6, 7) for words in WORDS)


@pytest.fixture(scope="module")
def both():
    source, target = wrapped(untrained("qwen2"), vocabulary=275), wrapped(untrained("llama"))
    return source, target


def made(folder, source, target, steps=30, site=1):
    return target_loss_map(Store(folder), source, target, (site, site), TEXTS, HELD_OUT, steps, 0)


def test_training_lowers_the_loss_that_least_squares_leaves_and_leaves_the_models_as_they_are(both, tmp_path):
    before = {name: tensor.clone() for name, tensor in both[1].module.state_dict().items()}
    trained = made(tmp_path, *both)
    assert trained.losses["replaced_loss"] < trained.losses["least_squares_loss"] - 0.1
    assert trained.carry(torch.zeros(3, 16)).shape == (3, 16)
    assert all(torch.equal(tensor, before[name]) for name, tensor in both[1].module.state_dict().items())
    assert all(parameter.grad is None for parameter in both[1].module.parameters())


def test_a_map_from_a_model_to_itself_starts_with_the_loss_of_the_untouched_target(both, tmp_path):
    same = made(tmp_path, both[1], both[1], steps=1)
    assert same.losses["least_squares_loss"] == pytest.approx(same.losses["own_loss"], abs=1e-3)


def test_a_map_is_trained_once_and_the_same_again(both, tmp_path, monkeypatch):
    first = made(tmp_path / "a", *both, steps=5)
    again = made(tmp_path / "b", *both, steps=5)
    monkeypatch.setattr(target_loss, "_trained", None)  # it would fail
    kept = made(tmp_path / "a", *both, steps=5)
    for other in (again, kept):
        assert torch.equal(other.carry.weight, first.carry.weight)
        assert other.losses == first.losses


def test_the_loss_is_that_of_replies_alone_and_of_plain_texts_as_a_whole(both):
    pair, reply = target_loss._Pair(*both, (1, 1)), " the old house"
    replies = [(Prompt(words), reply) for words in WORDS]
    n = len(pair.losses(replies[:1], None))
    assert 0 < n == len(pair.losses(replies, None)) / len(WORDS)
    assert len(pair.losses([(None, reply * 9)], None)) > 3 * n
    assert len(pair.losses([*replies, (Prompt("So?"), "")], None)) <= len(WORDS) * n + 1  # the end of a reply


def test_its_vector_is_reported_beside_natives_once_for_all_mappers(both, bench):
    source, target = both
    items = tuple(Example(Prompt(f"{i} the river"), Turn(Prompt(f"{i} a river")), str(i)) for i in range(4))
    contrast = tuple((Turn(Prompt(f"the {word}")), Turn(Prompt(f"the old {word}"))) for word in ("roof", "fence"))
    judging = StubJudging(lambda _, replies: [Outcome(True, True) for _ in replies])
    design = SteeringDesign(
        source, target, (1, 1), contrast, items[:2], items[2:], positions="last", judging=judging, judges="stub"
    )
    fit_data = FitData(lambda _: TEXTS, HELD_OUT)
    plain = SteeringExperiment(design, bench, (1.0,), Draws(2, 1, 1), fit_data)
    upper = replace(plain, target_loss_steps=3)
    n = len(plain.reference())
    assert upper.reference()[:n] == plain.reference()
    assert [(a.condition, a.split, a.of_mapper) for a in upper.reference()[n:]] == [("target_loss", "test", False)] * 2
    rows = torch.zeros(20, 16).numpy()
    mapper = FittedMapper(
        lambda x: x, "difference", "same", ActivationPairs(rows, rows, torch.arange(0, 20, 10).numpy())
    )
    scored = upper.score(mapper)
    assert set(scored.measures["target_loss"]) == {"own_loss", "least_squares_loss", "replaced_loss"}
    assert scored.summary.bits["target_loss"] == [[1, 1]]
    assert plain.score(mapper).measures == {}
