"""A chat model on this machine that judges by a rubric: the label that it finds likeliest, with no text to read."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from graftbench.benchmark.generation import Row
from graftbench.benchmark.models import Model
from graftbench.benchmark.scoring import reply_likelihoods
from graftbench.benchmark.tokens import Chat, Prompt, chat

from .protocol import Case, Verdict
from .rubric import Rubric

_LABELLED = " Verdict: {label}"


@dataclass(frozen=True, eq=False)
class LocalJudge:
    """Compares the likelihoods of all labels of its rubric as the model's reply."""

    rubric: Rubric
    model: Model

    @property
    def identity(self) -> str:
        """Kind, version, rubric and the hash of the model."""
        return f"local/1 {self.rubric.identity} {self.model.identity[:16]}"

    def __call__(self, cases: Sequence[Case]) -> list[Verdict]:
        """A verdict on each case, with the probability of each label among them as evidence."""
        labels = list(self.rubric.labels)
        asked = [self._asked(case) for case in cases]
        rows = [Row(text.with_reply(_LABELLED.format(label=label))) for text in asked for label in labels]
        likely = reply_likelihoods(self.model, rows).reshape(len(cases), len(labels))
        return [self._verdict(labels, row.softmax(-1)) for row in likely]

    def _asked(self, case: Case) -> Chat:
        """The rubric and the case in one turn: not every chat format knows a system's."""
        words = "\n\n".join(message["content"] for message in self.rubric.messages(case))
        return chat(Prompt(words), self.model.tokenizer)

    def _verdict(self, labels: Sequence[str], shares: torch.Tensor) -> Verdict:
        said = ", ".join(f"{label} {share:.3f}" for label, share in zip(labels, shares.tolist(), strict=True))
        if not shares.isfinite().all():
            return Verdict(None, said, "the model's logits are not finite", self.rubric.scale)
        return Verdict(self.rubric.labels[labels[int(shares.argmax())]], said, "", self.rubric.scale)
