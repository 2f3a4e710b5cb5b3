"""Completions cached on disk, by batch."""

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from torch import Tensor

from graftbench.benchmark.core.hashing import digest
from graftbench.benchmark.core.store import Store
from graftbench.benchmark.interventions.conditions import Row
from graftbench.benchmark.interventions.generation import Completion, batches_of, decode
from graftbench.benchmark.interventions.operators import Ablate, Add, Intervention, Rewrite
from graftbench.benchmark.models.handle import ModelHandle
from graftbench.benchmark.models.tokens import token_ids


def completions(
    store: Store,
    model: ModelHandle,
    rows: Sequence[Row],
    *,
    max_new_tokens: int,
    batch_size: int,
    progress: Callable[[int], None] = lambda _: None,
) -> list[Completion]:
    """Return the completion of each row, as `generate` does, cached by batch; equal rows are decoded once.

    The batches depend on the rows alone. `progress` is called with the number of rows of each finished batch.
    """
    keys = [digest(row_parts(row)) for row in rows]
    counts = Counter(keys)
    by_key = dict(zip(keys, rows, strict=True))
    ids = {key: token_ids(row.text.text, model.tokenizer) for key, row in by_key.items()}
    unique = list(by_key)
    made: dict[str, Completion] = {}
    for batch in batches_of([ids[key] for key in unique], batch_size):
        these = [unique[i] for i in batch]
        parts = [model.identity, model.device.type, max_new_tokens, these]

        def decoded(these: list[str] = these) -> Any:
            with model.loaded() as loaded:
                replies = decode(loaded, [by_key[key] for key in these], [ids[key] for key in these], max_new_tokens)
            return [asdict(completion) for completion in replies]

        cached = store.value("completions", parts, decoded)
        made |= {k: Completion(c["text"], tuple(c["tokens"]), c["finite"]) for k, c in zip(these, cached, strict=True)}
        progress(sum(counts[key] for key in these))
    return [made[key] for key in keys]


def row_parts(row: Row) -> list[Any]:
    """Return all that a row's completion depends on, apart from the model, as JSON can hold it."""
    steps = [_parts(step) for step in row.interventions]
    follow = row.follow and [
        row.follow.identity,
        [(link.source_site, link.site) for link in row.follow.links],
        row.follow.prompt_only,
    ]
    return [row.text.text, steps, follow, row.source_text and row.source_text.text]


def _parts(step: Intervention) -> list[Any]:
    if isinstance(step, Ablate):
        return ["ablate", _hash(step.direction)]
    if isinstance(step, Rewrite):
        return ["rewrite", step.site, step.identity]
    parts = [type(step).__name__, step.site, step.positions, _hash(step.vectors)]
    generated = step.generated if isinstance(step, Add) else None
    return parts if generated is None else [*parts, _hash(generated)]


def _hash(vector: Tensor) -> str:
    return hashlib.sha256(vector.detach().cpu().double().numpy().tobytes()).hexdigest()
