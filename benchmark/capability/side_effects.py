"""Side effects of deployments: lm-eval tasks, KL, perplexity and coherence, compared with the untouched model."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np

from graftbench.benchmark.capability.deployment import Deployment, chat_from_history
from graftbench.benchmark.capability.evaluation import GradedDocuments, evaluate_cached
from graftbench.benchmark.capability.language_modelling import coherence, kl, replies, states_of, text_perplexity
from graftbench.benchmark.capability.measures import Measures
from graftbench.benchmark.core.hashing import digest
from graftbench.benchmark.core.names import MAX_FIGURE
from graftbench.benchmark.core.store import Store
from graftbench.benchmark.data.corpora import MAX_TEXT_TOKENS, Text
from graftbench.benchmark.data.examples import Prompt
from graftbench.benchmark.experiments.conditions import ZERO_VECTOR
from graftbench.benchmark.experiments.protocol import AnyText
from graftbench.benchmark.interventions.completions import row_parts
from graftbench.benchmark.interventions.conditions import Condition
from graftbench.benchmark.metrics.statistics import difference, resample
from graftbench.benchmark.models.chat import plain_text
from graftbench.benchmark.models.handle import ModelHandle
from graftbench.benchmark.models.load import Model
from graftbench.benchmark.results.schema import UNSTEERED, Missing, SideEffect, SideEffects, TaskMetric

SEED = 0  # of the bootstrap that gives the intervals
DEPLOYED_EVERYWHERE = "deployed_everywhere"  # the reason where `deployed` acts at all positions already
REPLACEMENT = "replacement"  # the condition under which all activations are mapped ones
MAPPED_ALREADY = "mapped_already"  # the reason where `mapped` itself is full replacement
_FIGURES = ("kl", "perplexity", "reply_perplexity", "reply_novelty")
_PROBES = (
    "Please tell me, in a word or two, which of these it could be, and say no more.",
    "Please tell me, in a few words and not in a great many, which of all these many things it could be, and why so.",
)


Report = Callable[[str, int, int], None]  # what is measured, and how many of its documents are done, of how many


@dataclass(frozen=True)
class Cost:
    """Side effects of one deployment.

    The figures are None where the suite names no texts or prompts to measure them on.

    Args:
        tasks: For each lm-eval task and metric, the value of every document.
        cut: For each task, the number of documents that were longer than the context and lost their start.
        kl: KL(untouched || steered) of next-token distributions in nats, over the untouched model's own replies.
        perplexity: Perplexity of neutral texts, per token.
        reply_perplexity: Perplexity of the replies under the untouched model, per token.
        reply_novelty: Share of the word trigrams of a reply that did not occur before in it, from 0 to 1.

    """

    tasks: Mapping[str, Mapping[str, Sequence[float]]]
    cut: Mapping[str, int]
    kl: float | None
    perplexity: float | None
    reply_perplexity: float | None
    reply_novelty: float | None


def measure_cost(
    store: Store, model: ModelHandle, deployment: Deployment, measures: Measures, report: Report = lambda *_: None
) -> Cost:
    """Measure the side effects of a deployment, or take them from the cache."""
    identity, size = deployment_identity(model, deployment), measures.batch_size
    tasks: dict[str, GradedDocuments] = {}
    for task in measures.tasks:
        report(task.name, 0, 0)
        tasks[task.name] = evaluate_cached(
            store, model, deployment, identity, task, batch_size=size, progress=partial(report, task.name)
        )
    report("texts and replies", 0, 0)
    texts = [asdict(text) for text in measures.texts]
    parts: list[Any] = [model.identity, model.device.type, identity, measures.prompts, texts]
    parts += [measures.max_new_tokens, size]

    def measured() -> dict[str, float | None]:
        with model.loaded() as loaded:
            return _language_modelling(store, loaded, deployment, measures)

    others = store.value("costs", parts, measured)
    metrics = {name: {metric: list(v) for metric, v in graded.metrics.items()} for name, graded in tasks.items()}
    return Cost(metrics, {name: graded.n_cut for name, graded in tasks.items()}, **others)


def _language_modelling(
    store: Store, model: Model, deployment: Deployment, measures: Measures
) -> dict[str, float | None]:
    """Return the figures of `Cost` by name, None where there are no texts or prompts to measure them on."""
    figures: dict[str, float | None] = dict.fromkeys(_FIGURES)
    if measures.texts:
        figures["perplexity"] = text_perplexity(model, deployment, measures.texts, MAX_TEXT_TOKENS)
    if measures.prompts:
        asked = measures.prompts, measures.max_new_tokens, measures.batch_size
        own = replies(store, model, Deployment(Condition(UNSTEERED)), *asked)
        texts = [Text(p, reply.text) for p, reply in zip(measures.prompts, own, strict=True) if reply.text]
        untouched = states_of(model, Deployment(Condition(UNSTEERED), deployment.as_deployed), texts)
        figures["kl"] = kl(model, untouched, states_of(model, deployment, texts))
        coherent = coherence(store, model, deployment, *asked)
        figures |= {"reply_perplexity": coherent.perplexity, "reply_novelty": coherent.novelty}
    return figures


def deployment_identity(model: ModelHandle, deployment: Deployment) -> str:
    """Return a hash of a deployment: of its identity, and of its interventions with their vectors on two prompts.

    The two prompts differ in length, so that positions counted from either end differ.
    """
    if not model.tokenizer.chat_template:
        plain = [deployment.plain(probe) for probe in _PROBES]
        chats = [plain_text(prompt.text, model.tokenizer, prompt.trigger) for prompt in plain]
        return digest(deployment.identity, [row_parts(deployment.row(chat, None)) for chat in chats])
    rows = []
    for probe in _PROBES:
        history = [{"role": "user", "content": probe}]
        chat = chat_from_history(history, model.tokenizer, deployment.as_deployed)
        rows.append(row_parts(deployment.row(chat, history)))
    return digest(deployment.identity, rows)


def side_effects(
    store: Store,
    model: ModelHandle,
    deployments: Mapping[str, Sequence[Deployment]],
    measures: Measures,
    report: Report = lambda *_: None,
) -> dict[str, SideEffect]:
    """Measure the side effects of conditions, compared with `unsteered`, which must be among them.

    `deployments` has by name one deployment for each draw of a condition. `report` is called with each name.
    """
    costs: dict[str, list[Cost]] = {}
    for name, draws in deployments.items():
        of_name = partial(_of_condition, report, name)
        costs[name] = [measure_cost(store, model, draw, measures, of_name) for draw in draws]
    return {name: _side_effect(draws, costs[UNSTEERED][0]) for name, draws in costs.items()}


def _of_condition(report: Report, name: str, what: str, done: int, of: int) -> None:
    report(f"{name}, {what}", done, of)


def _side_effect(draws: Sequence[Cost], untouched: Cost) -> SideEffect:
    """Return the mean cost over the draws of a condition, with differences from the untouched model."""
    tasks = {
        task: {
            metric: _task_metric([draw.tasks[task][metric] for draw in draws], own) for metric, own in metrics.items()
        }
        for task, metrics in untouched.tasks.items()
    }
    return SideEffect(
        tasks=tasks,
        cut={task: max(draw.cut[task] for draw in draws) for task in tasks},
        **{name: _mean([getattr(draw, name) for draw in draws]) for name in _FIGURES},
    )


def _task_metric(draws: Sequence[Sequence[float]], own: Sequence[float]) -> TaskMetric:
    """Return the mean over documents and draws, and its difference from the untouched model, paired by document."""
    values, untouched = np.array(draws, dtype=float).mean(0)[None], np.array([own], dtype=float)
    gain = difference(values, untouched, resample([f"{i:06}" for i in range(len(own))], 1, SEED))
    return TaskMetric(
        value=round(float(values.mean()), 4),
        n=len(own),
        difference=round(gain.value, 4),
        low=round(gain.low, 4),
        high=round(gain.high, 4),
    )


def _mean(values: Sequence[Any]) -> float | None:
    """Return the mean of the known values, without those that are too large for an entry; None where none are left."""
    known = [float(value) for value in values if value is not None and abs(value) <= MAX_FIGURE]
    return round(sum(known) / len(known), 4) if known else None


def side_effects_of_cell(store: Store, on_any_text: AnyText, measures: Measures, report: Report) -> SideEffects:
    """Measure the side effects of every condition of a cell, as deployed and stressed."""

    def measured(
        conditions: Mapping[str, Sequence[Condition]], as_deployed: Callable[[str], Prompt]
    ) -> dict[str, SideEffect]:
        present = {UNSTEERED: [Condition(UNSTEERED)], **{name: draws for name, draws in conditions.items() if draws}}
        deployments = {name: [Deployment(draw, as_deployed) for draw in draws] for name, draws in present.items()}
        return side_effects(store, on_any_text.model, deployments, measures, report)

    stressed = on_any_text.stressed
    reasons = {name: ZERO_VECTOR for name, draws in on_any_text.deployed.items() if not draws}
    if REPLACEMENT not in on_any_text.deployed:
        reasons[REPLACEMENT] = MAPPED_ALREADY
    return SideEffects(
        deployed=measured(on_any_text.deployed, on_any_text.words),
        stressed=Missing(reason=DEPLOYED_EVERYWHERE) if stressed is None else measured(stressed, Prompt),
        reasons=reasons,
    )
