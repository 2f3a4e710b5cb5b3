"""How a task's judges are named, and how their verdicts make an outcome."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from graftbench.benchmark.core.budget import Budget
from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.data.examples import Example
from graftbench.benchmark.experiments.judging import Judging, Outcome
from graftbench.judges.protocol import NO_USAGE, Case, Judge, Usage, Verdict
from graftbench.judges.registry import ServerPolicy, judge_of
from graftbench.judges.spec import read_specs

SPLITS = ("validation", "test")
# What may be judged beside success, in any task: reported as a mean, on the judge's own scale.
BESIDE = ("similarity", "coherence")


@dataclass(frozen=True)
class Judges:
    """The judges of a task by what they judge, those of what is reported beside success among them."""

    by_measure: Mapping[str, Judge]

    def __getitem__(self, measure: str) -> Judge:
        return self.by_measure[measure]

    @property
    def identities(self) -> dict[str, str]:
        """Everything that verdicts depend on, by measure."""
        return {measure: judge.identity for measure, judge in self.by_measure.items()}

    def identity(self, *measures: str) -> str:
        """The identities of some, and of those beside success, in one line."""
        named = [*measures, *(measure for measure in BESIDE if measure in self.by_measure)]
        return "; ".join(f"{measure}: {self.by_measure[measure].identity}" for measure in dict.fromkeys(named))

    def with_beside(self, judging: Judging) -> Judging:
        """Outcomes with what the judges beside success say of each completion."""
        beside = {measure: self.by_measure[measure] for measure in BESIDE if measure in self.by_measure}
        if not beside:
            return judging

        def judged(items: Sequence[Example], replies: Sequence[str]) -> list[Outcome]:
            cases = cases_of(items, replies)
            verdicts = {measure: judge(cases) for measure, judge in beside.items()}
            return [
                _with_marks(outcome, {measure: each[i] for measure, each in verdicts.items()})
                for i, outcome in enumerate(judging(items, replies))
            ]

        return judged


def judges_of(task: str, measures: Mapping[str, str], named: Mapping[str, Any], budget: Budget | None = None) -> Judges:
    """The judges of a task: for each measure the one that a suite names, or the task's own."""
    specs = read_specs(task, measures, BESIDE, named)
    found = {measure: judge_of(spec, _service(budget, measure)) for measure, spec in specs.items()}
    for measure, judge in found.items():
        if measure not in BESIDE and not judge.binary:
            low, high = judge.scale
            raise UserError(
                f"The judge of {measure!r} in the task {task} scores from {low:g} to {high:g}, where yes or no is "
                "wanted: say with `at_least` what counts as yes."
            )
    return Judges(found)


def _service(budget: Budget | None, measure: str) -> ServerPolicy:
    return ServerPolicy(budget, asked=budget is None or budget.measure in (None, measure))


def cases_of(items: Sequence[Example], replies: Sequence[str]) -> list[Case]:
    """What judges are shown."""
    return [Case(item.prompt.text, reply, item.reference) for item, reply in zip(items, replies, strict=True)]


def outcome_of(
    verdicts: Sequence[Verdict], parts: Callable[..., tuple[bool, bool]], marks: Mapping[str, bool] | None = None
) -> Outcome:
    """The outcome of several verdicts: whether gone and whether good, by `parts` of their scores, if all are scored."""
    took = sum((verdict.took for verdict in verdicts), NO_USAGE)
    unscored = [verdict.reason for verdict in verdicts if verdict.score is None]
    if unscored:
        return Outcome(None, None, unscored[0], took=_plain(took))
    return Outcome(*parts(*(verdict.score == 1 for verdict in verdicts)), marks=marks or {}, took=_plain(took))


def gone_and_good(behaviour: Judge, good: Judge) -> Judging:
    """Gone where the judge of the behaviour does not find it, good where the judge of answers does."""

    def judged(items: Sequence[Example], replies: Sequence[str]) -> list[Outcome]:
        cases = cases_of(items, replies)
        return [
            outcome_of(both, lambda shown, well: (not shown, well))
            for both in zip(behaviour(cases), good(cases), strict=True)
        ]

    return judged


def _with_marks(outcome: Outcome, verdicts: Mapping[str, Verdict]) -> Outcome:
    return replace(
        outcome,
        marks={**outcome.marks, **{measure: verdict.score for measure, verdict in verdicts.items()}},
        unscored={measure: verdict.reason for measure, verdict in verdicts.items() if verdict.score is None},
        took=_plain(sum((verdict.took for verdict in verdicts.values()), Usage(*outcome.took))),
    )


def _plain(took: Usage) -> tuple[int, int, float | None]:
    return took.prompt_tokens, took.completion_tokens, took.dollars
