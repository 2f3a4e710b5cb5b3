"""The stored rows of a run as columns of numbers, so that hundreds of thousands of rows are summarised at once."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Numbers = NDArray[np.int64]
_EXPERIMENT = ("task", "variant", "pair")


class RowColumns:
    """A table of rows whose texts are numbers: the place of each text in `values`, -1 where there is none."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table
        self._codes: dict[str, tuple[Numbers, dict[Any, int]]] = {}
        self._codes_of: dict[tuple[str, tuple[Any, ...]], Numbers] = {}

    def codes(self, name: str) -> Numbers:
        """Return a column as numbers, equal where its values are equal."""
        return self._encoded(name)[0]

    def values(self, name: str) -> list[Any]:
        """Return the distinct values of a column, in the order of their numbers."""
        return list(self._encoded(name)[1])

    def count(self, name: str) -> int:
        """Return the number of distinct values of a column."""
        return len(self._encoded(name)[1])

    def code_of(self, name: str, value: Any) -> int:
        """Return the number of a value in a column, -2 where no row has it."""
        return self._encoded(name)[1].get(value, -2)

    def codes_of(self, name: str, values: tuple[Any, ...]) -> Numbers:
        """Return the numbers of some values in a column, as `code_of` does; those of the same values are known."""
        key = name, values
        if key not in self._codes_of:
            self._codes_of[key] = np.array([self.code_of(name, value) for value in values], np.int64)
        return self._codes_of[key]

    def _encoded(self, name: str) -> tuple[Numbers, dict[Any, int]]:
        if name not in self._codes:
            column: Any = self.table[name].combine_chunks()
            if pa.types.is_floating(column.type):
                column = pc.add(column, 0.0)  # -0.0 is 0.0: Arrow would tell the two apart
            encoded: Any = column.dictionary_encode()
            numbers: Any = encoded.indices.cast(pa.int64()).fill_null(-1)
            self._codes[name] = (
                numbers.to_numpy(zero_copy_only=False),
                {value: i for i, value in enumerate(encoded.dictionary.to_pylist())},
            )
        return self._codes[name]

    @cached_property
    def gone(self) -> Numbers:
        """1 where the behaviour is gone, 0 where it is not, -1 where that is unscored."""
        return self._verdicts("gone")

    @cached_property
    def good(self) -> Numbers:
        """1 where the answer is good, 0 where it is not, -1 where that is unscored."""
        return self._verdicts("good")

    @cached_property
    def draw(self) -> Numbers:
        """The number of the draw."""
        draws: Numbers = self.table["draw"].to_numpy()
        return draws

    def _verdicts(self, name: str) -> Numbers:
        column: Any = self.table[name].cast(pa.int64())
        verdicts: Numbers = column.fill_null(-1).to_numpy()
        return verdicts

    @cached_property
    def _by_experiment(self) -> dict[int, Numbers]:
        distinct, which = np.unique(self._experiment(*map(self.codes, _EXPERIMENT)), return_inverse=True)
        parts = np.split(np.argsort(which, kind="stable"), np.cumsum(np.bincount(which)))  # and nothing, at the end
        return dict(zip(distinct.tolist(), parts, strict=False))

    def _experiment(self, task: Any, variant: Any, pair: Any) -> Any:
        """Return one number, or an array of them, for the numbers of a task, a variant and a pair."""
        return (task * self.count("variant") + variant) * self.count("pair") + pair

    def of_cell(self, experiment: Sequence[str], track: str, seed: int) -> Numbers:
        """Return the rows, in order, of a cell of (task, variant, pair), with those that all of its cells share."""
        key = [self.code_of(name, value) for name, value in zip(_EXPERIMENT, experiment, strict=True)]
        none = np.zeros(0, np.int64)
        rows = none if min(key) < 0 else self._by_experiment.get(self._experiment(*key), none)
        tracks, seeds = self.codes("track")[rows], self.codes("seed")[rows]
        own = (tracks == self.code_of("track", track)) & (seeds == self.code_of("seed", seed))
        found: Numbers = rows[own | (tracks == -1)]
        return found
