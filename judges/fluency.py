"""`fluency`: the likelihood of a completion under a model without any intervention."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from graftbench.benchmark.data.examples import Prompt
from graftbench.benchmark.interventions.conditions import Row
from graftbench.benchmark.interventions.likelihoods import reply_likelihoods
from graftbench.benchmark.models.chat import Chat, chat
from graftbench.benchmark.models.load import Model
from graftbench.benchmark.models.tokens import token_ids
from graftbench.judges.protocol import NOT_FINITE, TOO_LONG, Case, Graded, Verdict


@dataclass(frozen=True, eq=False)
class Fluency(Graded):
    """Scores a completion by the inverse of its perplexity per token as a reply to the prompt."""

    model: Model

    @property
    def identity(self) -> str:
        """Kind, version and the hash of the model."""
        return f"fluency/1 {self.model.identity[:16]}"

    def __call__(self, cases: Sequence[Case]) -> list[Verdict]:
        """Return a verdict on each case: 0 for an empty completion, unscored beyond the model's context."""
        scored = [case for case in dict.fromkeys(cases) if case.completion.strip() and self._fits(case)]
        rows = [Row(self._with_reply(case)) for case in scored]
        likelihoods = reply_likelihoods(self.model, rows).tolist() if rows else []
        verdicts = {case: self._verdict(case, total) for case, total in zip(scored, likelihoods, strict=True)}
        return [verdicts.get(case) or _without_likelihood(case) for case in cases]

    def _fits(self, case: Case) -> bool:
        return self._n_tokens(self._with_reply(case)) <= self.model.context

    def _prompt(self, case: Case) -> Chat:
        return chat(Prompt(case.prompt), self.model.tokenizer)

    def _with_reply(self, case: Case) -> Chat:
        return self._prompt(case).with_reply(f" {case.completion.strip()}")

    def _n_tokens(self, text: Chat) -> int:
        return len(token_ids(text.text, self.model.tokenizer))

    def _verdict(self, case: Case, likelihood: float) -> Verdict:
        """Return the verdict for the log-likelihood of the whole completion, in nats."""
        n = self._n_tokens(self._with_reply(case)) - self._n_tokens(self._prompt(case))
        if not math.isfinite(likelihood):
            return Verdict(None, reason=NOT_FINITE)
        perplexity = math.exp(-likelihood / n)
        return Verdict(min(1.0, math.exp(likelihood / n)), f"perplexity {perplexity:.4g} over {n} tokens")


def _without_likelihood(case: Case) -> Verdict:
    return Verdict(None, reason=TOO_LONG) if case.completion.strip() else Verdict(0.0, "nothing was said")
