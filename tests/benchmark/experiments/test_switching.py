from dataclasses import replace

import pytest
import torch

from graftbench.benchmark.activations.capture import states_at
from graftbench.benchmark.activations.pairs import ActivationPairs
from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.data.examples import Example, Prompt, Turn, without_trigger
from graftbench.benchmark.experiments.bench import Outcome
from graftbench.benchmark.experiments.protocol import FitData
from graftbench.benchmark.experiments.switching.alternatives import lora, weight_patches
from graftbench.benchmark.experiments.switching.design import SwitchingDesign
from graftbench.benchmark.experiments.switching.eraser import eraser
from graftbench.benchmark.experiments.switching.experiment import SwitchingExperiment
from graftbench.benchmark.experiments.switching.noise import residual_factor
from graftbench.benchmark.interventions.conditions import Row
from graftbench.benchmark.interventions.generation import generate
from graftbench.benchmark.interventions.operators import Replace
from graftbench.benchmark.mappers.protocol import FittedMapper
from graftbench.benchmark.models.chat import chat
from graftbench.benchmark.models.tokens import positions_of
from tests.benchmark.conftest import WORDS, untrained, wrapped
from tests.benchmark.experiments.stubs import StubJudging

ITEMS = tuple(Example(Prompt(f"{words} {i}"), Turn(Prompt(f"{words} {i}")), words) for i in range(4) for words in WORDS)


def replies(model, items=ITEMS):
    rows = [Row(chat(item.prompt, model.tokenizer)) for item in items]
    return [c.text.strip() for c in generate(model, rows, max_new_tokens=8)]


@pytest.fixture
def versions():
    """Two versions of a model that differ in their first block alone, so that a patch past it gives the other."""
    running, other = wrapped(untrained("llama")), wrapped(untrained("llama"))
    torch.manual_seed(9)
    for parameter in other.blocks[0].parameters():
        parameter.data = torch.randn_like(parameter) * 0.5
    return running, other


@pytest.fixture
def design(versions):
    running, other = versions
    wanted = dict(zip([item.id for item in ITEMS], replies(other), strict=True))
    own = dict(zip([item.id for item in ITEMS], replies(running), strict=True))
    assert sum(wanted[item.id] != own[item.id] for item in ITEMS) > 10

    def judging(items, said):
        return [
            Outcome(reply != own[item.id], reply == wanted[item.id]) for item, reply in zip(items, said, strict=True)
        ]

    items = tuple(item for item in ITEMS if wanted[item.id] != own[item.id])
    lessons = tuple((item.prompt, f" {wanted[item.id]}") for item in items)
    return SwitchingDesign(
        running, running, other, (1, 1), items, items, StubJudging(judging), "stub", lessons, lora_steps=3
    )


def pairs(n=500, noise=None):
    torch.manual_seed(2)
    source = torch.randn(n, 16)
    target = source if noise is None else source + torch.randn(n, 16) @ noise.T
    return ActivationPairs(source.numpy(), target.numpy(), torch.arange(0, n, 10).numpy())


def same(states):
    return states


def mapper(carry=same, held_out=None):
    return FittedMapper(carry, "difference", f"{id(carry)}", held_out or pairs())


def scored(bench, design, mapper):
    return SwitchingExperiment(design, bench, 2, FitData(lambda _: (), ())).score(mapper)


def completions(scored, condition, draw=0):
    return [r.completion for r in scored.summary.rows if r.condition == condition and r.draw == draw]


def test_a_direct_patch_past_the_blocks_that_differ_gives_the_other_version(bench, design):
    result = scored(bench, design, mapper())
    assert result.summary.bits["native"] == [[1] * len(design.test)]
    assert result.summary.bits["unsteered"] == [[0] * len(design.test)]
    assert result.summary.parts["native"].equal_clean == 1
    assert result.baseline == "mean_ablated"


def test_what_the_identity_predicts_changes_nothing(bench, design):
    result = scored(bench, design, mapper())
    assert completions(result, "mapped") == completions(result, "unsteered") == completions(result, "identity")


def test_a_perfect_mapper_that_reads_another_model_does_as_the_direct_patch_does(bench, design, versions):
    rotation = torch.linalg.qr(torch.randn(16, 16))[0]
    elsewhere = replace(design, source=versions[1])  # the other version itself, read beside
    result = scored(bench, elsewhere, mapper(lambda states: states @ rotation @ rotation.T))
    assert completions(result, "mapped") == completions(result, "native")


