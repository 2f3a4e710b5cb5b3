"""The reference of an experiment with a direction: the target's own direction and random ones."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from graftbench.benchmark.activations.capture import token_states
from graftbench.benchmark.data.examples import Example
from graftbench.benchmark.experiments.assessment import Assessment
from graftbench.benchmark.experiments.bench import Bench
from graftbench.benchmark.experiments.conditions import Draws, run_conditions
from graftbench.benchmark.experiments.direction.design import DirectionDesign
from graftbench.benchmark.interventions.conditions import Condition, Row
from graftbench.benchmark.interventions.directions import Candidate, Selection, contrast_states, refusal_scores
from graftbench.benchmark.interventions.logits import kl_of_next, next_logits
from graftbench.benchmark.interventions.vectors import (
    balanced_contrasts,
    permuted_contrasts,
    random_like,
    random_with_covariance,
)
from graftbench.benchmark.models.chat import chat
from graftbench.benchmark.models.load import Model
from graftbench.benchmark.results.rows import Answer, scored_everywhere

Measures = dict[str, dict[str, float | None]]  # condition -> measure -> value


@dataclass(frozen=True)
class DirectionReference:
    """The results of an experiment that all mappers share; only unsteered answers where there is no direction."""

    answers: tuple[Answer, ...]
    measures: Measures


def cached_reference(
    bench: Bench, design: DirectionDesign, selection: Selection, draws: Draws, seed: int
) -> DirectionReference:
    """Return the reference of an experiment, from the cache where it is there."""
    parts = [
        design.target.identity,
        design.target.device.type,
        design.use,
        design.judges,
        selection.record(),
        *([asdict(item) for item in items] for items in (design.test, design.harmless)),
        bench.batch_size,
        bench.max_new_tokens,
        draws.parts,
        seed,
    ]
    record = bench.store.value("references", parts, lambda: asdict(_run(bench, design, selection, draws, seed)))
    return DirectionReference(tuple(Answer(**answer) for answer in record["answers"]), record["measures"])


def _run(bench: Bench, design: DirectionDesign, selection: Selection, draws: Draws, seed: int) -> DirectionReference:
    conditions = [Condition("unsteered")]
    if selection.best is not None:
        conditions += _conditions(design, selection, selection.best, draws, seed)
    return DirectionReference(*run_with_measures(bench, design, conditions, draws.validation, "conditions"))


def _conditions(
    design: DirectionDesign, selection: Selection, best: Candidate, draws: Draws, seed: int
) -> list[Condition]:
    vectors = {"native": [best.vector], "random": [*random_like(best.vector, draws.test, seed)]}
    harmless = [chat(prompt, design.target.tokenizer) for prompt in selection.contrast.harmless]
    with design.target.loaded() as target:
        states = contrast_states(target, selection.contrast, best.site, best.position)
        if draws.covariance:
            tokens = token_states(target, harmless, best.site).cpu()
            vectors["random_covariance"] = [*random_with_covariance(best.vector, tokens, draws.covariance, seed + 2)]
    relabelled = (
        balanced_contrasts(*states, draws.contrast, seed, paired=False)
        if draws.balanced
        else permuted_contrasts(*states, draws.contrast, seed)
    )
    named = [(name, i, vector) for name, some in vectors.items() for i, vector in enumerate(some)]
    named += [("random_contrast", i, vector[0]) for i, vector in enumerate(relabelled) if vector is not None]
    return [design.using(name, vector, best.site, i) for name, i, vector in named]


def sweep_answers(
    bench: Bench, design: DirectionDesign, candidates: Sequence[Candidate], draws: Draws, seed: int
) -> list[Answer]:
    """Return answers on validation prompts under the best candidate, passing or not, and under random directions."""
    conditions = [Condition("unsteered")]
    if candidates:
        best = min(candidates, key=lambda candidate: candidate.ablated)
        noise = random_like(best.vector, draws.validation, seed + 1)
        conditions.append(design.using("native", best.vector, best.site))
        conditions += [design.using("random", vector, best.site, i) for i, vector in enumerate(noise)]
    items, label = design.validation_items, "the best candidate, validation"
    assessment = Assessment(design.judging, design.target, {})
    answers = run_conditions(bench, design.target, assessment, "validation", items, conditions, label)
    scored = scored_everywhere(answers)
    return [answer for answer in answers if answer.item in scored]


def run_with_measures(
    bench: Bench, design: DirectionDesign, conditions: Sequence[Condition], draws: int, label: str
) -> tuple[tuple[Answer, ...], Measures]:
    """Return the answers under each condition, and its measures.

    Only the first `draws` draws of a condition are measured, and asked on harmless prompts.
    """
    measured = [c for c in conditions if c.draw < draws]
    asked, plain = (Assessment(judging, design.target, {}) for judging in (design.judging, design.judging_harmless))
    test = run_conditions(bench, design.target, asked, "test", design.test, conditions, f"{label}, test")
    harmless = run_conditions(bench, design.target, plain, "harmless", design.harmless, measured, f"{label}, harmless")
    for answers in (test, harmless):
        scored_everywhere(answers)  # a reference without all verdicts is an error, and is not cached
    with design.target.loaded() as target:
        return (*test, *harmless), _measures(target, design, measured)


def harmless_still_good(answers: Sequence[Answer]) -> dict[str, float | None]:
    """Return by condition the share of good answers, of the harmless prompts that have a good one unsteered.

    Prompts unscored under one condition leave all. RuntimeError where they are more than 5 %.
    """
    asked = [a for a in answers if a.split == "harmless"]
    scored = scored_everywhere(asked)
    harmless = [a for a in asked if a.item in scored]
    good = {a.item for a in harmless if a.condition == "unsteered" and a.good}
    shares: dict[str, list[bool]] = {}
    for a in harmless:
        if a.item in good:
            shares.setdefault(a.condition, []).append(bool(a.good))
    return {name: sum(each) / len(each) for name, each in shares.items()}


def _measures(target: Model, design: DirectionDesign, conditions: Sequence[Condition]) -> Measures:
    """Return by condition its effect on first tokens: means over its draws."""
    tokens = design.refusals(target)
    untouched = next_logits(target, _rows(target, design.harmless, Condition("unsteered")))
    measures: Measures = {}
    for name in dict.fromkeys(c.name for c in conditions):
        these = [c for c in conditions if c.name == name]
        asked, harmless = ([_rows(target, items, c) for c in these] for items in (design.test, design.harmless))
        measures[name] = {
            "refusal_score": _mean(refusal_scores(target, rows, tokens) for rows in asked),
            "refusal_score_harmless": _mean(refusal_scores(target, rows, tokens) for rows in harmless),
            "kl_harmless": _mean(kl_of_next(target, rows, untouched) for rows in harmless),
        }
    return measures


def _rows(model: Model, items: Sequence[Example], condition: Condition) -> list[Row]:
    return [condition.row(item, chat(item.prompt, model.tokenizer)) for item in items]


def _mean(values: Iterable[Tensor]) -> float:
    return float(torch.cat(list(values)).mean())
