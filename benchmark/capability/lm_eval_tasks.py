"""Tasks of lm-eval by name: those of the pocket world, MMLU and SQuAD from a mirror, and all that lm-eval ships."""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from graftbench.benchmark import zoo
from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.plugins import nearest
from graftbench.benchmark.data.rows import DATA_VARIABLE

if TYPE_CHECKING:
    from lm_eval.tasks import TaskDict, TaskManager


TASK_FOLDERS = (Path(__file__).parent / "lm_tasks", Path(zoo.__file__).parent / "lm_tasks")
CHAT = ("pocket_mmlu", "pocket_squad")  # in the chat format, the only one that models of the zoo know
FEWSHOT_SEED = 1234  # lm-eval's own
MMLU, CONDENSED = "mmlu", "mmlu_condensed"
PER_SUBJECT = 4  # documents of the condensed set (Oozeer et al., 2025, appendix L): 228 over 57 subjects


@dataclass(frozen=True)
class LmTask:
    """A task: the lm-eval tasks that it consists of, whether documents are chats, and their number per part."""

    name: str
    parts: tuple[Any, ...]  # names that lm-eval knows, or task configurations
    chat: bool
    limit: int | None


def lm_task(name: str, limit: int | None = None, *, chat: bool | None = None) -> LmTask:
    """Return a task by name, with the first `limit` documents of each of its parts; UserError where it is unknown.

    `chat` puts documents in the model's chat format; by default those of the pocket world are.
    """
    if name in (MMLU, CONDENSED):
        if limit is None and name == CONDENSED:
            limit = PER_SUBJECT
        return LmTask(name, tuple(_mmlu(subject) for subject in mmlu_subjects()), bool(chat), limit)
    if name not in _own_names() and name not in _lm_eval_names():
        raise UserError(f"lm-eval has no task {name!r}.{nearest(name, [*_own_names(), MMLU, CONDENSED])}")
    return LmTask(name, (name,), name in CHAT if chat is None else chat, limit)


@cache
def manager(stock: bool) -> "TaskManager":
    """Return lm-eval's index of our tasks, and with `stock` of its own too, which takes ten seconds to read."""
    from lm_eval.tasks import TaskManager

    return TaskManager(include_path=list(map(str, TASK_FOLDERS)), include_defaults=stock)


def manager_for(task: LmTask) -> "TaskManager":
    """Return the smallest index that has all parts of a task."""
    return manager(stock=any(isinstance(part, str) and part not in _own_names() for part in task.parts))


def load_task(task: LmTask) -> "TaskDict":
    """Load a task for lm-eval, once per process; zero-shot where it names no number of examples."""
    return _loaded(_Key(task, os.environ.get(DATA_VARIABLE)))


def hash_of_documents(task: LmTask) -> str:
    """Return a hash of the documents of a task."""
    return _hash_of_documents(_Key(task, os.environ.get(DATA_VARIABLE)))


@dataclass(frozen=True)
class _Key:
    """Cache key of a loaded task: its name, which stands for its parts, and the mirror of the data."""

    task: LmTask = field(hash=False)
    mirror: str | None
    name: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", self.task.name)


@cache
def _loaded(key: _Key) -> "TaskDict":
    try:
        loaded = manager_for(key.task).load(list(key.task.parts))
    except (OSError, ValueError) as error:  # the Hub's client and datasets raise one or the other
        why = str(error).splitlines()[0]
        raise UserError(f"The documents of the task {key.name} could not be had: {why}") from error
    for part in loaded["tasks"].values():
        if part.get_config("num_fewshot") is None:
            part.set_config(key="num_fewshot", value=0)
        part.set_fewshot_seed(seed=FEWSHOT_SEED)
    return loaded


@cache
def _hash_of_documents(key: _Key) -> str:
    total = hashlib.sha256()
    for name, part in sorted(_loaded(key)["tasks"].items()):
        total.update(name.encode())
        for document in part.eval_docs:
            total.update(json.dumps(document, sort_keys=True, default=str).encode())
    return total.hexdigest()


def mmlu_subjects() -> list[str]:
    """Return the subjects of MMLU."""
    return sorted(str(_settings(path)["dataset_name"]) for path in _stock("mmlu", "default").glob("mmlu_*.yaml"))


def _own_names() -> list[str]:
    return sorted(path.stem for folder in TASK_FOLDERS for path in folder.glob("*.yaml"))


def _lm_eval_names() -> list[str]:
    names: list[str] = manager(stock=True).all_tasks
    return names


@cache
def _stock(*parts: str) -> Path:
    """Return a folder of lm-eval's own tasks, without importing lm-eval."""
    spec = find_spec("lm_eval")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent.joinpath("tasks", *parts)


def _settings(path: Path) -> dict[str, Any]:
    settings: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return settings


def _mmlu(subject: str) -> dict[str, Any]:
    """Return lm-eval's configuration of a subject, with documents from the mirror or the Hub."""
    from graftbench.benchmark.capability.lm_tasks.documents import mmlu

    folder = _stock("mmlu", "default")
    template, own = _settings(folder / "_default_template_yaml"), _settings(folder / f"mmlu_{subject}.yaml")
    settings = {name: value for name, value in (template | own).items() if name not in _NOT_OURS}
    return {**settings, "custom_dataset": mmlu, "dataset_kwargs": {"subject": subject}}


_NOT_OURS = ("include", "tag", "dataset_path", "dataset_name", "task_alias")


@contextmanager
def restored_random_state() -> Iterator[None]:
    """Restore the global random states, which lm-eval seeds."""
    import random

    import numpy as np
    import torch

    before = random.getstate(), np.random.get_state(), torch.random.get_rng_state()
    try:
        yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])
        torch.random.set_rng_state(before[2])
