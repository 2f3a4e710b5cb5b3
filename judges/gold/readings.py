"""Completions of steered models, labelled by two independent readers.

The readers are two language models that saw the prompt, the completion, a reply to compare it with, and the meaning of
each label. Neither saw the other's labels, and neither is a judge.
"""

from collections.abc import Mapping

from graftbench.benchmark.core.files import read_json_lines
from graftbench.judges.agreement import Agreement, agreement
from graftbench.judges.gold.labels import GoldCompletion, LabelledCompletion, shipped_file
from graftbench.judges.protocol import Verdict

SCALES = {"coherence": (0.0, 5.0), "similarity": (0.0, 5.0)}


class LabelReading(GoldCompletion):
    """A completion with the labels of both readers."""

    readings: tuple[Mapping[str, float], Mapping[str, float]]

    @property
    def agreed(self) -> LabelledCompletion:
        """The completion with the labels on which both readers agree."""
        first, second = self.readings
        return self._labelled({measure: label for measure, label in first.items() if second[measure] == label})

    @property
    def by_first(self) -> LabelledCompletion:
        """The completion with the first reader's labels."""
        return self._labelled(self.readings[0])

    def _labelled(self, labels: Mapping[str, float]) -> LabelledCompletion:
        return LabelledCompletion(**self.model_dump(exclude={"readings"}), labels=labels)


def readings(name: str) -> list[LabelReading]:
    """Return all completions of a shipped set that were read."""
    return read_json_lines(shipped_file(f"{name}_readings"), LabelReading, "file of readings", "reading")


def readers_agreement(name: str, measure: str) -> Agreement:
    """Compare the second reader's labels of a shipped set with the first's."""
    read = readings(name)
    scale = SCALES.get(measure, (0.0, 1.0))
    verdicts = [Verdict(one.readings[1][measure], scale=scale) for one in read]
    return agreement([one.by_first for one in read], verdicts, measure)
