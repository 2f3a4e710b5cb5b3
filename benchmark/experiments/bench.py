"""What every experiment is made of: its prompts, how answers are judged, and the bench on which models are run."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from graftbench.benchmark.core.budget import Budget
from graftbench.benchmark.core.store import Store
from graftbench.benchmark.interventions.completions import completions
from graftbench.benchmark.interventions.conditions import Row
from graftbench.benchmark.interventions.generation import Completion
from graftbench.benchmark.models.load import Model

Progress = Callable[[str, int, int], None]  # what is being done, how many rows are done, of how many


@dataclass(frozen=True, eq=False)
class Bench:
    """Where experiments run: what is kept, how many rows at a time, how long replies may be, who is told.

    `budget` is what judges may spend.
    """

    store: Store
    batch_size: int
    max_new_tokens: int
    progress: Progress
    budget: Budget | None = None

    def run(self, model: Model, rows: Sequence[Row], what: str) -> list[str]:
        """The reply to each row, without white space around it. FloatingPointError where one is not finite."""
        told = [0]

        def done(n: int) -> None:
            told[0] += n
            self.progress(what, told[0], len(rows))

        found = completions(
            self.store, model, rows, max_new_tokens=self.max_new_tokens, batch_size=self.batch_size, done=done
        )
        return [_sound(completion, model, what) for completion in found]


def _sound(completion: Completion, model: Model, what: str) -> str:
    if not completion.finite:
        raise FloatingPointError(f"{model.name} gave logits that are not finite ({what})")
    return completion.text.strip()
