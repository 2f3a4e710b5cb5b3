"""The reference of a switching experiment: the direct patch, its controls, and alternatives to mapping."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from graftbench.benchmark.activations.capture import capture_rows
from graftbench.benchmark.data.examples import Example, key_of
from graftbench.benchmark.experiments.bench import Bench
from graftbench.benchmark.experiments.conditions import CleanAnswers, answers_when_clean, clean_answers, run_conditions
from graftbench.benchmark.experiments.switching.alternatives import alternatives
from graftbench.benchmark.experiments.switching.design import ERASER, MEAN_ABLATED, SwitchingDesign
from graftbench.benchmark.experiments.switching.eraser import eraser
from graftbench.benchmark.experiments.switching.untriggered import UNTRIGGERED
from graftbench.benchmark.interventions.conditions import Condition
from graftbench.benchmark.models.chat import with_reply
from graftbench.benchmark.models.tokens import token_ids
from graftbench.benchmark.results.rows import Answer, scored_everywhere


@dataclass(frozen=True)
class Alternative:
    """Parameters and bytes to store for a switch without a mapper, and the seconds that it took to make."""

    parameters: int
    size: int
    seconds: float


@dataclass(frozen=True)
class SwitchingReference:
    """The results of an experiment that all mappers share."""

    validation: tuple[str, ...]  # ids of the prompts that the other version answers well
    test: tuple[str, ...]
    clean: dict[str, str]  # id -> the other version's answer
    answers: tuple[Answer, ...]
    alternatives: dict[str, Alternative]
    untriggered: dict[str, str]  # id of a prompt without a trigger -> the other version's answer, where it is good


def cached_reference(bench: Bench, design: SwitchingDesign, seed: int) -> SwitchingReference:
    """Return the reference of an experiment, from the cache where it is there."""
    parts = [
        design.running.identity,
        design.other.identity,
        design.running.device.type,
        [site for _, site in design.all_sites],
        design.positions,
        design.judges,
        *([asdict(item) for item in items] for items in (design.validation, design.test)),
        [key_of(lesson) for lesson in design.lessons],
        design.lora_steps,
        bench.batch_size,
        bench.max_new_tokens,
        seed,
        *design.later_parts,
    ]
    record = bench.store.value("references", parts, lambda: asdict(_run(bench, design, seed)))
    return SwitchingReference(
        tuple(record["validation"]),
        tuple(record["test"]),
        record["clean"],
        tuple(Answer(**answer) for answer in record["answers"]),
        {name: Alternative(**alternative) for name, alternative in record["alternatives"].items()},
        record["untriggered"],
    )


def sweep_answers(bench: Bench, design: SwitchingDesign) -> list[Answer]:
    """Return answers on validation prompts: unsteered, directly patched, and under the baselines."""
    clean = _clean(bench, design, design.validation, "validation")
    answers = _answers(bench, design, "validation", clean, _conditions(design, clean.items))
    scored = scored_everywhere(answers)
    return [answer for answer in answers if answer.item in scored]


def _run(bench: Bench, design: SwitchingDesign, seed: int) -> SwitchingReference:
    validation = _clean(bench, design, design.validation, "validation")
    test = _clean(bench, design, design.test, "test")
    plain = answers_when_clean(bench, design.other, design.judging, design.untriggered, f"{UNTRIGGERED} prompts")
    conditions = [*_conditions(design, test.items), design.rewritten_by_identity()]
    answers = _answers(bench, design, "test", test, conditions)
    answers += _answers(bench, design, UNTRIGGERED, plain, [c for c in conditions if c.name != ERASER])
    assessment, bare = design.assessment(test.good), design.assessment(plain.good)
    by_name: dict[str, Alternative] = {}
    for each in alternatives(design, bench.store, seed):  # one at a time: each is a whole model
        condition, label = [Condition(each.name)], each.name.replace("_", " ")
        answers += run_conditions(bench, each.model, assessment, "test", test.items, condition, label)
        answers += run_conditions(bench, each.model, bare, UNTRIGGERED, plain.items, condition, label)
        by_name[each.name] = Alternative(each.parameters, each.size, each.seconds)
    scored_everywhere(answers)  # a reference without all verdicts is an error, and is not cached
    validation_ids, test_ids = (tuple(item.id for item in clean.items) for clean in (validation, test))
    all_answers = (*validation.answers, *test.answers, *plain.answers, *answers)
    return SwitchingReference(validation_ids, test_ids, test.good, all_answers, by_name, plain.good)


def _clean(bench: Bench, design: SwitchingDesign, items: Sequence[Example], split: str) -> CleanAnswers:
    return clean_answers(bench, design.other, design.judging, items, f"the other version's answers, {split}")


def _conditions(design: SwitchingDesign, items: Sequence[Example]) -> list[Condition]:
    direct, means = design.patched(), _mean_states(design)
    conditions = [Condition("unsteered"), direct, design.replaced(MEAN_ABLATED, means)]
    return [*conditions, eraser(design, direct, items, means)] if design.baseline == ERASER else conditions


def _answers(
    bench: Bench, design: SwitchingDesign, split: str, clean: CleanAnswers, conditions: Sequence[Condition]
) -> list[Answer]:
    assessment, label = design.assessment(clean.good), f"conditions, {split}"
    return run_conditions(bench, design.running, assessment, split, clean.items, conditions, label)


def _mean_states(design: SwitchingDesign) -> dict[int, Tensor]:
    """Return the other version's mean state [d] at each site, over the tokens of the lessons (the fit split)."""
    return {site: _mean_state(design, site) for _, site in design.all_sites}


def _mean_state(design: SwitchingDesign, site: int) -> Tensor:
    other = design.other
    texts = (with_reply(prompt, reply, other) for prompt, reply in design.lessons)
    rows = [token_ids(text.text, other.tokenizer) for text in texts]
    total, n = torch.zeros(other.d, dtype=torch.float64), 0
    with other.loaded() as model:
        for _, states in capture_rows(model, rows, site):
            total, n = total + states.double().sum(0).cpu(), n + len(states)
    return total / n
