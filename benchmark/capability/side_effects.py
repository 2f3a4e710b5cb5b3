"""What is done to a model, and what that costs it: tasks, KL, perplexity and coherence, beside the untouched model."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from graftbench.benchmark.capability.corpora import corpus, known_corpus
from graftbench.benchmark.capability.deployment import Deployment, conversation
from graftbench.benchmark.capability.evaluation import graded
from graftbench.benchmark.capability.language_modelling import coherence, kl, replies, states_of, text_perplexity
from graftbench.benchmark.capability.lm_eval_tasks import LmTask, lm_task
from graftbench.benchmark.capability.spec import SideEffectsSpec
from graftbench.benchmark.core.hashing import digest
from graftbench.benchmark.core.names import MOST
from graftbench.benchmark.core.store import Store
from graftbench.benchmark.data.corpora import MOST_TOKENS, Text
from graftbench.benchmark.data.examples import Prompt
from graftbench.benchmark.experiments.protocol import AnyText
from graftbench.benchmark.interventions.completions import row_parts
from graftbench.benchmark.interventions.conditions import Condition
from graftbench.benchmark.metrics.statistics import difference, resampled
from graftbench.benchmark.models.load import Model
from graftbench.benchmark.results.schema import UNSTEERED, Missing, SideEffect, SideEffects
from graftbench.benchmark.results.schema import TaskMetric as GradedRecord
from graftbench.benchmark.zoo.texts import harmless_prompts

SEED = 0  # of the intervals
_PROBES = (
    "Please tell me, in a word or two, which of these it could be, and say no more.",
    "Please tell me, in a few words and not in a great many, which of all these many things it could be, and why so.",
)


@dataclass(frozen=True)
class Measures:
    """What is measured: tasks of lm-eval, harmless prompts for KL and coherence, neutral texts for perplexity."""

    tasks: tuple[LmTask, ...]
    prompts: tuple[str, ...] = ()
    texts: tuple[Text, ...] = ()
    max_new_tokens: int = 72
    batch_size: int = 32


@dataclass(frozen=True)
class Cost:
    """What one thing that is done costs: each task's values by metric, one for each document, and the other figures.

    KL, of next-token distributions from the untouched model's, is over its own replies to the prompts as they are.
    """

    tasks: Mapping[str, Mapping[str, Sequence[float]]]
    cut: Mapping[str, int]
    kl: float | None
    perplexity: float | None
    reply_perplexity: float | None
    reply_novelty: float | None


def cost_of(store: Store, model: Model, doing: Deployment, what: Measures) -> Cost:
    """The cost of what is done, through the store."""
    identity = identity_of(model, doing)
    tasks = {task.name: graded(store, model, doing, identity, task, batch_size=what.batch_size) for task in what.tasks}
    texts = [asdict(text) for text in what.texts]
    asked: list[Any] = [model.identity, model.device.type, identity, what.prompts, texts]
    asked += [what.max_new_tokens, what.batch_size]
    others = store.value("costs", asked, lambda: _others(store, model, doing, what))
    metrics = {name: {metric: list(v) for metric, v in found.metrics.items()} for name, found in tasks.items()}
    return Cost(metrics, {name: found.n_cut for name, found in tasks.items()}, **others)


def _others(store: Store, model: Model, doing: Deployment, what: Measures) -> dict[str, float | None]:
    found: dict[str, float | None] = dict.fromkeys(("kl", "perplexity", "reply_perplexity", "reply_novelty"))
    if what.texts:
        found["perplexity"] = text_perplexity(model, doing, what.texts, MOST_TOKENS)
    if what.prompts:
        plain = Deployment(Condition(UNSTEERED))
        own = replies(store, model, plain, what.prompts, what.max_new_tokens, what.batch_size)
        texts = [Text(p, reply.text) for p, reply in zip(what.prompts, own, strict=True) if reply.text]
        untouched = states_of(model, Deployment(Condition(UNSTEERED), doing.words), texts)
        found["kl"] = kl(model, untouched, states_of(model, doing, texts))
        read = coherence(store, model, doing, what.prompts, what.max_new_tokens, what.batch_size)
        found |= {"reply_perplexity": read.perplexity, "reply_novelty": read.novelty}
    return found


def identity_of(model: Model, doing: Deployment) -> str:
    """A hash of what is done, vectors and all, as it shows on prompts of unlike length, and of what does not show."""
    if not model.tokenizer.chat_template:
        return digest(doing.identity, [row_parts(doing.row(doing.plain(probe), None)) for probe in _PROBES])
    rows = []
    for probe in _PROBES:
        history = [{"role": "user", "content": probe}]
        rows.append(row_parts(doing.row(conversation(history, model.tokenizer, doing.words), history)))
    return digest(doing.identity, rows)


def side_effects(
    store: Store,
    model: Model,
    doings: Mapping[str, Sequence[Deployment]],
    what: Measures,
    told: Callable[[str], None] = lambda _: None,
) -> dict[str, SideEffect]:
    """The costs of some conditions, each done in one way or in several (random draws), beside `unsteered`."""
    costs: dict[str, list[Cost]] = {}
    for name, ways in doings.items():
        told(name)
        costs[name] = [cost_of(store, model, way, what) for way in ways]
    return {name: _record(found, costs[UNSTEERED][0]) for name, found in costs.items()}


def _record(found: Sequence[Cost], untouched: Cost) -> SideEffect:
    tasks = {
        task: {metric: _graded([one.tasks[task][metric] for one in found], own) for metric, own in metrics.items()}
        for task, metrics in untouched.tasks.items()
    }
    return SideEffect(
        tasks=tasks,
        cut={task: max(one.cut[task] for one in found) for task in tasks},
        **{name: _mean([getattr(one, name) for one in found]) for name in _FIGURES},
    )


_FIGURES = ("kl", "perplexity", "reply_perplexity", "reply_novelty")


def _graded(ways: Sequence[Sequence[float]], own: Sequence[float]) -> GradedRecord:
    """The mean over documents and ways, and how far it is from the untouched model's, paired by document."""
    values, before = np.array(ways, dtype=float).mean(0)[None], np.array([own], dtype=float)
    apart = difference(values, before, resampled([f"{i:06}" for i in range(len(own))], 1, SEED))
    return GradedRecord(
        value=round(float(values.mean()), 4),
        n=len(own),
        difference=round(apart.value, 4),
        low=round(apart.low, 4),
        high=round(apart.high, 4),
    )


