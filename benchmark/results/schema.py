"""The form of an entry: one mapper's results on one suite. Other people's tools read it."""

import json
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from graftbench.benchmark.core.names import (
    MOST,
    Count,
    Figure,
    Identity,
    Line,
    Sha256,
    Share,
    Strength,
    SuiteHash,
    Whole,
    Word,
)

UNSTEERED = "unsteered"
SCHEMA_VERSION: Final = 2  # version 1 had no `sweep` and no `examples`


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def _all_or_none(*figures: float | None) -> None:
    if len({figure is None for figure in figures}) > 1:
        raise ValueError("a figure stands with its interval, or neither does")


class SuiteIdentity(_Part):
    """Which suite, by name and by hash of everything in it."""

    name: Word
    hash: SuiteHash


class MapperRecord(_Part):
    """Which mapper, from which source, with which options.

    `sha256` identifies its code: that of the file of a submission, of the package of an installed mapper, or of
    `name/version` where the mapper is built in.
    `files` is the file of a mapper in one, `fitted` what was fitted of a mapper that an installed package brings, as a
    leaderboard keeps them, by name with their hashes.
    """

    name: str
    source: Line
    sha256: Sha256
    files: dict[str, Sha256] = {}
    fitted: dict[Line, Sha256] = {}
    options: dict[Word, Line | Whole | float | bool]
    deterministic: bool
    vector_rule: Word


class _Estimate(_Part):
    """A figure with its interval, or neither."""

    value: Figure | None
    low: Figure | None
    high: Figure | None

    @model_validator(mode="after")
    def _with_its_interval(self) -> Self:
        _all_or_none(self.value, self.low, self.high)
        return self


class Rate(_Estimate):
    """The success rate of a condition with its interval and the parts of success; null with a reason.

    `marks` are shares of answers or means of verdicts, `groups` success rates by class of prompt, `measures` figures
    of any kind.
    """

    value: Share | None
    low: Share | None
    high: Share | None
    gone: Share | None = None
    good: Share | None = None
    equal_clean: Share | None = None
    marks: dict[Word, Figure | None] = {}
    groups: dict[Word, Share] = {}
    measures: dict[Word, Figure | None] = {}
    reason: Line | None = None


class Transfer(_Estimate):
    """(mapped - baseline) / (native - baseline); null with a reason where the cell cannot be steered."""

    baseline: Word
    reason: Line | None


class MapperCost(_Part):
    """What the mapper takes up and what it was fitted on."""

    parameters: Count
    bytes: Count
    pairs: Count
    share_aligned: Share


class FitRecord(_Part):
    """On what a mapper was fitted, and what it put on record."""

    data_hash: Word
    record: dict[str, Any]

    @field_validator("record")
    @classmethod
    def _finite(cls, record: dict[str, Any]) -> dict[str, Any]:
        try:
            json.dumps(record, allow_nan=False)
        except ValueError as error:
            raise ValueError("a figure in it is not finite") from error
        return record


class Missing(_Part):
    """A quantity that is not there, and why."""

    value: None = None
    reason: Line


class TaskMetric(_Part):
    """A metric of a task of lm-eval over `n` documents, and its difference to the unsteered model's.

    The difference is paired by document; its interval is a 95 % bootstrap over documents.
    """

    value: Figure
    n: Count
    difference: Figure
    low: Figure
    high: Figure


class SideEffect(_Part):
    """What a condition costs the target; perplexities per token, KL in nats; null where the suite asks for none.

    `cut` documents of a task were longer than the model's context. `reply_perplexity` is that of completions under the
    untouched model, `reply_novelty` the share of three words in a row in them that were not said before.
    """

    tasks: dict[Word, dict[Word, TaskMetric]]
    cut: dict[Word, Count] = {}
    kl: Annotated[float, Field(ge=-0.01, le=MOST)] | None = None  # rounding may take it below 0
    perplexity: Annotated[float, Field(ge=1, le=MOST)] | None = None
    reply_perplexity: Figure | None = None
    reply_novelty: Share | None = None


