"""`local:RUBRIC`: a chat model on this machine, judged by the likelihood of each label of a rubric."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, tensor

from graftbench.benchmark.data.examples import Prompt
from graftbench.benchmark.interventions.conditions import Row
from graftbench.benchmark.interventions.likelihoods import reply_likelihoods
from graftbench.benchmark.models.chat import Chat, chat
from graftbench.benchmark.models.load import Model
from graftbench.benchmark.models.tokens import token_ids
from graftbench.judges.llm.rubric import Rubric, RubricScale
from graftbench.judges.protocol import NOT_FINITE, TOO_LONG, Case, Verdict

_REPLY = " Verdict: {label}"
_REPLY_TOKENS = 32  # upper bound


@dataclass(frozen=True, eq=False)
class LocalJudge(RubricScale):
    """Gives the label of its rubric that is the likeliest reply of the model; nothing is generated."""

    rubric: Rubric
    model: Model

    @property
    def identity(self) -> str:
        """Kind, version, rubric and the hash of the model."""
        return f"local/1 {self.rubric.identity} {self.model.identity[:16]}"

    def __call__(self, cases: Sequence[Case]) -> list[Verdict]:
        """Return a verdict on each case, with the labels' relative probabilities as evidence.

        Cases that exceed the model's context are unscored.
        """
        fit = [i for i, case in enumerate(cases) if self.rubric.can_judge(case) and self._fits(case)]
        verdicts = dict(zip(fit, self._ask([cases[i] for i in fit]), strict=True))
        return [verdicts.get(i) or self._unscored(case) for i, case in enumerate(cases)]

    def _ask(self, cases: Sequence[Case]) -> list[Verdict]:
        labels = list(self.rubric.labels)
        rows = [Row(self._prompt(case).with_reply(_REPLY.format(label=label))) for case in cases for label in labels]
        if not rows:
            return []
        likelihoods = reply_likelihoods(self.model, rows).reshape(len(cases), len(labels))
        return [self._verdict(labels, row.softmax(-1)) for row in likelihoods]

    def _fits(self, case: Case) -> bool:
        return len(token_ids(self._prompt(case).text, self.model.tokenizer)) + _REPLY_TOKENS <= self.model.context

    def _unscored(self, case: Case) -> Verdict:
        if not self.rubric.can_judge(case):
            return self.rubric.unscored
        return Verdict(None, reason=TOO_LONG, scale=self.rubric.scale)

    def _prompt(self, case: Case) -> Chat:
        """Render rubric and case as one user turn: not every chat format has a system turn."""
        words = "\n\n".join(message["content"] for message in self.rubric.messages(case))
        return chat(Prompt(words), self.model.tokenizer)

    def _verdict(self, labels: Sequence[str], shares: Tensor) -> Verdict:
        """Return the verdict for the probabilities `shares` [labels]."""
        evidence = ", ".join(f"{label} {share:.3f}" for label, share in zip(labels, shares.tolist(), strict=True))
        if not shares.isfinite().all():
            return Verdict(None, evidence, NOT_FINITE, self.rubric.scale)
        scores = [self.rubric.labels[label] for label in labels]
        expected = float((shares * tensor(scores, dtype=shares.dtype)).sum())
        return Verdict(scores[int(shares.argmax())], evidence, "", self.rubric.scale, expected)
