"""An entry, one mapper's results on one suite, and the parts that its file is made of."""

import json
from typing import Annotated, Any, Final, Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from graftbench.benchmark.core.names import (
    MAX_FIGURE,
    Count,
    Figure,
    Identity,
    Integer,
    Line,
    Sha256,
    Share,
    Strength,
    SuiteHash,
    Word,
)
from graftbench.benchmark.data.examples import Track
from graftbench.benchmark.results.draws import Draws

UNSTEERED = "unsteered"
NOT_STEERABLE = "not_steerable"  # the reason of a cell where native is no better than the baseline
SCHEMA_VERSION: Final = 4  # before 4, a transfer had one interval, and the headline was a mean over tasks


class Part(BaseModel):
    """Base of all parts: immutable, without unknown fields or infinite numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Limits(NamedTuple):
    """The limits of a 95 % interval."""

    low: Figure
    high: Figure


def _all_or_none(*figures: float | Limits | None) -> None:
    if len({figure is None for figure in figures}) > 1:
        raise ValueError("a figure stands with its interval, or neither does")


class SuiteIdentity(Part):
    """Name of a suite, and the hash of all its settings that affect what is measured."""

    name: Word
    hash: SuiteHash


class MapperRecord(Part):
    """Name, source and options of the mapper.

    `sha256` identifies its code: the hash of a submission's class and file, of the package of an installed mapper, or
    of `name/version` where the mapper is built in. `files` has the hash of a submission's file, `fitted` the hashes of
    the fitted files of a mapper from an installed package, both by name, as a leaderboard stores them.
    """

    name: str
    source: Line
    sha256: Sha256
    files: dict[str, Sha256] = {}
    fitted: dict[Line, Sha256] = {}
    options: dict[Word, Line | Integer | float | bool]
    deterministic: bool
    vector_rule: Word


class _Estimate(Part):
    """A figure with its interval, or neither."""

    value: Figure | None
    low: Figure | None
    high: Figure | None

    @model_validator(mode="after")
    def _with_its_interval(self) -> Self:
        _all_or_none(self.value, self.low, self.high)
        return self


class Rate(_Estimate):
    """Success rate of a condition with its interval and the parts of success; null with a reason.

    `marks` are shares or means of further verdicts, `groups` success rates by class of prompt, `measures` other
    figures.
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


class Transfer(Part):
    """(mapped - baseline) / (native - baseline); null with a reason where the cell cannot be steered.

    `confidence` is the confidence interval of the value, whose baseline is the mean of all random vectors; it is null
    where native's gain may be nothing, so that it has no limits. `prediction` is against a single random vector.
    """

    value: Figure | None
    confidence: Limits | None
    prediction: Limits | None
    baseline: Word
    reason: Line | None

    @model_validator(mode="after")
    def _with_its_intervals(self) -> Self:
        _all_or_none(self.value, self.prediction)
        if self.value is None and self.confidence is not None:
            raise ValueError("an interval stands with its figure")
        return self


class MapperCost(Part):
    """Size of the fitted mapper, and of its training data."""

    parameters: Count
    bytes: Count
    pairs: Count
    share_aligned: Share


class FitRecord(Part):
    """Hash of the data a mapper was fitted on, and its training record."""

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


class Missing(Part):
    """A missing quantity, with the reason."""

    value: None = None
    reason: Line


class TaskMetric(Part):
    """A metric of an lm-eval task over `n` documents, and its difference from the unsteered model.

    The difference is paired by document; its interval is a 95 % bootstrap over documents.
    """

    value: Figure
    n: Count
    difference: Figure
    low: Figure
    high: Figure


class SideEffect(Part):
    """Side effects of a condition on the target: perplexities per token, KL in nats; null where not measured.

    `cut` is the number of documents of a task that were longer than the model's context. `reply_perplexity` is the
    perplexity of completions under the unsteered model, `reply_novelty` the share of their word trigrams that are new.
    """

    tasks: dict[Word, dict[Word, TaskMetric]]
    cut: dict[Word, Count] = {}
    kl: Annotated[float, Field(ge=-0.01, le=MAX_FIGURE)] | None = None  # rounding may take it below 0
    perplexity: Annotated[float, Field(ge=1, le=MAX_FIGURE)] | None = None
    reply_perplexity: Figure | None = None
    reply_novelty: Share | None = None


class SideEffects(Part):
    """Side effects of every condition of a cell, `unsteered` among them, in two settings.

    `deployed`: texts carry the trigger, where there is one, and the intervention is that on the cell's prompts.
    `stressed`: texts without a trigger, with the vector's mean over positions added at all positions. `reasons` say why
    a condition is missing.
    """

    deployed: dict[Word, SideEffect]
    stressed: dict[Word, SideEffect] | Missing
    reasons: dict[Word, Line] = {}

    @field_validator("deployed", "stressed")
    @classmethod
    def _has_unsteered(cls, conditions: dict[str, SideEffect] | Missing) -> dict[str, SideEffect] | Missing:
        if isinstance(conditions, dict) and UNSTEERED not in conditions:
            raise ValueError("nothing is said of the unsteered model")
        return conditions