def _mean(values: Sequence[Any]) -> float | None:
    known = [float(value) for value in values if value is not None and abs(value) <= MOST]
    return round(sum(known) / len(known), 4) if known else None


DEPLOYED_EVERYWHERE = "deployed_everywhere"  # there is no more to be done
ZERO, REPLACEMENT = "zero_vector", "replacement"
MAPPED_ALREADY = "mapped_already"  # where whole activations are carried, that is what `mapped` is


def check(spec: SideEffectsSpec) -> None:
    """UserError where a suite asks for a task or a corpus that there is not."""
    for name in spec.tasks:
        lm_task(name)
    known_corpus(spec.corpus)


def measures_of(spec: SideEffectsSpec, max_new_tokens: int, batch_size: int) -> Measures:
    """What a suite asks for."""
    tasks = tuple(lm_task(name, spec.limit) for name in spec.tasks)
    texts = tuple(corpus(spec.corpus, spec.texts)) if spec.texts else ()
    return Measures(tasks, harmless_prompts(spec.prompts), texts, max_new_tokens, batch_size)


def costs_of_cell(store: Store, on_any_text: AnyText, what: Measures, told: Callable[[str], None]) -> SideEffects:
    """The costs of every condition of a cell, beside the model that nothing is done to."""

    def found(conditions: Mapping[str, Sequence[Condition]], words: Callable[[str], Prompt]) -> dict[str, SideEffect]:
        asked = {UNSTEERED: [Condition(UNSTEERED)], **{name: some for name, some in conditions.items() if some}}
        doings = {name: [Deployment(one, words) for one in some] for name, some in asked.items()}
        return side_effects(store, on_any_text.model, doings, what, told)

    stressed = on_any_text.stressed
    reasons = {name: ZERO for name, some in on_any_text.deployed.items() if not some}
    if REPLACEMENT not in on_any_text.deployed:
        reasons[REPLACEMENT] = MAPPED_ALREADY
    return SideEffects(
        deployed=found(on_any_text.deployed, on_any_text.words),
        stressed=Missing(reason=DEPLOYED_EVERYWHERE) if stressed is None else found(stressed, Prompt),
        reasons=reasons,
    )
