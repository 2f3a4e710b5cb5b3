"""How faithful the target stays to itself when its activations are replaced by mapped ones.

Everything that it reads from the site on is then what the mapper makes of the source's activations on the same text.
Oozeer et al. (2025, section 3.3) compare such completions with the target's own, the source's, and those of the target
with its mean activation everywhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from graftbench.benchmark.core.store import Store
from graftbench.benchmark.data.examples import Prompt
from graftbench.benchmark.interventions.completions import completions
from graftbench.benchmark.interventions.conditions import Condition
from graftbench.benchmark.interventions.cross_model import Follow, Follower, Link
from graftbench.benchmark.interventions.generation import Completion, Row
from graftbench.benchmark.interventions.logits import mean_kl, perplexity, reply_logits
from graftbench.benchmark.interventions.operators import Replace
from graftbench.benchmark.mappers.protocol import FittedMapper
from graftbench.benchmark.metrics.similarity import chrf, novelty
from graftbench.benchmark.models.architectures import Sites
from graftbench.benchmark.models.chat import chat
from graftbench.benchmark.models.load import Model

_AT_ONCE = 8  # replies


@dataclass(frozen=True)
class ReplacementFidelity:
    """KL of next-token distributions in nats, and how completions compare and read, over `n` prompts.

    `similarity` is chrF (Popović, 2015) to the target's own completion, from 0 to 1; `mva` and `tvs` are how often
    mapped completions are more like it than mean-ablated ones are, and more like it than like the source's. Where
    they are as like the one as the other, half is counted: `tvs` is 0.5 where both models say the same.

    How coherent mapped completions are: their perplexity under the untouched target, beside that of its own, and
    `novelty`, the share of three words in a row that were not said before.
    """

    n: int
    kl: float
    similarity: float
    mva: float
    tvs: float
    perplexity: float
    perplexity_own: float
    novelty: float


@dataclass(frozen=True, eq=False)
class Replacement:
    """The source and the target of a replacement, the site in each, and what carries activations across."""

    source: Model
    target: Model
    sites: Sites
    carrier: FittedMapper
    mean: Tensor  # [d], of the target at its site

    @property
    def follow(self) -> Follow:
        """What the target's rows follow."""
        identity = f"{self.source.identity} {self.carrier.identity}"
        return Follow(self.source, (Link(*self.sites, self.carrier.carry),), identity)


def faithful(
    replacement: Replacement, prompts: Sequence[Prompt], store: Store, *, max_new_tokens: int, batch_size: int
) -> ReplacementFidelity:
    """Compare the target under replacement with itself on some prompts."""
    source, target, follow = replacement.source, replacement.target, replacement.follow
    ours, theirs = ([chat(prompt, model.tokenizer) for prompt in prompts] for model in (source, target))

    def said(model: Model, rows: Sequence[Row]) -> list[Completion]:
        found = completions(store, model, rows, max_new_tokens=max_new_tokens, batch_size=batch_size)
        if not all(completion.finite for completion in found):
            raise FloatingPointError(f"{model.name} gave logits that are not finite under full replacement")
        return found

    mean = Replace(replacement.sites[1], replacement.mean.to(target.device), None)
    own = said(target, [Row(text) for text in theirs])
    of_source = said(source, [Row(text) for text in ours])
    pairs = list(zip(ours, theirs, strict=True))
    mapped = said(target, [Row(text, follow=follow, source_text=other) for other, text in pairs])
    ablated = said(target, [Row(text, (mean,)) for text in theirs])
    like_own = _alike(mapped, own)
    return ReplacementFidelity(
        n=len(prompts),
        kl=_kl(replacement, prompts, [completion.text for completion in own]),
        similarity=_mean(like_own),
        mva=_more(like_own, _alike(ablated, own)),
        tvs=_more(like_own, _alike(mapped, of_source)),
        perplexity=perplexity(target, [(text, c.tokens) for text, c in zip(theirs, mapped, strict=True)]),
        perplexity_own=perplexity(target, [(text, c.tokens) for text, c in zip(theirs, own, strict=True)]),
        novelty=_mean([novelty(completion.text) for completion in mapped]),
    )


def _alike(some: Sequence[Completion], others: Sequence[Completion]) -> list[float]:
    return [chrf(a.text, b.text) for a, b in zip(some, others, strict=True)]


def _kl(replacement: Replacement, prompts: Sequence[Prompt], replies: Sequence[str]) -> float:
    """KL of the target's distributions over its own replies and their ends, untouched || replaced, a mean over tokens.

    A few replies are in memory at a time. FloatingPointError where a logit is not finite.
    """
    source, target = replacement.source, replacement.target
    total, n = 0.0, 0
    for start in range(0, len(prompts), _AT_ONCE):
        said = list(zip(prompts, replies, strict=True))[start : start + _AT_ONCE]
        ours, theirs = ([chat(p, m.tokenizer).with_reply(reply) for p, reply in said] for m in (source, target))
        steps = Follower(replacement.follow, target, ours, theirs).prompt()
        changed = [Row(text, s) for text, s in zip(theirs, steps, strict=True)]
        untouched = torch.cat(reply_logits(target, [Row(text) for text in theirs], onwards=True))
        replaced = torch.cat(reply_logits(target, changed, onwards=True))
        if not (untouched.isfinite().all() and replaced.isfinite().all()):
            raise FloatingPointError(f"{target.name} gave logits that are not finite under full replacement")
        total, n = total + len(untouched) * mean_kl(untouched, replaced), n + len(untouched)
    return total / n


def _more(some: Sequence[float], others: Sequence[float]) -> float:
    """How often the one is more than the other; half is counted where they are equal."""
    return _mean([0.5 if one == other else float(one > other) for one, other in zip(some, others, strict=True)])


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def replacing_all(source: Model, sites: Sites, carrier: FittedMapper) -> Condition:
    """The condition; who asks for it says what the source reads."""
    follow = Follow(source, (Link(*sites, carrier.carry),), f"{source.identity} {carrier.identity}")
    return Condition("replacement", lambda _, text: Row(text, follow=follow), of_mapper=True)
