"""Fidelity of the target to itself when its activations are replaced by mapped ones.

At the site, the target reads what the mapper predicts from the source's activations on the same text. Oozeer et al.
(2025, section 3.3) compare such completions with the target's own, with the source's, and with those of the target
whose activations are all its mean activation.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from graftbench.benchmark.core.store import Store
from graftbench.benchmark.data.examples import Prompt
from graftbench.benchmark.interventions.completions import completions
from graftbench.benchmark.interventions.conditions import Condition, Row
from graftbench.benchmark.interventions.cross_model import Follow, Link, following
from graftbench.benchmark.interventions.generation import Completion
from graftbench.benchmark.interventions.likelihoods import perplexity, reply_states
from graftbench.benchmark.interventions.logits import kl_by_token
from graftbench.benchmark.interventions.operators import Replace
from graftbench.benchmark.mappers.protocol import FittedMapper
from graftbench.benchmark.metrics.similarity import chrf, novelty
from graftbench.benchmark.models.architectures import Sites
from graftbench.benchmark.models.chat import Chat, chat
from graftbench.benchmark.models.handle import ModelHandle

_REPLIES_AT_ONCE = 8


@dataclass(frozen=True)
class ReplacementFidelity:
    """KL of next-token distributions in nats, and similarity and coherence of completions, over `n` prompts.

    `similarity` is chrF (Popović, 2015) to the target's own completion, from 0 to 1. `mva` (mapped versus ablated) is
    how often mapped completions are more similar to it than mean-ablated ones; `tvs` (target versus source), how often
    mapped completions are more similar to it than to the source's. Ties count half: `tvs` is 0.5 where both models
    give the same completion.

    `perplexity` and `perplexity_own` are those of mapped and of the target's own completions under the untouched
    target; `novelty` is the share of word trigrams of mapped completions that were not used before.
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
    """Two models, the site in each, and the mapper whose predictions replace the target's activations."""

    source: ModelHandle
    target: ModelHandle
    sites: Sites
    mapper: FittedMapper
    mean: Tensor  # [d], of the target at its site

    @property
    def follow(self) -> Follow:
        """The source that the target's rows follow."""
        return _follow(self.source, self.sites, self.mapper)


def replacement_fidelity(
    replacement: Replacement, prompts: Sequence[Prompt], store: Store, *, max_new_tokens: int, batch_size: int
) -> ReplacementFidelity:
    """Compare the target under replacement with itself on some prompts."""
    source, target, follow = replacement.source, replacement.target, replacement.follow
    source_texts, texts = ([chat(prompt, model.tokenizer) for prompt in prompts] for model in (source, target))

    def complete(model: ModelHandle, rows: Sequence[Row]) -> list[Completion]:
        replies = completions(store, model, rows, max_new_tokens=max_new_tokens, batch_size=batch_size)
        if not all(completion.finite for completion in replies):
            raise FloatingPointError(f"{model.name} gave logits that are not finite under full replacement")
        return replies

    mean = Replace(replacement.sites[1], replacement.mean.to(target.device), None)
    own = complete(target, [Row(text) for text in texts])
    of_source = complete(source, [Row(text) for text in source_texts])
    pairs = list(zip(source_texts, texts, strict=True))
    mapped = complete(target, [Row(text, follow=follow, source_text=other) for other, text in pairs])
    ablated = complete(target, [Row(text, (mean,)) for text in texts])
    to_own = _similarities(mapped, own)
    return ReplacementFidelity(
        n=len(prompts),
        kl=_reply_kl(replacement, prompts, [completion.text for completion in own]),
        similarity=_mean(to_own),
        mva=_share_greater(to_own, _similarities(ablated, own)),
        tvs=_share_greater(to_own, _similarities(mapped, of_source)),
        perplexity=_perplexity(target, texts, mapped),
        perplexity_own=_perplexity(target, texts, own),
        novelty=_mean([novelty(completion.text) for completion in mapped]),
    )


def _perplexity(target: ModelHandle, texts: Sequence[Chat], replies: Sequence[Completion]) -> float:
    with target.loaded() as model:
        return perplexity(model, [(text, reply.tokens) for text, reply in zip(texts, replies, strict=True)])


def _similarities(some: Sequence[Completion], others: Sequence[Completion]) -> list[float]:
    return [chrf(a.text, b.text) for a, b in zip(some, others, strict=True)]


def _reply_kl(replacement: Replacement, prompts: Sequence[Prompt], replies: Sequence[str]) -> float:
    """Return the mean over tokens of KL(untouched || replaced) of the target, on its own replies and their ends.

    A few replies are in memory at a time. FloatingPointError where a logit is not finite.
    """
    pairs = list(zip(prompts, replies, strict=True))
    total, n = 0.0, 0
    for start in range(0, len(pairs), _REPLIES_AT_ONCE):
        each = _kl_by_token(replacement, pairs[start : start + _REPLIES_AT_ONCE])
        if not each.isfinite().all():
            name = replacement.target.name
            raise FloatingPointError(f"{name} gave logits that are not finite under full replacement")
        total, n = total + len(each) * float(each.mean()), n + len(each)
    return total / n


def _kl_by_token(replacement: Replacement, pairs: Sequence[tuple[Prompt, str]]) -> Tensor:
    """Return KL(untouched || replaced) [tokens] of the target on prompts with replies, text after text, in nats."""
    both = replacement.source, replacement.target
    source_texts, texts = ([chat(p, m.tokenizer).with_reply(reply) for p, reply in pairs] for m in both)
    with replacement.target.loaded() as target:
        with following(replacement.follow, target, source_texts, texts) as follower:
            steps = follower.prompt()
        replaced_rows = [Row(text, s) for text, s in zip(texts, steps, strict=True)]
        untouched = torch.cat(reply_states(target, [Row(text) for text in texts]))
        return kl_by_token(target, untouched, torch.cat(reply_states(target, replaced_rows)))


def _share_greater(some: Sequence[float], others: Sequence[float]) -> float:
    """Return how often the one is greater than the other; ties count half."""
    return _mean([0.5 if one == other else float(one > other) for one, other in zip(some, others, strict=True)])


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def replacement_condition(source: ModelHandle, sites: Sites, mapper: FittedMapper) -> Condition:
    """Return the condition of full replacement; its rows lack their text in the source's chat format."""
    follow = _follow(source, sites, mapper)
    return Condition("replacement", lambda _, text: Row(text, follow=follow), of_mapper=True)


def _follow(source: ModelHandle, sites: Sites, mapper: FittedMapper) -> Follow:
    return Follow(source, (Link(*sites, mapper.carry),), f"{source.identity} {mapper.identity}")
