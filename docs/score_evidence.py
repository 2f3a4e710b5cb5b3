"""Print how well the score `carried` measures, on the entries that ship: `uv run python docs/score_evidence.py`.

Three questions. Do two halves of the cells order mappers alike? Are mappers of known quality, native mixed with random
vectors, ordered by it? Does the order depend on what memory is?
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations
from statistics import fmean

import numpy as np
from tables import LEADERBOARD, Entries, shipped

from graftbench.benchmark.metrics.pooled import Part
from graftbench.benchmark.results.draws import Draws
from graftbench.benchmark.results.pooling import Place, Pooling
from graftbench.benchmark.results.schema import CellResult, Entry
from graftbench.leaderboard.ranking import is_control
from graftbench.leaderboard.scored import CARRIED, FITTED, Memory, Scored, memory_of, scored
from graftbench.leaderboard.scoring import Scoring, read_scoring

LEARNERS = ("autoencoder", "affine", "ridge", "procrustes")
SPLITS = 400
STEPS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
Formula = Callable[[Scored, Sequence[Place]], float]


def tau(one: Sequence[float], other: Sequence[float]) -> float:
    """Return Kendall's tau-b: pairs in the same order minus pairs in the opposite one, ties taken out of each side."""
    pairs = list(combinations(range(len(one)), 2))
    signs = [(np.sign(one[i] - one[j]), np.sign(other[i] - other[j])) for i, j in pairs]
    untied = [sum(bool(sign) for sign in side) for side in zip(*signs, strict=True)]
    return float(sum(a * b for a, b in signs) / np.sqrt(untied[0] * untied[1]))


def over_prompts(score: Scored, places: Sequence[Place]) -> float:
    """Return the pooled transfer over some cells."""
    return score.pooling.pool([score.parts[place] for place in places]).value


def over_cells(score: Scored, places: Sequence[Place]) -> float:
    """Return the mean over cells of the transfer; cells in which nothing counts are left out."""
    pools = [score.pooling.pool([score.parts[place]]) for place in places]
    return fmean(pool.value for pool in pools if pool.gain > 0)


def over_behaviours(score: Scored, places: Sequence[Place], scoring: Scoring) -> float:
    """Return the mean over behaviours of the pooled transfer."""
    groups: dict[str, list[Part]] = {}
    for place in places:
        groups.setdefault(scoring.behaviour(score.cells[place][0]), []).append(score.parts[place])
    pools = [score.pooling.pool(parts) for parts in groups.values()]
    return fmean(pool.value for pool in pools if pool.gain > 0)


def halves(scores: Mapping[str, Scored], names: Sequence[str], formula: Formula) -> tuple[float, float]:
    """Return the mean tau between the orders of two halves of the cells, and its lowest twentieth."""
    rng, taus = np.random.default_rng(0), []
    places = list(scores[names[0]].parts)
    for _ in range(SPLITS):
        order = rng.permutation(len(places))
        sides = [[places[i] for i in part] for part in np.array_split(order, 2)]
        taus.append(tau(*([formula(scores[name], side) for name in names] for side in sides)))
    return fmean(taus), float(np.quantile(taus, 0.05))


def planted(entry: Entry) -> Iterator[tuple[float, Entry]]:
    """Yield mappers that answer as native does with this probability, prompt by prompt, and else as a random vector."""
    for step in STEPS:
        rng = np.random.default_rng(0)
        cells = [_mixed(cell, step, rng) for cell in entry.cells]
        yield step, entry.model_copy(update={"cells": cells})


def _mixed(cell: CellResult, step: float, rng: np.random.Generator) -> CellResult:
    if cell.transfer is None or "mapped" not in cell.bits:
        return cell
    native, noise = cell.bits["native"].strings[0], cell.bits[cell.transfer.baseline].strings
    noise = noise[rng.integers(len(noise))]
    own = rng.random(len(native)) < step
    mixed = "".join(n if native_s else r for native_s, n, r in zip(own, native, noise, strict=True))
    return cell.model_copy(update={"bits": cell.bits | {"mapped": Draws([mixed])}})


