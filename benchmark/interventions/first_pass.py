"""The first pass of a batch, which reads its prompts: what several rows share of them is read once.

Before the first token that any row is steered at, rows with the same tokens are one row. The tokens after it are read
for every row, and below the first site with an intervention once for equal prompts.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor
from transformers import DynamicCache

from graftbench.benchmark.interventions.conditions import Row
from graftbench.benchmark.interventions.hooks import Batch
from graftbench.benchmark.interventions.operators import Add, Replace
from graftbench.benchmark.interventions.shared_prompts import can_share, spread_at, unique_prompts
from graftbench.benchmark.models.architectures import may_skip_reading
from graftbench.benchmark.models.kv_cache import can_be_fixed, select_in
from graftbench.benchmark.models.load import Model

_WORTH = 4  # tokens of a beginning: another pass costs some time, too
_SHARE = 0.75  # of the rows: with more different beginnings little is saved
_Ids = Sequence[Sequence[int]]


def n_steered(rows: Sequence[Row]) -> int | None:
    """Return how many last tokens of their prompts hold all interventions, one at the least; None where others do."""
    longest = 1
    for step in (step for row in rows for step in row.interventions):
        if not isinstance(step, Add | Replace) or step.positions is None:
            return None
        longest = max(longest, -min(step.positions, default=-1))
    return None if any(row.follow is not None for row in rows) else longest


@contextmanager
def first_pass(
    model: Model, batch: Batch, ids: _Ids, n_last: int | None, inputs: Mapping[str, Tensor], cache: DynamicCache
) -> Iterator[Mapping[str, Tensor]]:
    """Yield the inputs of a pass that reads the prompts, during a `with` block in which it is run.

    `inputs` are those of prompts that are padded on the left, `n_last` is what `n_steered` returns. Afterwards the
    cache holds the prompts of all rows.
    """
    site = batch.first_site(len(model.blocks))
    first, prompt_of = unique_prompts(ids)
    is_shared = can_share(model, site, len(first), len(prompt_of))
    if n_last is not None and _is_worth_it(model, ids, n_last, cache):
        with batch.paused():
            begins = _read_beginnings(model, ids, n_last, inputs, cache)
        for i, layer in enumerate(cache.layers):
            of_layer = [begins[row] for row in first] if is_shared and i < site else begins
            select_in(layer, torch.tensor(of_layer, device=model.device))  # type: ignore[arg-type]
        inputs = {name: value if name == "attention_mask" else value[:, -n_last:] for name, value in inputs.items()}
    if not is_shared:
        yield inputs
        return
    index = torch.tensor(prompt_of, dtype=torch.long, device=model.device)
    with spread_at(model, site, index, len(first), cache):
        yield {name: value[first] for name, value in inputs.items()}


def _is_worth_it(model: Model, ids: _Ids, n_last: int, cache: DynamicCache) -> bool:
    """Return whether rows of a model that may be read in two passes have long beginnings in common."""
    if min(map(len, ids)) < n_last + _WORTH or not (may_skip_reading(model.module) and can_be_fixed(cache)):
        return False
    return len({tuple(row[:-n_last]) for row in ids}) <= _SHARE * len(ids)


def _read_beginnings(
    model: Model, ids: _Ids, n_last: int, inputs: Mapping[str, Tensor], cache: DynamicCache
) -> list[int]:
    """Read all but the last tokens of the prompts, equal ones once; return the row of the cache of each."""
    first, begins = unique_prompts([row[:-n_last] for row in ids])
    some = {name: value[first, :-n_last] for name, value in inputs.items()}
    model.module.base_model(**some, past_key_values=cache, use_cache=True)
    return begins
