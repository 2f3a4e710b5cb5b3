"""Which side effects are measured: the part of a suite that asks for them, and the tasks and texts that it names."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from graftbench.benchmark.capability.lm_eval_tasks import LmTask, lm_task
from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.plugins import nearest
from graftbench.benchmark.data.corpora import PUBLISHED_CORPORA, Text
from graftbench.benchmark.zoo.corpus import harmless_prompts, pocket_texts

CORPORA = {**PUBLISHED_CORPORA, "pocket": pocket_texts}


Limit = Annotated[int, Field(ge=1)]


class SideEffectsSpec(BaseModel):
    """The side effects that a suite measures in every steerable cell."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tasks: list[str] = ["pocket_mmlu", "pocket_squad"]  # of lm-eval
    limit: Limit | dict[str, Limit] | None = None  # documents of each task, or of each of its subjects; or by task
    prompts: Annotated[int, Field(ge=1)] = 32  # harmless ones, for KL and coherence
    corpus: str = "pocket"  # neutral texts, for perplexity
    texts: Annotated[int, Field(ge=0)] = 64
    draws: Annotated[int, Field(ge=1)] = 1  # random vectors

    def limit_of(self, task: str) -> int | None:
        """Return the number of documents that are asked at the most; None: all."""
        return self.limit.get(task) if isinstance(self.limit, dict) else self.limit


@dataclass(frozen=True)
class Measures:
    """Tasks of lm-eval, harmless prompts for KL and coherence, and neutral texts for perplexity."""

    tasks: tuple[LmTask, ...]
    prompts: tuple[str, ...] = ()
    texts: tuple[Text, ...] = ()
    max_new_tokens: int = 72
    batch_size: int = 32


def measures_of(spec: SideEffectsSpec, max_new_tokens: int, batch_size: int) -> Measures:
    """Return the tasks, prompts and texts that a suite asks for."""
    tasks = tuple(lm_task(name, spec.limit_of(name)) for name in spec.tasks)
    texts = tuple(corpus(spec.corpus, spec.texts)) if spec.texts else ()
    return Measures(tasks, harmless_prompts(spec.prompts), texts, max_new_tokens, batch_size)


def check_spec(spec: SideEffectsSpec) -> None:
    """Raise UserError where a suite asks for an unknown task or corpus."""
    for name in spec.tasks:
        lm_task(name)
    for name in spec.limit if isinstance(spec.limit, dict) else ():
        if name not in spec.tasks:
            raise UserError(
                f"`limit` names {name!r}, which is none of the tasks of the side effects.{nearest(name, spec.tasks)}"
            )
    _corpus_reader(spec.corpus)


def corpus(name: str, n: int) -> list[Text]:
    """Return the first `n` texts of a corpus; UserError where its name is unknown or it cannot be loaded."""
    return list(islice(_corpus_reader(name)(), n))


def _corpus_reader(name: str) -> Callable[[], Iterator[Text]]:
    if name not in CORPORA:
        raise UserError(f"There is no corpus {name!r}.{nearest(name, sorted(CORPORA))}")
    return CORPORA[name]
