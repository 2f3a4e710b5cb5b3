"""Summarise the answers of a cell for its entry: bits, parts of success, sweep and examples."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from graftbench.benchmark.data.examples import Example
from graftbench.benchmark.results.rows import MAX_UNSCORED_SHARE, PERPLEXITY, Answer
from graftbench.benchmark.results.schema import AtStrength, ShownPrompt, ShownReply

Shares = dict[str, float]
Means = dict[str, float | None]


@dataclass(frozen=True)
class SuccessParts:
    """Shares of a condition's answers, over prompts and draws: the parts of success, and figures reported with them."""

    gone: float
    good: float
    equal_clean: float | None  # None where there are no clean answers
    marks: Means  # the share or mean of each further verdict; None where too many are unscored
    groups: Shares  # the success rate in each group of prompts


@dataclass(frozen=True)
class Summary:
    """The test prompts of a cell, the bits and parts of every condition, and all answers."""

    prompt_ids: list[str]
    clusters: list[str]
    bits: dict[str, list[list[int]]]  # by condition, [draws][prompts]
    parts: dict[str, SuccessParts]
    rows: list[Answer] = field(repr=False)
    sweep: dict[str, list[AtStrength]] = field(default_factory=dict)
    examples: list[ShownPrompt] = field(default_factory=list)


def summarise(
    answers: Sequence[Answer], items: Sequence[Example], ids: Sequence[str], clean: Mapping[str, str]
) -> Summary:
    """Summarise the answers to the prompts `ids`; `clean` has their clean answers, or is empty."""
    examples = {item.id: item for item in items}
    counted = set(ids)
    test = [a for a in answers if a.split == "test" and a.item in counted]
    by_condition: dict[str, list[Answer]] = {}
    for a in test:
        by_condition.setdefault(a.condition, []).append(a)
    return Summary(
        list(ids),
        [examples[prompt].cluster for prompt in ids],
        {name: _bits(group, ids) for name, group in by_condition.items()},
        {name: _parts(group, examples, clean) for name, group in by_condition.items()},
        list(answers),
        sweep_of(answers),
        examples_of(test, ids),
    )


def _bits(answers: Sequence[Answer], ids: Sequence[str]) -> list[list[int]]:
    """Return the successes [draws][prompts] of one condition."""
    draws: dict[int, dict[str, int]] = {}
    for a in answers:
        draws.setdefault(a.draw, {})[a.item] = int(bool(a.success))
    return [[draws[draw][prompt] for prompt in ids] for draw in sorted(draws)]


def _parts(answers: Sequence[Answer], examples: Mapping[str, Example], clean: Mapping[str, str]) -> SuccessParts:
    groups = sorted({examples[a.item].group for a in answers} - {""})
    return SuccessParts(
        _share([bool(a.gone) for a in answers]),
        _share([bool(a.good) for a in answers]),
        _share([a.completion == clean[a.item] for a in answers]) if clean else None,
        {mark: mean_scored((a.marks.get(mark), 1) for a in answers) for mark in mark_names(a.marks for a in answers)},
        {name: _share([bool(a.success) for a in answers if examples[a.item].group == name]) for name in groups},
    )


def _share(truths: Sequence[bool]) -> float:
    return sum(truths) / len(truths)


def mark_names(marks: Iterable[Mapping[str, float | None]]) -> list[str]:
    """Return the names of all further verdicts among the marks of answers; an unscored answer has none.

    The perplexity is what judges read, no verdict, and its mean would be that of a few broken answers.
    """
    return list(dict.fromkeys(name for each in marks for name in each if name != PERPLEXITY))


def mean_scored(values: Iterable[tuple[float | None, int]]) -> float | None:
    """Return the mean of the values that are there, each so many times; None where more than 5 % are missing."""
    counts = list(values)
    scored = [(float(value), n) for value, n in counts if value is not None]
    n_all, n_scored = sum(n for _, n in counts), sum(n for _, n in scored)
    enough = n_all - n_scored <= MAX_UNSCORED_SHARE * n_all
    return sum(value * n for value, n in scored) / n_scored if n_scored and enough else None


N_EXAMPLES = 2  # prompts, the first of the test split


def sweep_of(answers: Sequence[Answer]) -> dict[str, list[AtStrength]]:
    """Return the success rate of each condition at each strength, on validation prompts over all draws."""
    successes: dict[str, dict[float, list[bool]]] = {}
    for a in answers:
        if a.split == "validation" and a.strength is not None and a.success is not None:
            successes.setdefault(a.condition, {}).setdefault(a.strength, []).append(a.success)
    return {name: [at_strength(s, sum(each), len(each)) for s, each in at.items()] for name, at in successes.items()}


def at_strength(strength: float, successes: int, n: int) -> AtStrength:
    """Return the success rate of `n` answers at a strength."""
    return AtStrength(strength=strength, value=round(successes / n, 4), n=n)


def examples_of(answers: Sequence[Answer], ids: Sequence[str]) -> list[ShownPrompt]:
    """Return the replies to the first of these test prompts, under each condition in its first draw."""
    first = ids[:N_EXAMPLES]
    by_prompt: dict[str, list[Answer]] = {item: [] for item in first}
    for a in answers:
        if a.split == "test" and a.draw == 0 and a.item in by_prompt:
            by_prompt[a.item].append(a)
    return [_example(item, replies) for item, replies in by_prompt.items() if replies]


def _example(item: str, replies: Sequence[Answer]) -> ShownPrompt:
    first = replies[0]
    said = {a.condition: ShownReply(completion=a.completion, success=a.success) for a in replies}
    return ShownPrompt(item=item, prompt=first.prompt, reference=first.reference, said=said)
