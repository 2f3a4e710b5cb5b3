"""Tasks of lm-eval by name: the pocket world's, MMLU and SQuAD as they are here, and every other that lm-eval has."""

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
from graftbench.benchmark.data.rows import VARIABLE

if TYPE_CHECKING:
    from lm_eval.tasks import TaskDict, TaskManager


OWN = (Path(__file__).parent / "lm_tasks", Path(zoo.__file__).parent / "lm_tasks")
CHAT = ("pocket_mmlu", "pocket_squad")  # asked in the chat format: the models of the zoo know nothing else
FEWSHOT_SEED = 1234  # lm-eval's own
MMLU, CONDENSED = "mmlu", "mmlu_condensed"
PER_SUBJECT = 4  # documents of the condensed set (Oozeer et al., 2025, appendix L): 228 over 57 subjects


@dataclass(frozen=True)
class LmTask:
    """A task by its name: what lm-eval is asked for, in which format, and how many documents of each part."""

    name: str
    parts: tuple[Any, ...]  # names that lm-eval knows, or settings of tasks
    chat: bool
    limit: int | None


def lm_task(name: str, limit: int | None = None, *, chat: bool | None = None) -> LmTask:
    """The task that is meant; with a `limit`, the first so many documents of each of its parts.

    `chat` says whether documents are put in the model's chat format; by default those of the pocket world are.
    """
    if name in (MMLU, CONDENSED):
        if limit is None and name == CONDENSED:
            limit = PER_SUBJECT
        return LmTask(name, tuple(_mmlu(subject) for subject in subjects()), bool(chat), limit)
    if name not in _own() and name not in _known():
        raise UserError(f"lm-eval has no task {name!r}.{nearest(name, [*_own(), MMLU, CONDENSED])}")
    return LmTask(name, (name,), name in CHAT if chat is None else chat, limit)


@cache
def manager(stock: bool) -> "TaskManager":
    """What knows the tasks of this folder, and with `stock` lm-eval's own, too, which takes ten seconds to read."""
    from lm_eval.tasks import TaskManager

    return TaskManager(include_path=list(map(str, OWN)), include_defaults=stock)


def manager_for(task: LmTask) -> "TaskManager":
    """The one that knows a task's parts."""
    return manager(stock=any(isinstance(part, str) and part not in _own() for part in task.parts))


def loaded(task: LmTask) -> "TaskDict":
    """The task as lm-eval runs it, made once and run without examples where it names no number of them."""
    return _loaded(_Key(task, os.environ.get(VARIABLE)))


def documents_of(task: LmTask) -> str:
    """A hash of the documents of a task."""
    return _documents_of(_Key(task, os.environ.get(VARIABLE)))


@dataclass(frozen=True)
class _Key:
    """What a task is made of: its name stands for its parts, and data may come from another folder."""

    task: LmTask = field(hash=False)
    mirror: str | None
    name: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", self.task.name)


@cache
def _loaded(key: _Key) -> "TaskDict":
    try:
        found = manager_for(key.task).load(list(key.task.parts))
    except (OSError, ValueError) as error:  # what the Hub's client and datasets raise is one or the other
        why = str(error).splitlines()[0]
        raise UserError(f"The documents of the task {key.name} could not be had: {why}") from error
    for one in found["tasks"].values():
        if one.get_config("num_fewshot") is None:
            one.set_config(key="num_fewshot", value=0)
        one.set_fewshot_seed(seed=FEWSHOT_SEED)
    return found


@cache
def _documents_of(key: _Key) -> str:
    total = hashlib.sha256()
    for name, one in sorted(_loaded(key)["tasks"].items()):
        total.update(name.encode())
        for document in one.eval_docs:
            total.update(json.dumps(document, sort_keys=True, default=str).encode())
    return total.hexdigest()


def subjects() -> list[str]:
    """The subjects of MMLU."""
    return sorted(str(_settings(path)["dataset_name"]) for path in _stock("mmlu", "default").glob("mmlu_*.yaml"))


def _own() -> list[str]:
    return sorted(path.stem for folder in OWN for path in folder.glob("*.yaml"))


def _known() -> list[str]:
    found: list[str] = manager(stock=True).all_tasks
    return found


@cache
def _stock(*parts: str) -> Path:
    """A folder of lm-eval's own tasks, found without importing it."""
    spec = find_spec("lm_eval")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent.joinpath("tasks", *parts)


def _settings(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found


def _mmlu(subject: str) -> dict[str, Any]:
    """lm-eval's own settings of a subject, with the documents from wherever they are."""
    from graftbench.benchmark.capability.lm_tasks.documents import mmlu

    folder = _stock("mmlu", "default")
    template, own = _settings(folder / "_default_template_yaml"), _settings(folder / f"mmlu_{subject}.yaml")
    settings = {name: value for name, value in (template | own).items() if name not in _NOT_OURS}
    return {**settings, "custom_dataset": mmlu, "dataset_kwargs": {"subject": subject}}


_NOT_OURS = ("include", "tag", "dataset_path", "dataset_name", "task_alias")


@contextmanager
def random_state_kept() -> Iterator[None]:
    """Put the global random states back that lm-eval seeds."""
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
