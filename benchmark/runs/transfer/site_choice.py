"""The site of each model, by how well it can be steered there by its own vectors, on validation prompts.

Five fractions of the depth are tried, then the middle between the best site and its neighbours, as long as the budget
of sites allows. What counts is the lead of native over a random vector of the same norm, the mean over behaviours,
strengths and both signs.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import mean

from rich.console import Console

from graftbench.benchmark.core.hashing import digest
from graftbench.benchmark.models.architectures import Sites
from graftbench.benchmark.models.devices import device_of
from graftbench.benchmark.runs.context import Settings, context_of
from graftbench.benchmark.runs.executors.protocol import Job, stop_at_failure
from graftbench.benchmark.runs.plan import Cell, dataset_identities, listed
from graftbench.benchmark.runs.progress import Bars
from graftbench.benchmark.runs.request import Request
from graftbench.benchmark.runs.sweeps.native import points_of
from graftbench.benchmark.runs.transfer.pair_suite import STEERING, PairOrder

FRACTIONS = (0.5, 0.25, 0.75, 0.375, 0.625)  # of the depth, in the order in which a small budget takes them
N_PROMPTS, N_VECTOR = 16, 32
_STRENGTHS = (1.0,)


@dataclass(frozen=True)
class TriedSite:
    """A site of a model, and the lead of native over random there."""

    site: int
    lead: float


def fractions_of(n_blocks: int, budget: int) -> list[int]:
    """Return the first sites to try in a model."""
    return sorted({min(round(fraction * n_blocks), n_blocks - 1) for fraction in FRACTIONS[:budget]})


def between(tried: Sequence[TriedSite], n: int) -> list[int]:
    """Return at most `n` further sites: the middle between the best one and each of its neighbours."""
    order = sorted(tried, key=lambda each: each.site)
    at = order.index(best_of(tried))
    neighbours = [order[i].site for i in (at - 1, at + 1) if 0 <= i < len(order)]
    middles = [(order[at].site + site) // 2 for site in neighbours]
    return [site for site in middles if site not in {each.site for each in tried}][:n]


def best_of(tried: Sequence[TriedSite]) -> TriedSite:
    """Return the site with the largest lead, the later one of two."""
    return max(tried, key=lambda each: (round(each.lead, 6), each.site))


def choose_sites(
    order: PairOrder, request: Request, depths: dict[str, int], budget: int, console: Console
) -> tuple[Sites, dict[str, list[TriedSite]]]:
    """Return the sites of source and target, and what was found of each model at every site that was tried."""
    tried: dict[str, list[TriedSite]] = {family: [] for family in order.families}
    for _ in range(2):
        new = {
            family: between(found, budget - len(found)) if found else fractions_of(depths[family], budget)
            for family, found in tried.items()
        }
        leads = _leads(order, request, new, console)
        for family, found in tried.items():
            found += [TriedSite(site, leads[family, site]) for site in new[family]]
    source, target = order.families
    return (best_of(tried[source]).site, best_of(tried[target]).site), tried


def _leads(
    order: PairOrder, request: Request, sites: dict[str, list[int]], console: Console
) -> dict[tuple[str, int], float]:
    """Return the lead at each site of each model, the mean over behaviours."""
    cells = [cell for family, some in sites.items() for site in some for cell in _cells(order, family, site)]
    if not cells:
        return {}
    settings = _settings(order, request)
    jobs = [Job(cell.name, lead_of, (cell, settings)) for cell in cells]
    unit = "sites" if len(order.variants[STEERING]) == 1 else "trials of sites"  # one for each behaviour
    with Bars(cells, jobs, console, unit=unit) as bars:
        results = request.where.executor_for(settings).run(jobs, bars)
    stop_at_failure("The choice of sites", results)
    by_site: dict[tuple[str, int], list[float]] = {}
    for cell in cells:
        assert cell.sites is not None
        by_site.setdefault((cell.pair.partition("->")[0], cell.sites[0]), []).append(results[cell.name])
    return {where: mean(leads) for where, leads in by_site.items()}


@dataclass(frozen=True)
class _SiteCell(Cell):
    """A cell of one model, whose name has its site."""

    @property
    def name(self) -> str:
        """Name in tables and messages."""
        assert self.sites is not None
        return f"{self.variant} at site {self.sites[0]} of {self.pair.partition('->')[0]}"


def _cells(order: PairOrder, family: str, site: int) -> list[Cell]:
    """Return a cell of each behaviour in which a model is steered by its own vector."""
    small = {"validation": N_PROMPTS, "vector": N_VECTOR, "strengths": list(_STRENGTHS), "draws": {"validation": 1}}
    cells = listed(order.suite((site, site)), deterministic=True, tasks=[STEERING])
    once = {cell.variant: cell for cell in cells}.values()
    settings = [tuple(sorted((dict(cell.settings) | small).items())) for cell in once]
    return [
        _SiteCell(**vars(replace(cell, pair=f"{family}->{family}", settings=own)))
        for cell, own in zip(once, settings, strict=True)
    ]


def _settings(order: PairOrder, request: Request) -> Settings:
    suite = order.suite((0, 0))
    identities = tuple(dataset_identities(suite, suite.tasks).values())
    device = device_of(request.device)
    cache, workers = request.settings().cache, request.where.on_one_machine
    return Settings(suite.model_dump_json(), request.batch_size, str(device), cache, identities, workers=workers)


def lead_of(cell: Cell, settings: Settings) -> float:
    """Return the mean lead of native over random at the site of a cell."""
    context = context_of(settings)

    def made() -> float:
        return mean(point.ahead for point in points_of(context.experiment(cell).sweep()))

    model = context.model(cell.pair.partition("->")[0], "any")
    key = [model.identity, settings.device, digest(*settings.datasets), cell.variant, cell.sites, cell.settings]
    lead: float = context.store.value("site_leads", key, made)
    return lead
