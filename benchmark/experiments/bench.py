"""The bench: cache and settings that an experiment runs its models with; and the verdicts on their completions."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from graftbench.benchmark.core.budget import Budget
from graftbench.benchmark.core.store import Store
from graftbench.benchmark.data.examples import Example
from graftbench.benchmark.interventions.completions import completions
from graftbench.benchmark.interventions.conditions import Row
from graftbench.benchmark.interventions.generation import Completion
from graftbench.benchmark.models.handle import ModelHandle

Progress = Callable[[str, int, int], None]  # label, rows done, rows in all


@dataclass(frozen=True, eq=False)
class Bench:
    """Cache, batch size, length of replies and progress reports of an experiment; `budget` is what judges may spend."""

    store: Store
    batch_size: int
    max_new_tokens: int
    progress: Progress
    budget: Budget | None = None

    def run(self, model: ModelHandle, rows: Sequence[Row], label: str) -> list[Completion]:
        """Return the reply to each row, its text stripped of white space.

        FloatingPointError where a logit is not finite.
        """
        n_done = 0

        def report(n: int) -> None:
            nonlocal n_done
            n_done += n
            self.progress(label, n_done, len(rows))

        replies = completions(
            self.store, model, rows, max_new_tokens=self.max_new_tokens, batch_size=self.batch_size, progress=report
        )
        return [_finite(completion, model, label) for completion in replies]


def _finite(completion: Completion, model: ModelHandle, label: str) -> Completion:
    if not completion.finite:
        raise FloatingPointError(f"{model.name} gave logits that are not finite ({label})")
    return replace(completion, text=completion.text.strip())


@dataclass(frozen=True)
class Outcome:
    """The verdict on a completion: whether the behaviour is gone and the answer good; None where unscored.

    `marks` are further scores, reported with success as shares or means, and the perplexity, which is stored alone;
    `unscored` has the reason for each that is None. `took` is what the judges took: tokens read, tokens written, and
    dollars, None without known prices.
    """

    gone: bool | None
    good: bool | None
    reason: str = ""
    marks: Mapping[str, float | None] = field(default_factory=dict)
    unscored: Mapping[str, str] = field(default_factory=dict)
    took: tuple[int, int, float | None] = (0, 0, 0.0)

    @property
    def success(self) -> bool | None:
        """True where the behaviour is gone and the answer good; None where either is unscored."""
        return None if self.gone is None or self.good is None else self.gone and self.good


@dataclass(frozen=True)
class TargetEvidence:
    """What the untouched target says about a completion: its own clean answer, and the completion's perplexity.

    The answer is None where there is none, the perplexity where no judge needs it.
    """

    clean: str | None = None
    perplexity: float | None = None


class Judging(Protocol):
    """Judges the completions of prompts."""

    @property
    def needs_perplexity(self) -> bool:
        """True where a judge needs the perplexity of completions."""

    def __call__(
        self, items: Sequence[Example], replies: Sequence[str], evidence: Sequence[TargetEvidence] | None = None
    ) -> list[Outcome]:
        """Return the outcome of each reply, in order; without evidence nothing is known of the target."""
