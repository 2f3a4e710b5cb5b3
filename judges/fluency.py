"""`fluency`: how likely a completion is to a model that nothing was done to."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from graftbench.benchmark.data.examples import Prompt
from graftbench.benchmark.interventions.generation import Row
from graftbench.benchmark.interventions.logits import reply_likelihoods
from graftbench.benchmark.models.chat import Chat, chat
from graftbench.benchmark.models.load import Model
from graftbench.benchmark.models.tokens import token_ids
from graftbench.judges.protocol import Case, Graded, Verdict


@dataclass(frozen=True, eq=False)
class Fluency(Graded):
    """One over the perplexity per token of the completion, as a reply to the prompt: near 1 for what was expected."""

    model: Model

    @property
    def identity(self) -> str:
        """Kind, version and the hash of the model."""
        return f"fluency/1 {self.model.identity[:16]}"

    def __call__(self, cases: Sequence[Case]) -> list[Verdict]:
        """A verdict on each case; no words at all score 0, and what is longer than the model's context is unscored."""
        unlike = list(dict.fromkeys(cases))
        said = [case for case in unlike if case.completion.strip() and self._length(self._reply(case)) <= self._context]
        rows = [Row(self._reply(case)) for case in said]
        likely = reply_likelihoods(self.model, rows).tolist() if rows else []
        found = {case: self._verdict(case, total) for case, total in zip(said, likely, strict=True)}
        return [found.get(case) or _unread(case) for case in cases]

    @property
    def _context(self) -> float:
        return getattr(self.model.module.config, "max_position_embeddings", None) or float("inf")

    def _asked(self, case: Case) -> Chat:
        return chat(Prompt(case.prompt), self.model.tokenizer)

    def _reply(self, case: Case) -> Chat:
        return self._asked(case).with_reply(f" {case.completion.strip()}")

    def _length(self, text: Chat) -> int:
        return len(token_ids(text.text, self.model.tokenizer))

    def _verdict(self, case: Case, total: float) -> Verdict:
        n = self._length(self._reply(case)) - self._length(self._asked(case))
        if not math.isfinite(total):
            return Verdict(None, reason="the model's logits are not finite")
        return Verdict(min(1.0, math.exp(total / n)), f"perplexity {math.exp(-total / n):.4g} over {n} tokens")


def _unread(case: Case) -> Verdict:
    if not case.completion.strip():
        return Verdict(0.0, "nothing was said")
    return Verdict(None, reason="longer than the model's context")