class SideEffects(_Part):
    """What every condition of a cell costs, `unsteered` among them, in two settings.

    `deployed`: texts carry the trigger, where there is one, and what is done is done as on the cell's prompts.
    `stressed`: the vector's mean over positions at all positions of texts without a trigger. `reasons` say why a
    condition is missing.
    """

    deployed: dict[Word, SideEffect]
    stressed: dict[Word, SideEffect] | Missing
    reasons: dict[Word, Line] = {}

    @field_validator("deployed", "stressed")
    @classmethod
    def _beside_unsteered(cls, found: dict[str, SideEffect] | Missing) -> dict[str, SideEffect] | Missing:
        if isinstance(found, dict) and UNSTEERED not in found:
            raise ValueError("nothing is said of the unsteered model")
        return found


class Judging(_Part):
    """What judges that are paid for took, each completion counted once: tokens read and written, dollars.

    Dollars are null where the suite names no prices.
    """

    prompt_tokens: Count = 0
    completion_tokens: Count = 0
    dollars: Annotated[float, Field(ge=0, le=MOST)] | None = 0.0


class AtStrength(_Part):
    """The success rate of a condition at one strength, over `n` answers to validation prompts in all its draws."""

    strength: Strength
    value: Share
    n: Count


class ShownReply(_Part):
    """What was said, and whether that is success; null where it is unscored."""

    completion: str
    success: bool | None


class ShownPrompt(_Part):
    """What is said to one test prompt under each condition, in its first draw; a reply that is known to be good."""

    item: Word
    prompt: str
    reference: str | None
    said: dict[Word, ShownReply]


class CellResult(_Part):
    """One (task, variant, pair, track, seed) of one mapper."""

    task: Word
    task_version: Count
    variant: Word
    pair: Word
    check: bool
    track: Literal["task", "unseen", "general"]
    seed: Whole
    status: Literal["ok", "failed", "timeout"]
    reason: Line | None
    traceback: str | None = None
    sites: tuple[Whole, Whole] | None  # null where the task chooses them and did not get to it
    positions: tuple[Word | Whole | None, Word | Whole | None] | None = None  # where the vector is read, likewise
    strength: Strength | None = None
    n_asked: Count | None = None
    n_prompts: Count | None = None
    n_validation: Count | None = None
    models: dict[Word, Line] = {}  # source and target: the hash of weights, configuration and tokenizer
    prompt_ids: list[Word] = []
    clusters: list[str] = []
    bits: dict[Word, list[list[int]]] = {}
    rates: dict[Word, Rate] = {}
    sweep: dict[Word, list[AtStrength]] = {}
    examples: list[ShownPrompt] = []
    transfer: Transfer | None = None
    steerable: bool | None = None
    fidelity: dict[Word, Figure | None] = {}
    training: FitRecord | None = None
    side_effects: SideEffects | Missing = Missing(reason="not_measured")
    cost: MapperCost | None = None


class _Scored(_Part):
    """A score with its interval, or neither."""

    score: Figure | None
    low: Figure | None
    high: Figure | None

    @model_validator(mode="after")
    def _with_its_interval(self) -> Self:
        _all_or_none(self.score, self.low, self.high)
        return self


class TaskScore(_Scored):
    """The score of one task: ratio of sums over its steerable cells, times 100; null with a reason."""

    reason: Line | None = None
    n_steerable: Count
    n_cells: Count


class Score(_Scored):
    """The mean of the tasks' scores; null, with a reason, where a cell failed or none can be steered."""

    reason: Line | None
    n_steerable: Count
    n_cells: Count
    by_task: dict[Word, TaskScore]


class Headline(Score):
    """The score over all cells, and over those of each fit track alone, by which mappers are ranked."""

    bootstrap_seed: Count
    by_track: dict[Word, Score]


class Entry(_Part):
    """One mapper's results on one suite."""

    schema_version: Literal[1, 2] = SCHEMA_VERSION
    graftbench_version: Word
    suite: SuiteIdentity
    judges: dict[Word, dict[Word, Identity]]
    rejudged: dict[Word, Identity] = {}  # by measure: who judged it when strengths were chosen
    judging: Judging = Judging()
    mapper: MapperRecord
    environment: dict[Word, Line]
    headline: Headline
    cells: list[CellResult]
