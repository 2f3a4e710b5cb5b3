"""The form of an entry: one mapper's results on one suite. Other people's tools read it."""

import json
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from .names import MOST, Count, Figure, Sha256, SuiteHash, Word

UNSTEERED = "unsteered"
SCHEMA_VERSION: Final = 2  # version 1 had no `sweep` and no `examples`


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class SuiteIdentity(_Part):
    """Which suite, by name and by hash of everything in it."""

    name: str
    hash: SuiteHash


class MapperRecord(_Part):
    """Which mapper, from which source, with which options.

    `files` is the file of a mapper in one, `fitted` what was fitted of a mapper that an installed package brings, as a
    leaderboard keeps them, by name with their hashes.
    """

    name: str
    source: str
    sha256: Sha256
    files: dict[str, Sha256] = {}
    fitted: dict[str, Sha256] = {}
    options: dict[str, str | int | float | bool]
    deterministic: bool
    vector_rule: str


class Rate(_Part):
    """The success rate of a condition with its interval and the parts of success; null with a reason.

    `marks` are shares of answers or means of verdicts, `groups` success rates by class of prompt, `measures` figures
    of any kind.
    """

    value: float | None
    low: float | None
    high: float | None
    gone: float | None = None
    good: float | None = None
    equal_clean: float | None = None
    marks: dict[str, float | None] = {}
    groups: dict[str, float] = {}
    measures: dict[str, float | None] = {}
    reason: str | None = None


class Transfer(_Part):
    """(mapped - baseline) / (native - baseline); null with a reason where the cell cannot be steered."""

    value: float | None
    low: float | None
    high: float | None
    baseline: str
    reason: str | None


class Cost(_Part):
    """What the mapper takes up and what it was fitted on."""

    parameters: Count
    bytes: Count
    pairs: Count
    share_aligned: Figure


class Training(_Part):
    """On what a mapper was fitted, and what it put on record."""

    data_hash: str
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
    reason: str


class Graded(_Part):
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

    tasks: dict[str, dict[str, Graded]]
    cut: dict[str, int] = {}
    kl: Annotated[float, Field(ge=-0.01, le=MOST)] | None = None  # rounding may take it below 0
    perplexity: Annotated[float, Field(ge=1, le=MOST)] | None = None
    reply_perplexity: Figure | None = None
    reply_novelty: Figure | None = None


class SideEffects(_Part):
    """What every condition of a cell costs, `unsteered` among them, in two settings.

    `deployed`: texts carry the trigger, where there is one, and what is done is done as on the cell's prompts.
    `stressed`: the vector's mean over positions at all positions of texts without a trigger. `reasons` say why a
    condition is missing.
    """

    deployed: dict[str, SideEffect]
    stressed: dict[str, SideEffect] | Missing
    reasons: dict[str, str] = {}

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

    prompt_tokens: int = 0
    completion_tokens: int = 0
    dollars: float | None = 0.0


class AtStrength(_Part):
    """The success rate of a condition at one strength, over `n` answers to validation prompts in all its draws."""

    strength: float
    value: float
    n: int


class Said(_Part):
    """What was said, and whether that is success; null where it is unscored."""

    completion: str
    success: bool | None


class Example(_Part):
    """What is said to one test prompt under each condition, in its first draw; a reply that is known to be good."""

    item: str
    prompt: str
    reference: str | None
    said: dict[str, Said]


class Cell(_Part):
    """One (task, variant, pair, track, seed) of one mapper."""

    task: Word
    task_version: int
    variant: Word
    pair: Word
    check: bool
    track: Literal["task", "unseen", "general"]
    seed: int
    status: Literal["ok", "failed", "timeout"]
    reason: str | None
    traceback: str | None = None
    sites: tuple[int, int] | None  # null where the task chooses them and did not get to it
    positions: tuple[str | int | None, str | int | None] | None = None  # where the vector is read, likewise
    strength: float | None = None
    n_asked: int | None = None
    n_prompts: int | None = None
    n_validation: int | None = None
    models: dict[str, str] = {}  # source and target: the hash of weights, configuration and tokenizer
    prompt_ids: list[str] = []
    clusters: list[str] = []
    bits: dict[str, list[list[int]]] = {}
    rates: dict[str, Rate] = {}
    sweep: dict[str, list[AtStrength]] = {}
    examples: list[Example] = []
    transfer: Transfer | None = None
    steerable: bool | None = None
    fidelity: dict[str, Figure | None] = {}
    training: Training | None = None
    side_effects: SideEffects | Missing = Missing(reason="not_measured")
    cost: Cost | None = None


class TaskScore(_Part):
    """The score of one task: ratio of sums over its steerable cells, times 100; null with a reason."""

    score: float | None
    low: float | None
    high: float | None
    reason: str | None = None
    n_steerable: int
    n_cells: int


class Score(_Part):
    """The mean of the tasks' scores; null, with a reason, where a cell failed or none can be steered."""

    score: float | None
    low: float | None
    high: float | None
    reason: str | None
    n_steerable: int
    n_cells: int
    by_task: dict[str, TaskScore]


class Headline(Score):
    """The score over all cells, and over those of each fit track alone, by which mappers are ranked."""

    bootstrap_seed: int
    by_track: dict[str, Score]


class Entry(_Part):
    """One mapper's results on one suite."""

    schema_version: Literal[1, 2] = SCHEMA_VERSION
    graftbench_version: str
    suite: SuiteIdentity
    judges: dict[str, dict[str, str]]
    rejudged: dict[str, str] = {}  # by measure: who judged it when strengths were chosen
    judging: Judging = Judging()
    mapper: MapperRecord
    environment: dict[str, str]
    headline: Headline
    cells: list[Cell]
