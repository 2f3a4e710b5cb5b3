"""Evaluate lm-eval tasks on a model under a condition, document by document, cached by content."""

import hashlib
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr
from dataclasses import asdict, dataclass
from importlib.metadata import version
from io import StringIO
from typing import Any

from graftbench.benchmark.capability.deployment import Deployment
from graftbench.benchmark.capability.document_count import Progress
from graftbench.benchmark.capability.lm_eval_tasks import LmTask, hash_of_documents, load_task, restored_random_state
from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.store import Store
from graftbench.benchmark.models.handle import ModelHandle
from graftbench.benchmark.models.load import Model


@dataclass(frozen=True)
class GradedDocuments:
    """Results of a task: for each metric the value of every document, in order.

    Args:
        documents: Hashes of the documents.
        log_likelihoods: Those of all continuations in nats, where the task has any.
        n_cut: Number of documents that were longer than the model's context and lost their start.

    """

    metrics: Mapping[str, tuple[float, ...]]
    documents: tuple[str, ...]
    log_likelihoods: tuple[float, ...]
    n_cut: int

    def mean(self, metric: str) -> float:
        """Return the mean over all documents."""
        return sum(self.metrics[metric]) / len(self.metrics[metric])


def evaluate_cached(
    store: Store,
    model: ModelHandle,
    deployment: Deployment,
    identity: str,
    task: LmTask,
    *,
    batch_size: int = 32,
    progress: Progress = lambda *_: None,
) -> GradedDocuments:
    """Evaluate a task under a deployment, or take its results from the cache; `identity` is that of the deployment."""
    parts = [model.identity, model.device.type, identity, task.name, task.limit, task.chat, version("lm_eval")]
    with _quiet():
        parts.append(hash_of_documents(task))

    def evaluated() -> dict[str, Any]:
        with model.loaded() as loaded:
            return asdict(evaluate(loaded, deployment, task, batch_size, progress))

    cached = store.value("lm_eval", parts, evaluated)
    metrics = {name: tuple(values) for name, values in cached["metrics"].items()}
    return GradedDocuments(metrics, tuple(cached["documents"]), tuple(cached["log_likelihoods"]), cached["n_cut"])


def evaluate(
    model: Model,
    deployment: Deployment,
    task: LmTask,
    batch_size: int = 32,
    progress: Progress = lambda *_: None,
) -> GradedDocuments:
    """Evaluate a task under a deployment; UserError where it has no metric that is a number for each document."""
    from lm_eval import evaluator

    from graftbench.benchmark.capability.lm_eval_model import IntervenedLM

    with restored_random_state(), _quiet():
        lm = IntervenedLM(model, deployment, batch_size, progress)
        results = evaluator.evaluate(
            lm=lm,
            task_dict=load_task(task),
            limit=task.limit,
            apply_chat_template=task.chat,
            bootstrap_iters=0,
            log_samples=True,
        )
    assert results is not None
    by_filter: dict[str, list[dict[str, Any]]] = {}
    for part in results["samples"].values():  # a document has a sample for each filter of its task
        for sample in _in_order(part):
            by_filter.setdefault(str(sample["filter"]), []).append(sample)
    metrics = {
        name if len(by_filter) == 1 else f"{name},{filtered}": tuple(float(s[name]) for s in samples)
        for filtered, samples in by_filter.items()
        for name in _metrics(samples)
    }
    if not metrics:
        raise UserError(f"The task {task.name} has no metric that is a number for each document: choose another.")
    first = next(iter(by_filter.values()))
    documents = tuple(_hash(f"{s['doc_hash']} {s['target_hash']}") for s in first)
    return GradedDocuments(metrics, documents, tuple(x for s in first for x in _log_likelihoods(s)), lm.n_cut)


def _in_order(samples: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(samples, key=lambda sample: int(sample["doc_id"]))


def _metrics(samples: list[dict[str, Any]]) -> list[str]:
    """Return the metrics that are a number for every document."""
    named = dict.fromkeys(name for sample in samples for name in sample["metrics"])
    return [name for name in named if all(isinstance(s.get(name), int | float) for s in samples)]


def _log_likelihoods(sample: dict[str, Any]) -> list[float]:
    """Return the log-likelihoods of a document's continuations; generated texts have none."""
    return [float(reply[0]) for reply in sample["filtered_resps"] if isinstance(reply, tuple | list)]


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence lm-eval's own progress bars and hints; callers report progress themselves."""
    logger = logging.getLogger("lm_eval")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with redirect_stderr(StringIO()):  # progress bars write to the stderr at hand when they are made
            yield
    finally:
        logger.setLevel(level)
