"""The assessment of completions: judged against the answers, and by the likelihoods, of the untouched target."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from graftbench.benchmark.core.names import MAX_FIGURE
from graftbench.benchmark.data.examples import Example, Turn
from graftbench.benchmark.experiments.bench import Bench, Judging, Outcome, TargetEvidence
from graftbench.benchmark.interventions.generation import Completion
from graftbench.benchmark.interventions.likelihoods import perplexity_of_each
from graftbench.benchmark.models.chat import Chat, turn_chat
from graftbench.benchmark.models.handle import ModelHandle
from graftbench.benchmark.results.rows import PERPLEXITY


@dataclass(frozen=True, eq=False)
class Assessment:
    """The judges of an experiment, the target without any intervention, and its clean answers by prompt."""

    judging: Judging
    target: ModelHandle
    clean: Mapping[str, str]

    def outcomes(self, bench: Bench, items: Sequence[Example], completions: Sequence[Completion]) -> list[Outcome]:
        """Return the outcome of each completion, with its perplexity as a mark where a judge needs it."""
        texts = [completion.text for completion in completions]
        clean = [self.clean.get(item.id) for item in items]
        if not self.judging.needs_perplexity:
            return self.judging(items, texts, [TargetEvidence(answer) for answer in clean])
        perplexities = self._perplexities(bench, items, completions)
        evidence = [TargetEvidence(*each) for each in zip(clean, perplexities, strict=True)]
        outcomes = self.judging(items, texts, evidence)
        return [
            replace(outcome, marks={**outcome.marks, PERPLEXITY: perplexity})
            for outcome, perplexity in zip(outcomes, perplexities, strict=True)
        ]

    def _perplexities(self, bench: Bench, items: Sequence[Example], completions: Sequence[Completion]) -> list[float]:
        """Return the perplexity per token of each completion, as the reply to the clean prompt where there is one.

        After a trigger, a target with a backdoor would find its normal answer perplexing.
        """
        contexts = [turn_chat(item.clean or Turn(item.prompt), self.target) for item in items]
        replies = [(text, completion.tokens) for text, completion in zip(contexts, completions, strict=True)]
        return _cached_perplexities(bench, self.target, replies)


def _cached_perplexities(
    bench: Bench, model: ModelHandle, replies: Sequence[tuple[Chat, tuple[int, ...]]]
) -> list[float]:
    """Return the perplexity of each reply, cached by batch. FloatingPointError where a logit is not a number."""
    keys = [(text.text, tokens) for text, tokens in replies]
    by_key = dict(zip(keys, replies, strict=True))
    unique = list(by_key)
    made: dict[tuple[str, tuple[int, ...]], float] = {}
    for start in range(0, len(unique), bench.batch_size):
        batch = unique[start : start + bench.batch_size]
        parts = [model.identity, model.device.type, batch]

        def perplexities(batch: Sequence[tuple[str, tuple[int, ...]]] = batch) -> list[float]:
            with model.loaded() as loaded:
                return perplexity_of_each(loaded, [by_key[key] for key in batch])

        made |= dict(zip(batch, bench.store.value("perplexities", parts, perplexities), strict=True))
    if any(math.isnan(perplexity) for perplexity in made.values()):
        raise FloatingPointError(f"{model.name} gave logits that are not finite (perplexity)")
    return [min(made[key], MAX_FIGURE) for key in keys]