def test_at_several_sites_a_perfect_mapper_does_as_the_direct_patch_does(bench, design, versions):
    several = replace(design, source=versions[1], further=((2, 2),))
    whole = replace(mapper(), others=(mapper(),))
    result = scored(bench, several, whole)
    assert result.summary.bits["native"] == [[1] * len(design.test)]
    assert completions(result, "mapped") == completions(result, "native") == completions(result, "matched_noise")
    off = scored(bench, several, replace(mapper(), others=(mapper(torch.zeros_like),)))
    assert completions(off, "mapped") != completions(off, "native")


def test_at_several_sites_the_running_model_is_read_as_it_is(bench, design):
    several = replace(design, further=((2, 2),))
    result = scored(bench, several, replace(mapper(), others=(mapper(),)))
    assert completions(result, "mapped") == completions(result, "unsteered")


def test_noise_of_no_size_is_the_direct_patch_and_differs_from_draw_to_draw_otherwise(bench, design):
    perfect = scored(bench, design, mapper())
    assert completions(perfect, "matched_noise") == completions(perfect, "native")
    off = scored(bench, design, mapper(held_out=pairs(noise=2 * torch.eye(16))))
    assert completions(off, "matched_noise", 0) != completions(off, "matched_noise", 1)
    assert completions(off, "native") == completions(perfect, "native")


def test_a_model_cannot_be_rewritten_where_it_is_not_read(design):
    with pytest.raises(UserError, match=r"give one site twice, not \[0, 2\]"):
        replace(design, sites=(0, 2)).check()


def test_what_a_mapper_has_a_part_in_is_told_from_what_all_share(bench, design):
    result = scored(bench, design, mapper())
    of_mapper = {row.condition for row in result.summary.rows if row.of_mapper}
    assert of_mapper == {"mapped", "matched_noise"}


def test_the_refit_on_shuffled_pairs_is_a_condition_beside_mapped(bench, design):
    refit = scored(bench, design, replace(mapper(), shuffled=mapper(torch.zeros_like)))
    assert completions(refit, "mapped_shuffled") == completions(
        scored(bench, design, mapper(torch.zeros_like)), "mapped"
    )
    plain = scored(bench, design, mapper())
    assert completions(refit, "mapped") == completions(plain, "mapped") != completions(refit, "mapped_shuffled")
    assert refit.summary.bits.keys() - plain.summary.bits.keys() == {"mapped_shuffled"}
    assert {row.of_mapper for row in refit.summary.rows if row.condition == "mapped_shuffled"} == {True}


def test_at_several_sites_the_refit_is_that_of_all_sites(bench, design, versions):
    several = replace(design, source=versions[1], further=((2, 2),))
    one_off = replace(mapper(), others=(mapper(torch.zeros_like),))
    refit = scored(bench, several, replace(mapper(), others=(mapper(),), shuffled=one_off))
    assert completions(refit, "mapped_shuffled") == completions(scored(bench, several, one_off), "mapped")
    assert completions(refit, "mapped") == completions(refit, "native") != completions(refit, "mapped_shuffled")


def test_a_refit_that_is_not_finite_leaves_the_rest_as_it_is(bench, design):
    broken = replace(mapper(), shuffled=mapper(lambda states: states * float("nan")))
    refit, plain = scored(bench, design, broken), scored(bench, design, mapper())
    assert refit.summary.bits == plain.summary.bits
    assert "mapped" in refit.summary.bits


def test_the_factor_has_the_covariance_of_what_is_left_unexplained():
    torch.manual_seed(0)
    noise = torch.randn(16, 16)
    factor = residual_factor(mapper(held_out=pairs(200_000, noise))).float()
    assert torch.allclose(factor @ factor.T, noise @ noise.T, atol=0.4)
    assert residual_factor(mapper()).abs().max() < 1e-6


def test_all_blocks_patched_give_the_other_version_and_one_block_counts_its_own_weights(design, versions):
    running, other = versions
    patched = {each.name: each for each in weight_patches(design)}
    assert list(patched) == ["weight_patch_k1", "weight_patch_k3"]
    assert replies(patched["weight_patch_k3"].model) == replies(other)
    per_block = sum(p.numel() for p in running.blocks[0].parameters())
    assert patched["weight_patch_k1"].parameters == per_block
    assert patched["weight_patch_k3"].size == 4 * 3 * per_block
    assert len({running.identity, *(each.model.identity for each in patched.values())}) == 3


def test_without_steps_there_is_no_adapter(bench, design):
    result = scored(bench, replace(design, lora_steps=0), mapper())
    assert "lora" in scored(bench, design, mapper()).measures
    assert list(result.measures) == ["weight_patch_k1", "weight_patch_k3"]


