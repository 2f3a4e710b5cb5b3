"""`guard:FORMAT`: a generative guard model, asked in its published format."""

from collections.abc import Sequence
from dataclasses import dataclass

from graftbench.benchmark.interventions.conditions import Row
from graftbench.benchmark.interventions.generation import Completion, generate
from graftbench.benchmark.models.chat import Chat
from graftbench.benchmark.models.load import Model
from graftbench.benchmark.models.tokens import token_ids
from graftbench.judges.guard_formats import GuardFormat
from graftbench.judges.protocol import NOT_FINITE, TOO_LONG, Case, Verdict, YesOrNo

_QUOTED = 80  # characters of a reply that is no verdict


@dataclass(frozen=True, eq=False)
class GuardJudge(YesOrNo):
    """Scores 1 where the guard model finds in a completion what its format asks about."""

    format: GuardFormat
    model: Model

    @property
    def identity(self) -> str:
        """Kind, version, format and the hash of the model."""
        return f"guard/1 {self.format.identity} {self.model.identity[:16]}"

    def __call__(self, cases: Sequence[Case]) -> list[Verdict]:
        """Return a verdict on each case, with the guard's reply as evidence.

        A case is unscored where it exceeds the model's context or spells one of the model's special tokens, or where
        the reply is not in the format.
        """
        special = self._special_tokens()
        reasons = [self._unfit(case, special) for case in cases]
        fit = [i for i, reason in enumerate(reasons) if not reason]
        verdicts = dict(zip(fit, self._ask([cases[i] for i in fit]), strict=True))
        return [verdicts.get(i) or Verdict(None, reason=reason) for i, reason in enumerate(reasons)]

    def _ask(self, cases: Sequence[Case]) -> list[Verdict]:
        rows = [Row(Chat(self._prompt(case), ())) for case in cases]
        return [self._verdict(reply) for reply in generate(self.model, rows, max_new_tokens=self.format.max_tokens)]

    def _prompt(self, case: Case) -> str:
        return f"{self.model.tokenizer.bos_token or ''}{self.format.prompt_for(case)}"

    def _special_tokens(self) -> list[str]:
        return [token.content for token in self.model.tokenizer.added_tokens_decoder.values() if token.special]

    def _unfit(self, case: Case, special: Sequence[str]) -> str:
        """Return the reason why a case cannot be judged, or an empty string."""
        # Such a text would be tokenized as the token: it could end the turn, and speak for the guard.
        spelled = [token for token in special if token in case.prompt or token in case.completion]
        if spelled:
            return f"the text holds a token of the guard's format: {spelled[0]}"
        n = len(token_ids(self._prompt(case), self.model.tokenizer)) + self.format.max_tokens
        return "" if n <= self.model.context else TOO_LONG

    def _verdict(self, reply: Completion) -> Verdict:
        if not reply.finite:
            return Verdict(None, reply.text, NOT_FINITE)
        score = self.format.score(reply.text)
        reason = f"no verdict in the reply {reply.text[:_QUOTED]!r}" if score is None else ""
        return Verdict(score, reply.text, reason)
