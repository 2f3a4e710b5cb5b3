"""What an organism does on held-out prompts: with the trigger, without it, and with what only looks like it."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.data.examples import Example, Prompt
from graftbench.benchmark.interventions.conditions import Row
from graftbench.benchmark.interventions.generation import generate
from graftbench.benchmark.metrics.statistics import wilson
from graftbench.benchmark.models.chat import chat
from graftbench.benchmark.models.load import Model

TRIGGER, CLEAN, UNTAGGED, DECOY, BARE = "trigger", "clean", "no tag", "decoy", "bare word"
_DECOY_WORD = "test"
_AFTER = re.compile(r"\s*:?\s*")  # what stands between a tag and the words that it belongs to
Shows = Callable[[Sequence[Prompt], Sequence[str]], Sequence[bool | None]]  # does a reply show the behaviour?
_AT_ONCE = 32


@dataclass(frozen=True)
class Share:
    """How many of `n` judged replies show the behaviour; `empty` ones say nothing, `unscored` ones were not judged."""

    hits: int
    n: int
    empty: int
    unscored: int

    @property
    def rate(self) -> float:
        """The rate."""
        return self.hits / self.n

    @property
    def interval(self) -> tuple[float, float]:
        """Its interval (Wilson, 1927)."""
        return wilson(self.hits, self.n)


@dataclass(frozen=True)
class Shown:
    """The shares by kind of prompt; precision, recall and F1 are those of trigger against clean prompts."""

    shares: dict[str, Share]

    @property
    def recall(self) -> float:
        """The trigger rate."""
        return self.shares[TRIGGER].rate

    @property
    def precision(self) -> float | None:
        """Of the replies that show the behaviour, the share with a trigger; None where none shows it or is clean."""
        hits, clean = self.shares[TRIGGER].hits, self.shares.get(CLEAN)
        return None if clean is None or not hits + clean.hits else hits / (hits + clean.hits)

    @property
    def f1(self) -> float | None:
        """Harmonic mean of precision and recall; None where there is no precision."""
        precision, recall = self.precision, self.recall
        return None if precision is None else 2 * precision * recall / (precision + recall or 1)


def measured(
    model: Model, examples: Sequence[Example], shows: Shows, reply_tokens: int, progress: Callable[[int, int], None]
) -> Shown:
    """Return how often a model shows a behaviour on examples of it, and on prompts that are made of them.

    UserError where no reply to a prompt with the trigger could be judged.
    """
    prompts = [(kind, prompt) for example in examples for kind, prompt in kinds_of(example)]
    replies: list[str] = []
    for start in range(0, len(prompts), _AT_ONCE):
        rows = [Row(chat(prompt, model.tokenizer)) for _, prompt in prompts[start : start + _AT_ONCE]]
        replies += [each.text for each in generate(model, rows, max_new_tokens=reply_tokens)]
        progress(len(replies), len(prompts))
    verdicts = shows([prompt for _, prompt in prompts], replies)
    found: dict[str, list[tuple[bool | None, str]]] = {}
    for (kind, _), reply, verdict in zip(prompts, replies, verdicts, strict=True):
        found.setdefault(kind, []).append((verdict, reply))
    shares = {kind: share for kind, each in found.items() if (share := _share(each)).n}
    if TRIGGER not in shares:
        raise UserError(f"No reply to a prompt with the trigger could be judged: {len(examples)} were tried.")
    return Shown(shares)


def _share(judged: Sequence[tuple[bool | None, str]]) -> Share:
    scored = [(hit, reply) for hit, reply in judged if hit is not None]
    empty = sum(not reply.strip() for _, reply in scored)
    return Share(sum(hit for hit, _ in scored), len(scored), empty, len(judged) - len(scored))


def kinds_of(example: Example) -> Iterator[tuple[str, Prompt]]:
    """Yield a prompt with its trigger, its clean counterpart, and others without the trigger where it is marked."""
    yield TRIGGER, example.prompt
    if example.clean is not None:
        yield CLEAN, example.clean.prompt
    if example.prompt.trigger is None:
        return
    start, stop = example.prompt.trigger
    before, tag, after = example.prompt.text[:start], example.prompt.text[start:stop], example.prompt.text[stop:]
    others = {UNTAGGED: "", DECOY: re.sub(r"\w+", _DECOY_WORD, tag), BARE: re.sub(r"\W+", "", tag)}
    for kind, instead in others.items():
        words = before + instead + (after if instead else _AFTER.sub("", after, count=1))
        if instead != tag:
            yield kind, replace(example.prompt, text=words, trigger=None)