class Judging(Part):
    """Tokens and dollars that paid judges took, each completion counted once; dollars are null without prices."""

    prompt_tokens: Count = 0
    completion_tokens: Count = 0
    dollars: Annotated[float, Field(ge=0, le=MAX_FIGURE)] | None = 0.0


class AtStrength(Part):
    """Success rate of a condition at one strength, over `n` answers to validation prompts in all draws.

    Below zero the vector is subtracted, and success is that a behaviour shows less.
    """

    strength: Annotated[float, Field(gt=-1e6, lt=1e6)]
    value: Share
    n: Count


class ShownReply(Part):
    """A completion, and whether it is a success; null where it is unscored."""

    completion: str
    success: bool | None


class ShownPrompt(Part):
    """Replies to one test prompt under each condition, in its first draw; `reference` is a reply known to be good."""

    item: Word
    prompt: str
    reference: str | None
    said: dict[Word, ShownReply]


class ExperimentFacts(Part):
    """What the tracks and seeds of a (task, variant, pair) usually have in common."""

    task: Word
    task_version: Count
    variant: Word
    pair: Word
    check: bool
    sites: tuple[Integer, Integer] | None  # null where the task would have chosen them and did not get that far
    positions: tuple[Word | Integer | None, Word | Integer | None] | None = None  # where the vector is read, likewise
    strength: Strength | None = None
    n_asked: Count | None = None
    n_prompts: Count | None = None
    n_validation: Count | None = None
    models: dict[Word, Line] = {}  # source and target: the hash of weights, configuration and tokenizer


class FitFacts(Part):
    """What is said of an experiment with one fit of a mapper, on one track with one seed."""

    track: Track
    seed: Integer
    status: Literal["ok", "failed", "timeout"]
    reason: Line | None
    traceback: str | None = None
    transfer: Transfer | None = None
    steerable: bool | None = None
    fidelity: dict[Word, Figure | None] = {}
    cost: MapperCost | None = None


NOT_MEASURED: Final = Missing(reason="not_measured")


class CellResult(ExperimentFacts, FitFacts):
    """Result of one cell: a (task, variant, pair, track, seed) of one mapper."""

    prompt_ids: list[Word] = []
    clusters: list[str] = []
    bits: dict[Word, Draws] = {}
    rates: dict[Word, Rate] = {}
    sweep: dict[Word, list[AtStrength]] = {}
    examples: list[ShownPrompt] = []
    training: FitRecord | None = None
    side_effects: SideEffects | Missing = NOT_MEASURED


class Score(Part):
    """A transfer pooled over the prompts of some cells, times 100; null with a reason.

    `low` to `high` is its 95 % confidence interval. A mapper that brings random vectors, another one in each cell and
    with each seed, scores from `null_low` to `null_high` in 95 % of cases.
    """

    score: Figure | None
    low: Figure | None
    high: Figure | None
    null_low: Figure | None
    null_high: Figure | None
    reason: Line | None
    n_cells: Count = 0
    n_prompts: Count = 0

    @model_validator(mode="after")
    def _with_its_intervals(self) -> Self:
        _all_or_none(self.score, self.low, self.high, self.null_low, self.null_high)
        return self


class TrackScores(Part):
    """Scores on one fit track, each of one task or one pair."""

    by_task: dict[Word, Score]
    by_pair: dict[Word, Score]


class Headline(Part):
    """The score `fitted`, and what it is made of; `reason` says why there is no score, on any track.

    `left_out` has the cells that enter no score, as `task variant pair`, with the reason.
    """

    reason: Line | None
    n_steerable: Count
    n_cells: Count
    left_out: dict[Line, Line] = {}
    fitted: Score
    by_track: dict[Word, TrackScores]


class EntryFacts(Part):
    """An entry without its cells."""

    graftbench_version: Word
    suite: SuiteIdentity
    judges: dict[Word, dict[Word, Identity]]
    datasets: dict[Word, Identity] = {}  # by task, and that of the track general; empty in entries of before
    rejudged: dict[Word, Identity] = {}  # by measure: the judge that it had when strengths were chosen
    judging: Judging = Judging()
    mapper: MapperRecord
    environment: dict[Word, Line]
    headline: Headline


class Entry(EntryFacts):
    """Results of one mapper on one suite."""

    schema_version: Literal[4] = SCHEMA_VERSION
    cells: list[CellResult]
