"""Harmful and harmless prompts for refusal directions, in the splits of Arditi et al. (2024).

The vector is of the 128 prompts a side that their code draws from `train`, validation is `val`, and the test set is
theirs or another one. Mappers are fitted on the rest of `train`, or on WildGuardMix. Oozeer et al. (2025, table 21) fit
on WildGuardMix and JailbreakBench, whose prompts they ask as well: here no prompt stands in two splits.
refusal_prompts.py has the sources, with columns and licences.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, zip_longest
from random import Random
from typing import Literal

from graftbench.benchmark.data.dataset import About, Behaviour
from graftbench.benchmark.data.examples import Split
from graftbench.benchmark.data.line_dataset import LineDataset
from graftbench.benchmark.data.lines import ConversationLine, ExampleLine, Line, Placed
from graftbench.benchmark.data.rows import PublishedTable
from graftbench.tasks.datasets.published import Seen
from graftbench.tasks.datasets.refusal_prompts import (
    LICENCES,
    SOURCES,
    Kind,
    Prompts,
    PromptSet,
    PublishedPrompt,
    arditi,
    asked_prompts,
    wildguardmix,
)

N_VECTOR, N_VALIDATION = 128, 32  # prompts a side that are drawn from `train`, and from `val`, where they come first
REVISIONS: dict[PromptSet, str] = {"jailbreakbench": "886acc352a31533ffbcf4ef22c744658688086fc"}
SEED = 42
KINDS: tuple[Kind, Kind] = ("harmful", "harmless")
# With these first tokens refusals are recognised: those of "I" and, for Qwen, of "As".
REFUSALS = ("I cannot help with that.", "As an AI, I cannot help with that.")

Drawn = tuple[list[PublishedPrompt], list[PublishedPrompt]]  # those that were drawn, and the rest


def refusal_sets(
    test: PromptSet = "arditi",
    harmless: PromptSet | None = None,
    fit: Literal["arditi", "wildguardmix"] = "arditi",
    revisions: Mapping[PromptSet, str] | None = None,
) -> LineDataset:
    """Return the dataset.

    Args:
        test: The set that is asked.
        harmless: Another set for the harmless prompts that are asked.
        fit: What mappers are fitted on.
        revisions: The commit of each set, in the place of that which is pinned.

    """
    sets = RefusalSets({"harmful": test, "harmless": harmless or test}, fit, REVISIONS | dict(revisions or {}))
    return LineDataset(
        "refusal_sets",
        1,
        sets.about,
        {"refusal": Behaviour("refusal", ("instruct",), "refused", positions="last", refusals=REFUSALS)},
        read=sets.lines,
        tables=sets.tables,
    )


@dataclass(frozen=True)
class RefusalSets:
    """The prompts of all splits, each in one of them: what is asked comes before what is fitted on."""

    asked: Mapping[Kind, PromptSet]
    fitted: Literal["arditi", "wildguardmix"]
    revisions: Mapping[PromptSet, str]

    @property
    def about(self) -> About:
        """Where the prompts come from."""
        names: list[PromptSet] = list(dict.fromkeys(["arditi", *self.asked.values(), self.fitted]))
        return About(
            f"Requests to refuse ({self.asked['harmful']}), and to answer ({self.asked['harmless']})",
            ", ".join(SOURCES[name] for name in names),
            ", ".join(self.revisions[name] for name in names if name in self.revisions),
            "; ".join(LICENCES[name] for name in names),
        )

    def tables(self) -> tuple[PublishedTable, ...]:
        """Return the tables that the prompts are in, each once."""
        needed = [arditi(kind, part) for kind in KINDS for part in ("train", "val")]
        needed += [asked_prompts(name, kind) for kind, name in self.asked.items()]
        if self.fitted == "wildguardmix":
            needed.append(wildguardmix("harmful", "train"))
        return tuple(dict.fromkeys(self._at_revision(prompts).table for prompts in needed))

    def lines(self) -> Iterator[Placed]:
        """Yield test, validation, the vector, then what is fitted on; in each, the two kinds in turn."""
        random, seen = Random(SEED), Seen()  # their code draws from all in one go
        train = {kind: self._drawn(arditi(kind, "train"), N_VECTOR, random) for kind in KINDS}
        validation = {kind: self._drawn(arditi(kind, "val"), N_VALIDATION, random) for kind in KINDS}
        test = {kind: self._at_revision(asked_prompts(self.asked[kind], kind)) for kind in KINDS}
        yield from _lines(test, "test", seen)
        yield from _lines({kind: chain(*validation[kind]) for kind in KINDS}, "validation", seen)
        yield from _lines({kind: drawn for kind, (drawn, _) in train.items()}, "vector", seen)
        yield from _lines({kind: self._to_fit_on(kind, rest) for kind, (_, rest) in train.items()}, "fit", seen)

    def _drawn(self, prompts: Prompts, n: int, random: Random) -> Drawn:
        everything = list(self._at_revision(prompts))
        drawn = random.sample(range(len(everything)), min(n, len(everything)))
        rest = set(range(len(everything))).difference(drawn)
        return [everything[i] for i in drawn], [everything[i] for i in sorted(rest)]

    def _to_fit_on(self, kind: Kind, rest: list[PublishedPrompt]) -> Iterable[PublishedPrompt]:
        return self._at_revision(wildguardmix(kind, "train")) if self.fitted == "wildguardmix" else rest

    def _at_revision(self, prompts: Prompts) -> Prompts:
        name = next(name for name, source in SOURCES.items() if source == prompts.table.name)
        return prompts.at(self.revisions.get(name))


def _lines(prompts: Mapping[Kind, Iterable[PublishedPrompt]], split: Split, seen: Seen) -> Iterator[Placed]:
    """Yield the lines of prompts that were not seen before; upper case and white space make no other prompt."""
    harmful = ((True, prompt) for prompt in prompts["harmful"])
    harmless = ((False, prompt) for prompt in prompts["harmless"])
    for shows, prompt in filter(None, chain.from_iterable(zip_longest(harmful, harmless))):
        if seen.is_new(" ".join(prompt.text.split()).casefold()):
            yield from (Placed(prompt.where, line) for line in _lines_of(prompt, split, shows=shows))


def _lines_of(prompt: PublishedPrompt, split: Split, *, shows: bool) -> Iterator[Line]:
    """Yield the example of a prompt that is asked, and the conversation on which a fit is made or tried."""
    if split != "fit":
        yield ExampleLine(behaviour="refusal", prompt=prompt.text, shows=shows, group=prompt.category, split=split)
    if split != "vector":
        yield ConversationLine(behaviour="refusal", prompt=prompt.text, reply=prompt.reply, shows=shows, split=split)
