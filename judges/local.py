"""A chat model on this machine that judges by a rubric: the label that it finds likeliest, with no text to read."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from graftbench.benchmark.data.examples import Prompt
from graftbench.benchmark.interventions.generation import Row
from graftbench.benchmark.interventions.logits import reply_likelihoods
from graftbench.benchmark.models.chat import Chat, chat
from graftbench.benchmark.models.load import Model
from graftbench.benchmark.models.tokens import token_ids
from graftbench.judges.llm.rubric import ByRubric, Rubric
from graftbench.judges.protocol import Case, Verdict

_LABELLED = " Verdict: {label}"
_ROOM = 32  # tokens of a labelled verdict, at the most


@dataclass(frozen=True, eq=False)
class LocalJudge(ByRubric):
    """Compares the likelihoods of all labels of its rubric as the model's reply."""

    rubric: Rubric
    model: Model

    @property
    def identity(self) -> str:
        """Kind, version, rubric and the hash of the model."""
        return f"local/1 {self.rubric.identity} {self.model.identity[:16]}"

    def __call__(self, cases: Sequence[Case]) -> list[Verdict]:
        """A verdict on each case, with the probability of each label among them as evidence.

        What is longer than the model's context is left unscored.
        """
        fit = [i for i, case in enumerate(cases) if self.rubric.can_judge(case) and self._fits(case)]
        found = dict(zip(fit, self._judged([cases[i] for i in fit]), strict=True))
        return [found.get(i) or self._unjudged(case) for i, case in enumerate(cases)]

    def _judged(self, cases: Sequence[Case]) -> list[Verdict]:
        labels = list(self.rubric.labels)
        rows = [Row(self._asked(case).with_reply(_LABELLED.format(label=label))) for case in cases for label in labels]
        if not rows:
            return []
        likely = reply_likelihoods(self.model, rows).reshape(len(cases), len(labels))
        return [self._verdict(labels, row.softmax(-1)) for row in likely]

    def _fits(self, case: Case) -> bool:
        context = getattr(self.model.module.config, "max_position_embeddings", None)
        n = len(token_ids(self._asked(case).text, self.model.tokenizer)) + _ROOM
        return context is None or n <= context

    def _unjudged(self, case: Case) -> Verdict:
        if not self.rubric.can_judge(case):
            return self.rubric.unjudged
        return Verdict(None, reason="longer than the model's context", scale=self.rubric.scale)

    def _asked(self, case: Case) -> Chat:
        """The rubric and the case in one turn: not every chat format knows a system's."""
        words = "\n\n".join(message["content"] for message in self.rubric.messages(case))
        return chat(Prompt(words), self.model.tokenizer)

    def _verdict(self, labels: Sequence[str], shares: torch.Tensor) -> Verdict:
        said = ", ".join(f"{label} {share:.3f}" for label, share in zip(labels, shares.tolist(), strict=True))
        if not shares.isfinite().all():
            return Verdict(None, said, "the model's logits are not finite", self.rubric.scale)
        scores = [self.rubric.labels[label] for label in labels]
        expected = float((shares * torch.tensor(scores, dtype=shares.dtype)).sum())
        return Verdict(scores[int(shares.argmax())], said, "", self.rubric.scale, soft=expected)
