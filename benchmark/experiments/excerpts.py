"""What an entry shows of the answers beside its figures: the strengths that were tried, and what was said."""

from collections.abc import Mapping, Sequence

from graftbench.leaderboard.schema import AtStrength, Example, Said

from .conditions import Answer

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


def examples_of(found: Sequence[Answer], ids: Sequence[str]) -> list[Example]:
    """What is said to the first of these test prompts under each condition, in its first draw."""
    first = ids[:EXAMPLES]
    by_prompt: dict[str, list[Answer]] = {item: [] for item in first}
    for a in found:
        if a.split == "test" and a.draw == 0 and a.item in by_prompt:
            by_prompt[a.item].append(a)
    return [_example(item, these) for item, these in by_prompt.items() if these]


def _example(item: str, these: Sequence[Answer]) -> Example:
    said: Mapping[str, Said] = {a.condition: Said(completion=a.completion, success=a.success) for a in these}
    return Example(item=item, prompt=these[0].prompt, reference=these[0].reference, said=dict(said))
