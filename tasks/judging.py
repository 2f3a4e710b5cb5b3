"""A task's judges, and the outcomes that their verdicts make."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from graftbench.benchmark.core.budget import Budget
from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.data.examples import Example
from graftbench.benchmark.experiments.bench import Judging, Outcome, TargetEvidence
from graftbench.judges.protocol import NO_USAGE, Case, Judge, Usage, Verdict
from graftbench.judges.registry import ServerPolicy, judge_of
from graftbench.judges.spec import read_specs

SPLITS = ("validation", "test")
# Any task judges these where a suite names a judge; they are reported as means, on the judge's own scale.
EXTRA_MEASURES = ("similarity", "coherence")


@dataclass(frozen=True)
class Judges:
    """The judges of a task by measure, the extra measures included."""

    by_measure: Mapping[str, Judge]

    def __getitem__(self, measure: str) -> Judge:
        return self.by_measure[measure]

    @property
    def extra(self) -> list[str]:
        """Extra measures that are judged."""
        return [measure for measure in EXTRA_MEASURES if measure in self.by_measure]

    @property
    def identities(self) -> dict[str, str]:
        """Identity of each judge by measure."""
        return {measure: judge.identity for measure, judge in self.by_measure.items()}

    def identity(self, *measures: str) -> str:
        """Return the identities of the judges of some measures, and of the extra ones, in one line."""
        named = dict.fromkeys([*measures, *self.extra])
        return "; ".join(f"{measure}: {self.by_measure[measure].identity}" for measure in named)


def judges_of(task: str, measures: Mapping[str, Any], named: Mapping[str, Any], budget: Budget | None = None) -> Judges:
    """Make the judge of each measure of a task: the one that a suite names, or the one that stands in `measures`.

    UserError where a judge makes no sense, or scores on a scale what is a question of yes or no.
    """
    specs = read_specs(task, measures, EXTRA_MEASURES, named)
    judges = {measure: judge_of(spec, _policy(budget, measure)) for measure, spec in specs.items()}
    for measure, judge in judges.items():
        if measure not in EXTRA_MEASURES and not judge.binary:
            low, high = judge.scale
            raise UserError(
                f"The judge of {measure!r} in the task {task} scores from {low:g} to {high:g}, where yes or no is "
                "wanted: say with `at_least` what counts as yes."
            )
    return Judges(judges)


def _policy(budget: Budget | None, measure: str) -> ServerPolicy:
    return ServerPolicy(budget, may_ask=budget is None or budget.measure in (None, measure))


@dataclass(frozen=True)
class JudgingByMeasures:
    """Judges completions: `outcome` is made of a case and its verdicts on `measures`; extra measures are added."""

    judges: Judges
    measures: tuple[str, ...]
    outcome: Callable[[Case, tuple[Verdict, ...]], Outcome]

    @property
    def needs_perplexity(self) -> bool:
        """True where one of the judges needs it."""
        return any(self.judges[measure].needs_perplexity for measure in (*self.measures, *self.judges.extra))

    def __call__(
        self, items: Sequence[Example], replies: Sequence[str], evidence: Sequence[TargetEvidence] | None = None
    ) -> list[Outcome]:
        """Return the outcome of each reply."""
        evidence = [TargetEvidence()] * len(items) if evidence is None else evidence
        cases = [
            Case(item.prompt.transcript, reply, item.reference, by_target.clean, by_target.perplexity)
            for item, reply, by_target in zip(items, replies, evidence, strict=True)
        ]
        extra = self._verdicts(self.judges.extra, cases)
        decisive = self._verdicts(self.measures, cases)
        outcomes = [self.outcome(case, verdicts) for case, verdicts in zip(cases, decisive, strict=True)]
        return [self._with_extra(outcome, verdicts) for outcome, verdicts in zip(outcomes, extra, strict=True)]

    def _verdicts(self, measures: Sequence[str], cases: Sequence[Case]) -> list[tuple[Verdict, ...]]:
        """Return the verdicts on each case, one for every measure."""
        by_measure = [self.judges[measure](cases) for measure in measures]
        return [tuple(verdicts[i] for verdicts in by_measure) for i in range(len(cases))]

    def _with_extra(self, outcome: Outcome, verdicts: Sequence[Verdict]) -> Outcome:
        by_measure = dict(zip(self.judges.extra, verdicts, strict=True))
        return replace(
            outcome,
            marks={**outcome.marks, **{measure: verdict.score for measure, verdict in by_measure.items()}},
            unscored={measure: verdict.reason for measure, verdict in by_measure.items() if verdict.score is None},
            took=_as_tuple(sum((verdict.usage for verdict in verdicts), Usage(*outcome.took))),
        )


def gone_and_good(judges: Judges, behaviour: str, answer: str) -> Judging:
    """Judge by two measures: the behaviour is gone where one says no, the answer is good where the other says yes."""
    return JudgingByMeasures(judges, (behaviour, answer), _gone_and_good)


def _gone_and_good(_: Case, verdicts: tuple[Verdict, ...]) -> Outcome:
    return outcome_of(verdicts, lambda shown, good: (not shown, good))


def shown_and_good(judges: Judges, behaviour: str, answer: str) -> Judging:
    """Judge by two measures: the behaviour, which is wanted, is there where one says yes, the answer good likewise."""
    return JudgingByMeasures(judges, (behaviour, answer), _shown_and_good)


def _shown_and_good(_: Case, verdicts: tuple[Verdict, ...]) -> Outcome:
    return outcome_of(verdicts, lambda shown, good: (shown, good))


def outcome_of(
    verdicts: Sequence[Verdict], decide: Callable[..., tuple[bool, bool]], marks: Mapping[str, bool] | None = None
) -> Outcome:
    """Make an outcome of verdicts: `decide` says from every yes or no whether the behaviour is gone, the answer good.

    One verdict without a score leaves the outcome unscored.
    """
    took = _as_tuple(sum((verdict.usage for verdict in verdicts), NO_USAGE))
    reasons = [verdict.reason for verdict in verdicts if verdict.score is None]
    if reasons:
        return Outcome(None, None, reasons[0], took=took)
    return Outcome(*decide(*(verdict.score == 1 for verdict in verdicts)), marks=marks or {}, took=took)


def _as_tuple(usage: Usage) -> tuple[int, int, float | None]:
    return usage.prompt_tokens, usage.completion_tokens, usage.dollars
