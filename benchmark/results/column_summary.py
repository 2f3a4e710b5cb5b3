"""The summary of a cell from columns of stored rows: what `summarise` makes of its answers, without an object for each.

Tests hold the two to the same.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graftbench.benchmark.results.row_columns import Numbers, RowColumns
from graftbench.benchmark.results.rows import CLEAN, check_unscored
from graftbench.benchmark.results.schema import AtStrength, ShownPrompt
from graftbench.benchmark.results.stored_rows import answer_of_row
from graftbench.benchmark.results.summary import (
    N_EXAMPLES,
    Means,
    Shares,
    SuccessParts,
    at_strength,
    examples_of,
    mark_names,
    mean_scored,
)

Truths = NDArray[np.bool_]


@dataclass(frozen=True)
class CellRows:
    """The rows of one cell, by their numbers among all rows of a run."""

    columns: RowColumns
    rows: Numbers

    def split(self, name: str) -> "CellRows":
        """Return the rows of a split."""
        return self._where(self._codes("split") == self.columns.code_of("split", name))

    def of(self, condition: str) -> "CellRows":
        """Return the rows of a condition."""
        return self._where(self._codes("condition") == self.columns.code_of("condition", condition))

    def of_prompts(self, ids: Sequence[str]) -> "CellRows":
        """Return the rows of some prompts."""
        return self._where(np.isin(self._codes("item"), self.columns.codes_of("item", tuple(ids))))

    @property
    def conditions(self) -> list[str]:
        """The conditions in the order of their first rows."""
        return self._distinct("condition")

    @property
    def items(self) -> set[str]:
        """The prompts."""
        return set(self._distinct("item"))

    @property
    def strengths(self) -> set[float]:
        """The strengths; rows without one have none."""
        return set(self._distinct("strength"))

    def scored_everywhere(self) -> set[str]:
        """Return the prompts with a verdict under every condition; RuntimeError where more than 5 % have none."""
        unscored = self._where((self._gone < 0) | (self._good < 0))
        lost, asked = unscored.items, self.items
        if lost:
            first = unscored._where(unscored._codes("item") == unscored._codes("item")[0])
            check_unscored(len(lost), len(asked), self.columns.values("reason")[first._codes("reason")[-1]])
        return asked - lost

    def bits(self, ids: Sequence[str]) -> list[list[int]]:
        """Return the successes [draws][prompts]; every draw has all prompts, as stored rows are checked to have."""
        place = np.zeros(self.columns.count("item"), np.int64)
        place[self.columns.codes_of("item", tuple(ids))] = np.arange(len(ids))
        draws, which = np.unique(self.columns.draw[self.rows], return_inverse=True)
        found = np.zeros((len(draws), len(ids)), np.int64)
        found[which, place[self._codes("item")]] = self._success
        bits: list[list[int]] = found.tolist()
        return bits

    def parts(self, clean: dict[int, int], groups: dict[int, int]) -> SuccessParts:
        """Return the parts of success; `clean` has the clean reply of each prompt, `groups` its group, by number."""
        items, said = self._codes("item"), self._codes("completion")
        equal = np.array([clean[item] for item in items.tolist()]) == said if clean else None
        return SuccessParts(
            _share(self._gone == 1),
            _share(self._good == 1),
            None if equal is None else _share(equal),
            self._marks(),
            self._groups(np.array([groups[item] for item in items.tolist()])),
        )

    def clean_replies(self, ids: Sequence[str]) -> dict[int, int]:
        """Return the clean reply of each prompt, by number; nothing where one of the prompts `ids` has none."""
        clean = self.split(CLEAN)
        if not clean.items >= set(ids):
            return {}
        return dict(zip(clean._codes("item").tolist(), clean._codes("completion").tolist(), strict=True))

    def first_groups(self) -> dict[int, int]:
        """Return the group of the first row of each prompt, by number."""
        items, first = np.unique(self._codes("item"), return_index=True)
        return dict(zip(items.tolist(), self._codes("group")[first].tolist(), strict=True))

    def sweep(self) -> dict[str, list[AtStrength]]:
        """Return the success rate of each condition at each strength, over prompts and draws that are scored."""
        scored = self._where((self._codes("strength") >= 0) & (self._gone >= 0) & (self._good >= 0))
        by_name = {name: scored.of(name) for name in scored.conditions}
        return {name: [rows._at(s) for s in rows._distinct("strength")] for name, rows in by_name.items()}

    def examples(self, ids: Sequence[str]) -> list[ShownPrompt]:
        """Return the replies to the first of these prompts, under each condition in its first draw."""
        shown = self.of_prompts(ids[:N_EXAMPLES])
        shown = shown._where(self.columns.draw[shown.rows] == 0)
        return examples_of([answer_of_row(row) for row in self.columns.table.take(shown.rows).to_pylist()], ids)

    @property
    def _gone(self) -> Numbers:
        return self.columns.gone[self.rows]

    @property
    def _good(self) -> Numbers:
        return self.columns.good[self.rows]

    @property
    def _success(self) -> Truths:
        success: Truths = (self._gone == 1) & (self._good == 1)
        return success

    def _codes(self, name: str) -> Numbers:
        return self.columns.codes(name)[self.rows]

    def _where(self, truths: Truths) -> "CellRows":
        return CellRows(self.columns, self.rows[truths])

    def _distinct(self, name: str) -> list[Any]:
        """Return the distinct values of a column in the order of their first rows."""
        codes, first = np.unique(self._codes(name), return_index=True)
        values = self.columns.values(name)
        return [values[code] for code in codes[np.argsort(first)] if code >= 0]

    def _at(self, strength: float) -> AtStrength:
        success = self._where(self._codes("strength") == self.columns.code_of("strength", strength))._success
        return at_strength(strength, int(success.sum()), len(success))

    def _marks(self) -> Means:
        codes, counts = np.unique(self._codes("marks"), return_counts=True)
        texts = self.columns.values("marks")
        counted = [(json.loads(texts[code]), int(n)) for code, n in zip(codes, counts, strict=True)]
        names = mark_names(marks for marks, _ in counted)
        return {name: mean_scored((marks.get(name), n) for marks, n in counted) for name in names}

    def _groups(self, groups: Numbers) -> Shares:
        names, success = self.columns.values("group"), self._success
        present = sorted((names[code], code) for code in np.unique(groups).tolist() if names[code])
        return {name: _share(success[groups == code]) for name, code in present}


def _share(truths: Truths) -> float:
    return int(truths.sum()) / len(truths)