def main() -> None:
    """Print all three."""
    entries = shipped()["pocket"]
    scoring = read_scoring(LEADERBOARD, "pocket")
    pooling = Pooling.over(cell for entry in entries.values() for cell in entry.cells)
    memory = memory_of(entries.values(), scoring)
    _reliability(entries, scoring, pooling, memory)
    _planted(entries, pooling, memory)
    _memories(entries, scoring, pooling, memory)


def _scores(entries: Entries, pooling: Pooling, memory: Memory | str) -> dict[str, Scored]:
    given = {name: scored(entry, CARRIED, pooling, memory) for name, entry in entries.items()}
    return {name: score for name, score in given.items() if score.reason is None and name != "lookup"}


def _reliability(entries: Entries, scoring: Scoring, pooling: Pooling, memory: Memory | str) -> None:
    by_memory = _scores(entries, pooling, memory)
    plain = {name: _plain(score, pooling) for name, score in by_memory.items()}
    formulas: dict[str, tuple[dict[str, Scored], Formula]] = {
        "carried: pooled over prompts beyond memory": (by_memory, over_prompts),
        "beyond memory, mean over cells": (by_memory, over_cells),
        "beyond memory, mean over behaviours": (by_memory, lambda s, p: over_behaviours(s, p, scoring)),
        "all prompts, pooled": (plain, over_prompts),
        "all prompts, mean over cells": (plain, over_cells),
        "all prompts, mean over behaviours": (plain, lambda s, p: over_behaviours(s, p, scoring)),
    }
    print(f"tau between halves of the cells, mean of {SPLITS} splits (lowest twentieth): all mappers; four learners")  # noqa: T201
    for name, (scores, formula) in formulas.items():
        figures = [halves(scores, names, formula) for names in (list(scores), LEARNERS)]
        print(f"  {name}: " + "; ".join(f"{mean:.2f} ({low:.2f})" for mean, low in figures))  # noqa: T201


def _plain(score: Scored, pooling: Pooling) -> Scored:
    parts = {place: pooling.part(seeds, None) for place, seeds in score.cells.items()}
    return Scored(score.entry, score.cells, {}, parts, pooling)


def _planted(entries: Entries, pooling: Pooling, memory: Memory | str) -> None:
    print("planted mappers: share of native, fitted, carried")  # noqa: T201
    found: dict[str, list[float]] = {FITTED: [], CARRIED: []}
    for step, entry in planted(entries["ridge"]):
        for number, values in found.items():
            values.append(100 * scored(entry, number, pooling, memory).pooled.value)
        print(f"  {step:.1f}: {found[FITTED][-1]:z.1f}, {found[CARRIED][-1]:z.1f}")  # noqa: T201
    print("  tau with the share: " + ", ".join(f"{name} {tau(STEPS, v):.2f}" for name, v in found.items()))  # noqa: T201


def _memories(entries: Entries, scoring: Scoring, pooling: Pooling, memory: Memory | str) -> None:
    print("memory: tau of the order with that under lookup alone, ranked mappers; range of ridge")  # noqa: T201
    assert not isinstance(memory, str)
    rng = np.random.default_rng(0)
    others: dict[str, Memory] = {"lookup": memory}
    for share in (0.1, 0.3, 0.5):
        forgets = {p: {i: bit and rng.random() > share for i, bit in bits.items()} for p, bits in memory.items()}
        knows = {p: {i: bit or rng.random() < share for i, bit in bits.items()} for p, bits in memory.items()}
        others |= {f"lookup that forgets {share:.0%}": forgets, f"lookup that knows {share:.0%} more": knows}
    base: list[float] = []
    for name, other in others.items():
        scores = _scores(entries, pooling, other)
        values = [s.pooled.value for s in scores.values() if not is_control(s.entry, scoring)]
        base = base or values
        print(f"  {name}: {tau(base, values):.2f}, ridge {100 * scores['ridge'].pooled.value:z.1f}")  # noqa: T201


if __name__ == "__main__":
    main()