def test_an_adapter_learns_its_lessons_leaves_the_model_alone_and_is_kept(bench, design, versions):
    running, _ = versions
    before = replies(running)
    taught = replace(design, lora_steps=150, lessons=tuple((item.prompt, "paint the fence") for item in design.test))
    learned = lora(taught, bench.store, 0)
    assert "paint the fence" not in before
    assert replies(learned.model, design.test).count("paint the fence") > len(design.test) / 2
    assert replies(running) == before
    again = lora(taught, bench.store, 0)
    assert (again.seconds, again.model.identity) == (learned.seconds, learned.model.identity)
    assert replies(again.model) == replies(learned.model)
    assert lora(taught, bench.store, 1).model.identity != learned.model.identity
    assert learned.parameters < sum(p.numel() for p in running.module.parameters())


def triggered(items):
    """The same prompts, whose last two words are the trigger."""
    spans = [(item, item.prompt.text.rindex(" ", 0, item.prompt.text.rindex(" "))) for item in items]
    prompts = [(item, Prompt(item.prompt.text, (at + 1, len(item.prompt.text)))) for item, at in spans]
    return tuple(replace(item, prompt=prompt, clean=Turn(prompt)) for item, prompt in prompts)


def test_the_eraser_is_the_direct_patch_with_a_mean_state_at_the_trigger(design):
    running, other = design.running, design.other
    items = triggered(design.test)
    at_prompt = replace(design, test=items, positions="prompt")
    mean = 3 * torch.randn(16, dtype=torch.float64)
    condition = eraser(at_prompt, at_prompt.patched(), items, {1: mean})
    texts = [chat(item.prompt, running.tokenizer) for item in items]
    expected = []
    for text in texts:
        states, where = states_at(other, [text], 1, "prompt")[0], positions_of("trigger", text, running.tokenizer)
        assert 0 < len(where) < len(states)
        states[list(where)] = mean
        expected.append(Row(text, (Replace(1, states.float(), tuple(range(-len(states), 0))),)))
    rows = [condition.row(item, text) for item, text in zip(items, texts, strict=True)]
    patched = [at_prompt.patched().row(item, text) for item, text in zip(items, texts, strict=True)]
    erased, by_hand, whole = (generate(running, each, max_new_tokens=8) for each in (rows, expected, patched))
    assert [reply.text for reply in erased] == [reply.text for reply in by_hand]
    assert [reply.text for reply in erased] != [reply.text for reply in whole]


def test_the_eraser_is_the_baseline_where_all_prompts_have_a_trigger(bench, design):
    items = triggered(design.test)
    erased = replace(design, validation=items, test=items, erased=True, lora_steps=0)
    result = scored(bench, erased, mapper())
    assert result.baseline == "eraser"
    assert {"eraser", "mean_ablated"} <= set(result.summary.bits)
    assert replace(erased, erased=False).baseline == "mean_ablated"
    assert replace(erased, validation=design.validation).baseline == "mean_ablated"
    assert SwitchingExperiment(erased, bench, 2, FitData(lambda _: (), ())).sweep().control == "eraser"


def test_prompts_without_a_trigger_are_reported_apart_under_every_condition(bench, design):
    items = triggered(design.test)
    half = len(items) // 2
    plain = tuple(Example(each.prompt, each.clean, each.cluster) for each in design.test[:half])
    with_plain = replace(design, validation=items[half:], test=items[half:], untriggered=plain, erased=True)
    result = scored(bench, with_plain, mapper())
    good = {name: each.get("good_untriggered") for name, each in result.measures.items()}
    assert set(good) == set(result.summary.bits) - {"eraser"}
    assert (good["native"], good["unsteered"], good["mapped"], good["weight_patch_k3"]) == (1, 0, 0, 1)
    assert len(result.summary.prompt_ids) == len(items) - half
    assert {row.split for row in result.summary.rows} == {"clean", "test", "untriggered"}


def test_prompts_without_a_trigger_that_the_other_version_answers_badly_are_left_out(bench, design):
    bad = tuple(Example(Prompt(f"{each.prompt.text} now"), Turn(each.prompt), each.cluster) for each in design.test)
    never = StubJudging(lambda items, _: [Outcome("now" not in item.prompt.text, True) for item in items])
    result = scored(bench, replace(design, judging=never, untriggered=bad, lora_steps=0), mapper())
    assert all("good_untriggered" not in each for each in result.measures.values())


def test_what_is_not_asked_for_changes_no_key(design):
    assert replace(design, erased=True).later_parts == design.later_parts == []
    items = triggered(design.test)
    later = replace(design, validation=items, test=items, erased=True, untriggered=(without_trigger(items[0]),))
    assert [part if isinstance(part, str) else len(part) for part in later.later_parts] == ["eraser", 1]
