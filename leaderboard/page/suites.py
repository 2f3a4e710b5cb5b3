"""Suites as the page shows them: each with its rankings, mappers and cells, and where its models can be steered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from graftbench.benchmark.results.schema import Entry
from graftbench.leaderboard.entries import by_suite
from graftbench.leaderboard.page.cells import ExperimentView, experiments
from graftbench.leaderboard.page.mappers import Card, Ranking, cards, rankings
from graftbench.leaderboard.page.sweeps import SweepView, by_task
from graftbench.leaderboard.ranking import ranking_of
from graftbench.leaderboard.scored import FITTED
from graftbench.leaderboard.scoring import Scoring


@dataclass(frozen=True)
class SuiteView:
    """One suite. The ids of its sections, mappers and tracks start with `at`, so that no two suites share one."""

    name: str
    hash: str
    rankings: tuple[Ranking, ...]
    cards: tuple[Card, ...]
    experiments: tuple[ExperimentView, ...]
    checks: tuple[ExperimentView, ...]
    sweeps: Mapping[str, Sequence[SweepView]]

    @property
    def at(self) -> str:
        """The id of the suite; a slash is in no name, so that no name makes the id of anything else."""
        return f"suite/{self.name}"


def suite_views(
    entries: Sequence[Entry], sweeps: Mapping[str, Sequence[SweepView]], scorings: Mapping[str, Scoring]
) -> list[SuiteView]:
    """Return every suite with an entry, by name; `sweeps` and `scorings` are by the name of the suite."""
    return [_view(ours, sweeps.get(name, ()), scorings.get(name)) for name, ours in by_suite(entries).items()]


def _view(entries: Sequence[Entry], sweeps: Sequence[SweepView], scoring: Scoring | None) -> SuiteView:
    ranking = ranking_of(entries, scoring)
    order = [(row["mapper"], row["sha256"]) for row in ranking["scores"][FITTED]]
    best_first = sorted(entries, key=lambda entry: order.index((entry.mapper.name, entry.mapper.sha256)))
    views, suite = experiments(best_first), entries[0].suite
    return SuiteView(
        suite.name,
        suite.hash,
        tuple(rankings(ranking)),
        tuple(cards(ranking, entries)),
        tuple(view for view in views if not view.check),
        tuple(view for view in views if view.check),
        by_task(sweeps),
    )
