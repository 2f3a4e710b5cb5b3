"""Write the tables of README.md and of pages in docs/, from what they show: `uv run python docs/tables.py`."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from api_tables import api, api_plugin
from architecture_table import architectures
from cell_tables import discrimination
from dataset_tables import datasets
from evidence_tables import above_all_draws, by_seed, outcomes, refusal_score, unexplained
from published_table import published_figures
from result_tables import LEADERBOARD, Entries, Lines, by_part, cells, lengths, scores, side_effects
from smollm2_tables import smollm2_cells, smollm2_shifts, smollm2_side_effects

from graftbench.benchmark.core.files import write_text
from graftbench.benchmark.core.plugins import is_builtin
from graftbench.benchmark.results.entry_files import read_entry
from graftbench.leaderboard.entries import by_suite, entry_files

ROOT = Path(__file__).parents[1]
PAGES = (
    ROOT / "README.md",
    *(ROOT / "docs" / f"{page}.md" for page in ("results", "results-smollm2", "datasets", "data-and-models", "guide")),
    ROOT / "docs" / "api.md",
)
BLOCK = re.compile(r"(<!-- table: (?P<name>[\w ]+) -->\n).*?(<!-- end -->)", re.DOTALL)

TABLES: dict[str, Callable[[Entries, str], Lines]] = {
    "scores": lambda entries, _: scores(entries),
    "by_behaviour": lambda entries, number: by_part(entries, number, "by_behaviour"),
    "by_track": lambda entries, number: by_part(entries, number, "by_track"),
    "by_pair": lambda entries, number: by_part(entries, number, "by_pair"),
    "by_task": lambda entries, number: by_part(entries, number, "by_task"),
    "cells": lambda entries, task: cells([entries["ridge"], entries["lookup"]], task),
    "lengths": lambda entries, task: lengths(
        [entries[name] for name in ("ridge", "procrustes", "autoencoder", "relative", "lookup")], task
    ),
    "discrimination": discrimination,
    "side_effects": lambda entries, _: side_effects(entries["ridge"]),
    "unexplained": lambda entries, _: unexplained(entries),
    "norms": lambda entries, _: outcomes(entries, "equal_norm", "own_norm"),
    "strengths": lambda entries, _: outcomes(entries, "all_strengths", "best_strength"),
    "refusal_score": lambda entries, _: refusal_score(entries),
    "by_seed": lambda entries, _: by_seed(entries),
    "datasets": lambda *_: datasets(),
    "architectures": lambda *_: architectures(),
    "api": lambda *_: api(),
    "api_plugin": lambda *_: api_plugin(),
    "published": lambda *_: published_figures(),
    "above_all_draws": lambda entries, _: above_all_draws(entries),
}


OF_SMOLLM2: dict[str, Callable[[Entries], Lines]] = {
    "smollm2_cells": smollm2_cells,
    "smollm2_shifts": smollm2_shifts,
    "smollm2_scores": scores,
    "smollm2_by_task": lambda entries: by_part(entries, "fitted", "by_task"),
    "smollm2_norms": lambda entries: outcomes(entries, "equal_norm", "own_norm"),
    "smollm2_side_effects": smollm2_side_effects,
}


def with_tables(page: str, entries: Mapping[str, Entries]) -> str:
    """Return a page with every table filled in from the entries of each suite."""
    return BLOCK.sub(lambda block: "\n".join([block[1], *_table(block["name"], entries), "", block[3]]), page)


def shipped() -> dict[str, Entries]:
    """Return the entries of the built-in mappers on each suite, so that a submission changes no table."""
    found = by_suite([read_entry(path) for path in entry_files(LEADERBOARD)])
    return {
        suite: Entries({entry.mapper.name: entry for entry in entries if is_builtin("mappers", entry.mapper.source)})
        for suite, entries in found.items()
    }


def _table(name: str, entries: Mapping[str, Entries]) -> Lines:
    kind, _, argument = name.partition(" ")
    return OF_SMOLLM2[kind](entries["smollm2"]) if kind in OF_SMOLLM2 else TABLES[kind](entries["pocket"], argument)


if __name__ == "__main__":
    for path in PAGES:
        write_text(path, with_tables(path.read_text(encoding="utf-8"), shipped()))
