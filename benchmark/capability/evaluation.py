"""Tasks of lm-eval on a model with something done to it, document by document, kept by content."""

import hashlib
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr
from dataclasses import asdict, dataclass
from importlib.metadata import version
from io import StringIO
from typing import Any

from graftbench.benchmark.capability.deployment import Deployment
from graftbench.benchmark.capability.lm_eval_tasks import LmTask, documents_of, loaded, random_state_kept
from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.store import Store
from graftbench.benchmark.models.load import Model


@dataclass(frozen=True)
class GradedDocuments:
    """What came of a task: for each metric the value of every document, in order.

    `documents` are the hashes of what was asked, `logged` the log-likelihoods of all continuations in nats, where the
    task has any; `n_cut` documents were longer than the model's context and lost their start.
    """

    metrics: Mapping[str, tuple[float, ...]]
    documents: tuple[str, ...]
    logged: tuple[float, ...]
    n_cut: int

    def mean(self, metric: str) -> float:
        """The mean over all documents."""
        return sum(self.metrics[metric]) / len(self.metrics[metric])


def graded(
    store: Store, model: Model, doing: Deployment, identity: str, task: LmTask, *, batch_size: int = 32
) -> GradedDocuments:
    """The task under what is done, which `identity` stands for, through the store."""
    asked = [model.identity, model.device.type, identity, task.name, task.limit, task.chat, version("lm_eval")]
    with _quiet():
        parts = [*asked, documents_of(task)]
    kept = store.value("lm_eval", parts, lambda: asdict(evaluate(model, doing, task, batch_size)))
    metrics = {name: tuple(values) for name, values in kept["metrics"].items()}
    return GradedDocuments(metrics, tuple(kept["documents"]), tuple(kept["logged"]), kept["n_cut"])


def evaluate(model: Model, doing: Deployment, task: LmTask, batch_size: int = 32) -> GradedDocuments:
    """The task under what is done."""
    from lm_eval import evaluator

    from graftbench.benchmark.capability.lm_eval_model import Intervened

    with random_state_kept(), _quiet():
        lm = Intervened(model, doing, batch_size)
        found = evaluator.evaluate(
            lm=lm,
            task_dict=loaded(task),
            limit=task.limit,
            apply_chat_template=task.chat,
            bootstrap_iters=0,
            log_samples=True,
        )
    assert found is not None
    by_filter: dict[str, list[dict[str, Any]]] = {}
    for part in found["samples"].values():  # a document has a sample for each filter of its task
        for sample in _in_order(part):
            by_filter.setdefault(str(sample["filter"]), []).append(sample)
    metrics = {
        name if len(by_filter) == 1 else f"{name},{filtered}": tuple(float(s[name]) for s in some)
        for filtered, some in by_filter.items()
        for name in _metrics(some)
    }
    if not metrics:
        raise UserError(f"The task {task.name} has no metric that is a number for each document: choose another.")
    samples = next(iter(by_filter.values()))
    documents = tuple(_hash(f"{s['doc_hash']} {s['target_hash']}") for s in samples)
    return GradedDocuments(metrics, documents, tuple(x for s in samples for x in _logged(s)), lm.n_cut)


def _in_order(samples: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(samples, key=lambda sample: int(sample["doc_id"]))


def _metrics(samples: list[dict[str, Any]]) -> list[str]:
    """The metrics that every document has a number for."""
    named = dict.fromkeys(name for sample in samples for name in sample["metrics"])
    return [name for name in named if all(isinstance(s.get(name), int | float) for s in samples)]


def _logged(sample: dict[str, Any]) -> list[float]:
    """The log-likelihoods of a document's continuations; of texts that were written there is none."""
    said = sample["filtered_resps"]
    return [float(one[0]) for one in said if isinstance(one, tuple | list)]


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@contextmanager
def _quiet() -> Iterator[None]:
    """Without lm-eval's own bars and hints: progress is told by whoever asks."""
    logger = logging.getLogger("lm_eval")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with redirect_stderr(StringIO()):  # bars take the stream that is there when they are made
            yield
    finally:
        logger.setLevel(level)
