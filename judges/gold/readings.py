"""Completions of steered models of the zoo, labelled by reading them, twice and independently.

The readers are two language models that saw nothing but prompt, completion, a reply that is known to be good, and what
each label means; neither saw the other's labels, and neither is a judge.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from graftbench.judges.calibration import Agreement, LabelledCompletion, agreement
from graftbench.judges.protocol import Verdict

FILE = Path(__file__).parent / "readings.jsonl"
SCALES = {"coherence": (0.0, 5.0), "similarity": (0.0, 5.0)}


class LabelReading(BaseModel):
    """A completion with the labels of each reader."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    prompt: str
    completion: str
    reference: str
    kind: str
    readings: tuple[Mapping[str, float], Mapping[str, float]]

    @property
    def agreed(self) -> LabelledCompletion:
        """The completion with the labels that both gave; one on which they differ is left out."""
        one, other = self.readings
        labels = {measure: label for measure, label in one.items() if other[measure] == label}
        return self._labelled(labels)

    @property
    def by_first(self) -> LabelledCompletion:
        """The completion with the first reader's labels."""
        return self._labelled(self.readings[0])

    def _labelled(self, labels: Mapping[str, float]) -> LabelledCompletion:
        about = {"prompt": self.prompt, "completion": self.completion, "reference": self.reference, "kind": self.kind}
        return LabelledCompletion(**about, labels=labels)


def readings() -> list[LabelReading]:
    """Everything that was read."""
    return [LabelReading.model_validate(json.loads(line)) for line in FILE.read_text(encoding="utf-8").splitlines()]


def readers_agreement(measure: str) -> Agreement:
    """How the second reader agrees with the first."""
    read = readings()
    scale = SCALES.get(measure, (0.0, 1.0))
    verdicts = [Verdict(one.readings[1][measure], scale=scale) for one in read]
    return agreement([one.by_first for one in read], verdicts, measure)
