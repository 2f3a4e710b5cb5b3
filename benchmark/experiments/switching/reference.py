"""What does not depend on the mapper: the direct patch, what is put beside it, and what is done instead of it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from graftbench.benchmark.activations.capture import capture_rows
from graftbench.benchmark.data.examples import Example
from graftbench.benchmark.experiments.bench import Bench
from graftbench.benchmark.experiments.conditions import CleanAnswers, answers, clean_answers
from graftbench.benchmark.experiments.switching.alternatives import alternatives
from graftbench.benchmark.experiments.switching.design import SwitchingDesign
from graftbench.benchmark.interventions.conditions import Condition
from graftbench.benchmark.models.chat import chat
from graftbench.benchmark.models.tokens import token_ids
from graftbench.benchmark.results.answers import Answer, scored_everywhere


@dataclass(frozen=True)
class Alternative:
    """What is kept for a switch by other means, and how long it took to make."""

    parameters: int
    size: int
    seconds: float


@dataclass(frozen=True)
class SwitchingReference:
    """The part of an experiment that all mappers share."""

    validation: tuple[str, ...]  # ids of the prompts that the other version answers as it should
    test: tuple[str, ...]
    clean: dict[str, str]  # id -> the other version's answer
    answers: tuple[Answer, ...]
    alternatives: dict[str, Alternative]


def ground(bench: Bench, setting: SwitchingDesign, seed: int) -> SwitchingReference:
    """The ground of an experiment, kept by everything it depends on."""
    parts = [
        setting.running.identity,
        setting.other.identity,
        setting.running.device.type,
        [site for _, site in setting.all_sites],
        setting.positions,
        setting.judges,
        *([asdict(item) for item in items] for items in (setting.validation, setting.test)),
        [[prompt.text, reply] for prompt, reply in setting.lessons],
        bench.batch_size,
        bench.max_new_tokens,
        seed,
    ]
    kept = bench.store.value("grounds", parts, lambda: asdict(_made(bench, setting, seed)))
    return SwitchingReference(
        tuple(kept["validation"]),
        tuple(kept["test"]),
        kept["clean"],
        tuple(Answer(**answer) for answer in kept["answers"]),
        {name: Alternative(**alternative) for name, alternative in kept["alternatives"].items()},
    )


def validation_answers(bench: Bench, setting: SwitchingDesign) -> list[Answer]:
    """The validation prompts unsteered, directly patched, and with the mean in the place of every activation."""
    clean = _clean(bench, setting, setting.validation, "validation")
    found = _run(bench, setting, "validation", clean.items, _conditions(setting))
    scored = scored_everywhere(found)
    return [answer for answer in found if answer.item in scored]


def _made(bench: Bench, setting: SwitchingDesign, seed: int) -> SwitchingReference:
    validation = _clean(bench, setting, setting.validation, "validation")
    test = _clean(bench, setting, setting.test, "test")
    conditions = [*_conditions(setting), setting.rewritten_as_it_is()]
    found = _run(bench, setting, "test", test.items, conditions)
    instead: dict[str, Alternative] = {}
    for each in alternatives(setting, bench.store, seed):  # one at a time: each is a whole model
        found += answers(
            bench, each.model, setting.judging, "test", test.items, [Condition(each.name)], each.name.replace("_", " ")
        )
        instead[each.name] = Alternative(each.parameters, each.size, each.seconds)
    scored_everywhere(found)  # a ground that lacks verdicts is an error, and is not kept
    validation_ids, test_ids = (tuple(item.id for item in clean.items) for clean in (validation, test))
    said = (*validation.answers, *test.answers, *found)
    return SwitchingReference(validation_ids, test_ids, test.good, said, instead)


def _clean(bench: Bench, setting: SwitchingDesign, items: Sequence[Example], split: str) -> CleanAnswers:
    return clean_answers(bench, setting.other, setting.judging, items, f"the other version's answers, {split}")


def _conditions(setting: SwitchingDesign) -> list[Condition]:
    return [Condition("unsteered"), setting.patched(), setting.replaced("mean_ablated", _mean_states(setting))]


def _run(
    bench: Bench, setting: SwitchingDesign, split: str, items: Sequence[Example], conditions: Sequence[Condition]
) -> list[Answer]:
    return answers(bench, setting.running, setting.judging, split, items, conditions, f"conditions, {split}")


def _mean_states(setting: SwitchingDesign) -> dict[int, Tensor]:
    """The other version's mean state [d] at each site over the tokens of the lessons, which are of the fit split."""
    return {site: _mean_state(setting, site) for _, site in setting.all_sites}


def _mean_state(setting: SwitchingDesign, site: int) -> Tensor:
    other = setting.other
    texts = (chat(prompt, other.tokenizer).with_reply(reply) for prompt, reply in setting.lessons)
    rows = [token_ids(text.text, other.tokenizer) for text in texts]
    total, n = torch.zeros(other.d, dtype=torch.float64), 0
    for _, states in capture_rows(other, rows, site):
        total, n = total + states.double().sum(0).cpu(), n + len(states)
    return total / n
