"""Gold files: completions with known labels, as JSON lines."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, FiniteFloat

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.files import read_json_lines
from graftbench.judges.protocol import Case


class GoldCompletion(BaseModel):
    """A completion of a gold file, with what a judge may compare it with."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    prompt: str
    completion: str
    reference: str | None = None
    clean: str | None = None  # the answer of the untouched model
    perplexity: FiniteFloat | None = None  # under the untouched model
    kind: str = ""  # how it was made, or where it comes from


class LabelledCompletion(GoldCompletion):
    """One line of a gold file: a completion with its labels by measure."""

    labels: Mapping[str, FiniteFloat]

    @property
    def case(self) -> Case:
        """The completion as judges see it."""
        return Case(self.prompt, self.completion, self.reference, self.clean, self.perplexity)


def read_gold(name: Path | str, measure: str) -> list[LabelledCompletion]:
    """Return the lines of a gold file, or of a shipped set, that have a label for a measure.

    UserError where the file cannot be read or no line has such a label.
    """
    path = gold_file(name)
    lines = read_json_lines(path, LabelledCompletion, "gold file", "labelled completion")
    labelled = [line for line in lines if measure in line.labels]
    if not labelled:
        known = ", ".join(sorted({label for line in lines for label in line.labels})) or "none"
        raise UserError(f"No completion in {path} has a label for {measure!r}; there are {known}.")
    return labelled


def gold_file(name: Path | str) -> Path:
    """Return the path of a shipped set, by its name, or of any other file."""
    shipped = shipped_file(str(name))
    return shipped if shipped.is_file() else Path(name)


def shipped_file(name: str) -> Path:
    """Return where a set of this name ships."""
    return Path(__file__).parent / f"{name}.jsonl"
