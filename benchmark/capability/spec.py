"""Which side effects a suite measures."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SideEffectsSpec(_Part):
    """What is measured of what interventions cost, in every cell that can be steered."""

    tasks: list[str] = ["pocket_mmlu", "pocket_squad"]  # of lm-eval
    limit: Annotated[int, Field(ge=1)] | None = None  # documents of each task, or of each of its subjects
    prompts: Annotated[int, Field(ge=1)] = 32  # harmless ones, for KL and coherence
    corpus: str = "pocket"  # neutral texts, for perplexity
    texts: Annotated[int, Field(ge=0)] = 64
    draws: Annotated[int, Field(ge=1)] = 1  # random vectors
