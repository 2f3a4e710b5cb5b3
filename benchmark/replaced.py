"""How faithful the target stays to itself when its activations are replaced by mapped ones.

Everything that it reads from the site on is then what the mapper makes of the source's activations on the same text.
Oozeer et al. (2025, section 3.3) compare such completions with the target's own, the source's, and those of the target
with its mean activation everywhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .completions import completions
from .following import Follow, Follower, Link
from .generation import Row
from .interventions import Replace
from .metrics.likeness import chrf
from .models import Model
from .scoring import mean_kl, reply_logits
from .store import Store
from .task import Carrier, Sites
from .tokens import Prompt, chat

_AT_ONCE = 8  # replies


@dataclass(frozen=True)
class Faithful:
    """KL of next-token distributions in nats, and how completions compare, over `n` prompts.

    `similarity` is chrF (Popović, 2015) to the target's own completion, from 0 to 1; `mva` and `tvs` are how often
    mapped completions are more like it than mean-ablated ones are, and more like it than like the source's. Where
    they are as like the one as the other, half is counted: `tvs` is 0.5 where both models say the same.
    """

    n: int
    kl: float | None  # None where nothing was said
    similarity: float
    mva: float
    tvs: float


@dataclass(frozen=True, eq=False)
class Replacement:
    """The source and the target of a replacement, the site in each, and what carries activations across."""

    source: Model
    target: Model
    sites: Sites
    carrier: Carrier
    mean: Tensor  # [d], of the target at its site

    @property
    def follow(self) -> Follow:
        """What the target's rows follow."""
        identity = f"{self.source.identity} {self.carrier.identity}"
        return Follow(self.source, (Link(*self.sites, self.carrier.carry),), identity)


def faithful(
    replacement: Replacement, prompts: Sequence[Prompt], store: Store, *, max_new_tokens: int, batch_size: int
) -> Faithful:
    """Compare the target under replacement with itself on some prompts."""
    source, target, follow = replacement.source, replacement.target, replacement.follow
    ours, theirs = ([chat(prompt, model.tokenizer) for prompt in prompts] for model in (source, target))

    def said(model: Model, rows: Sequence[Row]) -> list[str]:
        found = completions(store, model, rows, max_new_tokens=max_new_tokens, batch_size=batch_size)
        if not all(completion.finite for completion in found):
            raise FloatingPointError(f"{model.name} gave logits that are not finite under full replacement")
        return [completion.text for completion in found]

    mean = Replace(replacement.sites[1], replacement.mean.to(target.device), None)
    own = said(target, [Row(text) for text in theirs])
    of_source = said(source, [Row(text) for text in ours])
    pairs = list(zip(ours, theirs, strict=True))
    mapped = said(target, [Row(text, follow=follow, source_text=other) for other, text in pairs])
    ablated = said(target, [Row(text, (mean,)) for text in theirs])
    like_own = [chrf(a, b) for a, b in zip(mapped, own, strict=True)]
    return Faithful(
        len(prompts),
        _kl(replacement, prompts, own),
        _mean(like_own),
        _mean([_more(s, chrf(a, o)) for s, a, o in zip(like_own, ablated, own, strict=True)]),
        _mean([_more(s, chrf(m, b)) for s, m, b in zip(like_own, mapped, of_source, strict=True)]),
    )


def _kl(replacement: Replacement, prompts: Sequence[Prompt], replies: Sequence[str]) -> float | None:
    """KL of the target's distributions over the words of its own replies, untouched || replaced, a mean over tokens.

    A few replies are in memory at a time. FloatingPointError where a logit is not finite.
    """
    source, target = replacement.source, replacement.target
    total, n = 0.0, 0
    for start in range(0, len(prompts), _AT_ONCE):
        said = list(zip(prompts, replies, strict=True))[start : start + _AT_ONCE]
        ours, theirs = ([chat(p, m.tokenizer).with_reply(reply) for p, reply in said] for m in (source, target))
        steps = Follower(replacement.follow, target, ours, theirs).prompt()
        untouched = torch.cat(reply_logits(target, [Row(text) for text in theirs]))
        replaced = torch.cat(reply_logits(target, [Row(text, s) for text, s in zip(theirs, steps, strict=True)]))
        if not (untouched.isfinite().all() and replaced.isfinite().all()):
            raise FloatingPointError(f"{target.name} gave logits that are not finite under full replacement")
        if len(untouched):
            total, n = total + len(untouched) * mean_kl(untouched, replaced), n + len(untouched)
    return total / n if n else None


def _more(one: float, other: float) -> float:
    return 0.5 if one == other else float(one > other)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
