"""From answers to what an entry holds of them: bits, and the parts of success."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from graftbench.benchmark.data.examples import Example
from graftbench.benchmark.results.answers import MOST_UNSCORED, Answer
from graftbench.benchmark.results.schema import AtStrength, ShownPrompt, ShownReply

Shares = dict[str, float]
Means = dict[str, float | None]


@dataclass(frozen=True)
class SuccessParts:
    """The parts of a condition's success, over its prompts and draws, and what is reported beside them."""

    gone: float
    good: float
    equal_clean: float | None  # None where there are no clean answers
    marks: Means  # the share of answers with each mark, or its mean; None where too many have none
    groups: Shares  # the success rate in each group of prompts


@dataclass(frozen=True)
class Summary:
    """The test prompts that count, and for every condition the success of each in each draw; and every answer."""

    prompt_ids: list[str]
    clusters: list[str]
    bits: dict[str, list[list[int]]]
    parts: dict[str, SuccessParts]
    rows: list[Answer] = field(repr=False)
    sweep: dict[str, list[AtStrength]] = field(default_factory=dict)
    examples: list[ShownPrompt] = field(default_factory=list)


def summarised(
    found: Sequence[Answer], items: Sequence[Example], ids: Sequence[str], clean: Mapping[str, str]
) -> Summary:
    """What is held of the answers to these prompts, whose clean answers are given where there are any."""
    known = {item.id: item for item in items}
    wanted = set(ids)
    test = [a for a in found if a.split == "test" and a.item in wanted]
    by_condition: dict[str, list[Answer]] = {}
    for a in test:
        by_condition.setdefault(a.condition, []).append(a)
    return Summary(
        list(ids),
        [known[prompt].cluster for prompt in ids],
        {name: _bits(these, ids) for name, these in by_condition.items()},
        {name: _parts(these, known, clean) for name, these in by_condition.items()},
        list(found),
        sweep_of(found),
        examples_of(test, ids),
    )


def _bits(these: Sequence[Answer], ids: Sequence[str]) -> list[list[int]]:
    draws: dict[int, dict[str, int]] = {}
    for a in these:
        draws.setdefault(a.draw, {})[a.item] = int(bool(a.success))
    return [[draws[draw][prompt] for prompt in ids] for draw in sorted(draws)]


def _parts(these: Sequence[Answer], known: Mapping[str, Example], clean: Mapping[str, str]) -> SuccessParts:
    groups = sorted({known[a.item].group for a in these} - {""})
    return SuccessParts(
        _share([bool(a.gone) for a in these]),
        _share([bool(a.good) for a in these]),
        _share([a.completion == clean[a.item] for a in these]) if clean else None,
        {mark: _mean([a.marks.get(mark) for a in these]) for mark in _marks(these)},
        {name: _share([bool(a.success) for a in these if known[a.item].group == name]) for name in groups},
    )


def _share(truths: Sequence[bool]) -> float:
    return sum(truths) / len(truths)


def _marks(these: Sequence[Answer]) -> list[str]:
    """The marks of any of these answers: what is unscored has none."""
    return list(dict.fromkeys(mark for a in these for mark in a.marks))


def _mean(values: Sequence[float | None]) -> float | None:
    found = [float(value) for value in values if value is not None]
    enough = len(values) - len(found) <= MOST_UNSCORED * len(values)
    return sum(found) / len(found) if found and enough else None


EXAMPLES = 2  # prompts, the first of the test split


def sweep_of(found: Sequence[Answer]) -> dict[str, list[AtStrength]]:
    """The success rate of each condition on validation prompts at each strength, over its draws."""
    tried: dict[str, dict[float, list[bool]]] = {}
    for a in found:
        if a.split == "validation" and a.strength is not None and a.success is not None:
            tried.setdefault(a.condition, {}).setdefault(a.strength, []).append(a.success)
    return {
        name: [AtStrength(strength=s, value=round(sum(these) / len(these), 4), n=len(these)) for s, these in at.items()]
        for name, at in tried.items()
    }


def examples_of(found: Sequence[Answer], ids: Sequence[str]) -> list[ShownPrompt]:
    """What is said to the first of these test prompts under each condition, in its first draw."""
    first = ids[:EXAMPLES]
    by_prompt: dict[str, list[Answer]] = {item: [] for item in first}
    for a in found:
        if a.split == "test" and a.draw == 0 and a.item in by_prompt:
            by_prompt[a.item].append(a)
    return [_example(item, these) for item, these in by_prompt.items() if these]


def _example(item: str, these: Sequence[Answer]) -> ShownPrompt:
    said: Mapping[str, ShownReply] = {
        a.condition: ShownReply(completion=a.completion, success=a.success) for a in these
    }
    return ShownPrompt(item=item, prompt=these[0].prompt, reference=these[0].reference, said=dict(said))
