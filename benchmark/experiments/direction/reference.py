"""What does not depend on the mapper: the target's own direction, random ones, and what they do."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from graftbench.benchmark.data.examples import Example
from graftbench.benchmark.experiments.bench import Bench
from graftbench.benchmark.experiments.conditions import Draws, answers
from graftbench.benchmark.experiments.direction.design import DirectionDesign
from graftbench.benchmark.interventions.conditions import Condition
from graftbench.benchmark.interventions.directions import Candidate, Selection, contrast_states, refusal_score
from graftbench.benchmark.interventions.logits import mean_kl, next_logits
from graftbench.benchmark.interventions.vectors import permuted_contrasts, random_like
from graftbench.benchmark.models.chat import chat
from graftbench.benchmark.models.load import Model
from graftbench.benchmark.results.answers import Answer, scored_everywhere

Measures = dict[str, dict[str, float | None]]  # condition -> measure -> value


@dataclass(frozen=True)
class DirectionReference:
    """The part of an experiment that all mappers share; the unsteered answers alone where there is no direction."""

    answers: tuple[Answer, ...]
    measures: Measures


def ground(bench: Bench, setting: DirectionDesign, selection: Selection, draws: Draws, seed: int) -> DirectionReference:
    """The ground of an experiment, kept by everything it depends on."""
    parts = [
        setting.target.identity,
        setting.target.device.type,
        setting.use,
        setting.judges,
        selection.record(),
        *([asdict(item) for item in items] for items in (setting.test, setting.harmless)),
        bench.batch_size,
        bench.max_new_tokens,
        asdict(draws),
        seed,
    ]
    kept = bench.store.value("grounds", parts, lambda: asdict(_made(bench, setting, selection, draws, seed)))
    return DirectionReference(tuple(Answer(**answer) for answer in kept["answers"]), kept["measures"])


def _made(bench: Bench, setting: DirectionDesign, selection: Selection, draws: Draws, seed: int) -> DirectionReference:
    conditions = [Condition("unsteered")]
    if selection.best is not None:
        conditions += _conditions(setting, selection, selection.best, draws, seed)
    return DirectionReference(*run_conditions(bench, setting, conditions, draws.validation, "conditions"))


def _conditions(
    setting: DirectionDesign, selection: Selection, best: Candidate, draws: Draws, seed: int
) -> list[Condition]:
    states = contrast_states(setting.target, selection.contrast, best.site, best.position)
    permuted = permuted_contrasts(*states, draws.contrast, seed=seed)
    return [
        setting.using("native", best.vector, best.site),
        *(setting.using("random", v, best.site, i) for i, v in enumerate(random_like(best.vector, draws.test, seed))),
        *(setting.using("random_contrast", v[0], best.site, i) for i, v in enumerate(permuted) if v is not None),
    ]


def tried_answers(
    bench: Bench, setting: DirectionDesign, here: Sequence[Candidate], draws: Draws, seed: int
) -> list[Answer]:
    """The best of some candidates, whether it passes or not, and random directions, on validation prompts."""
    conditions = [Condition("unsteered")]
    if here:
        best = min(here, key=lambda candidate: candidate.ablated)
        noise = random_like(best.vector, draws.validation, seed + 1)
        conditions.append(setting.using("native", best.vector, best.site))
        conditions += [setting.using("random", vector, best.site, i) for i, vector in enumerate(noise)]
    items, what = setting.validation_items, "the best candidate, validation"
    found = answers(bench, setting.target, setting.judging, "validation", items, conditions, what)
    scored = scored_everywhere(found)
    return [answer for answer in found if answer.item in scored]


def run_conditions(
    bench: Bench, setting: DirectionDesign, conditions: Sequence[Condition], few: int, what: str
) -> tuple[tuple[Answer, ...], Measures]:
    """The answers under each condition, and what it does to first tokens and to harmless prompts.

    First tokens are looked at, and harmless prompts answered, under the first `few` draws of a condition.
    """
    run = [c for c in conditions if c.draw < few]
    test = answers(bench, setting.target, setting.judging, "test", setting.test, conditions, f"{what}, test")
    harmless = answers(
        bench, setting.target, setting.judging_harmless, "harmless", setting.harmless, run, f"{what}, harmless"
    )
    for found in (test, harmless):
        scored_everywhere(found)  # a ground that lacks verdicts is an error, and is not kept
    return (*test, *harmless), _measures(setting, run)


def still_good(found: Sequence[Answer]) -> dict[str, float | None]:
    """Of the harmless prompts that are answered well unsteered, the share that is under each condition.

    Those unscored under one condition leave all. RuntimeError where they are more than 5 %.
    """
    asked = [a for a in found if a.split == "harmless"]
    scored = scored_everywhere(asked)
    harmless = [a for a in asked if a.item in scored]
    good = {a.item for a in harmless if a.condition == "unsteered" and a.good}
    shares: dict[str, list[bool]] = {}
    for a in harmless:
        if a.item in good:
            shares.setdefault(a.condition, []).append(bool(a.good))
    return {name: sum(each) / len(each) for name, each in shares.items()}


def _measures(setting: DirectionDesign, conditions: Sequence[Condition]) -> Measures:
    """What each condition does to first tokens: means over its draws."""
    target, tokens = setting.target, setting.refusals(setting.target)
    untouched = _next(target, setting.harmless, Condition("unsteered"))
    found: Measures = {}
    for name in dict.fromkeys(c.name for c in conditions):
        these = [c for c in conditions if c.name == name]
        asked = torch.cat([_next(target, setting.test, c) for c in these])
        calm = torch.cat([_next(target, setting.harmless, c) for c in these])
        found[name] = {
            "refusal_score": float(refusal_score(asked, tokens).mean()),
            "refusal_score_harmless": float(refusal_score(calm, tokens).mean()),
            "kl_harmless": mean_kl(untouched.repeat(len(these), 1), calm),
        }
    return found


def _next(model: Model, items: Sequence[Example], condition: Condition) -> Tensor:
    return next_logits(model, [condition.row(item, chat(item.prompt, model.tokenizer)) for item in items])
