"""Completions that are kept: a batch that was decoded once is not decoded again."""

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from graftbench.benchmark.core.hashing import digest
from graftbench.benchmark.core.store import Store
from graftbench.benchmark.interventions.generation import Completion, Row, batches_of, decode
from graftbench.benchmark.interventions.operators import Ablate, Add, Intervention, Rewrite
from graftbench.benchmark.models.load import Model
from graftbench.benchmark.models.tokens import token_ids


def completions(
    store: Store,
    model: Model,
    rows: Sequence[Row],
    *,
    max_new_tokens: int,
    batch_size: int,
    done: Callable[[int], None] = lambda _: None,
) -> list[Completion]:
    """As `generate`, batch by batch through the store; rows that are alike in everything are decoded once.

    Which rows share a batch is decided by the rows alone.
    """
    keys = [digest(row_parts(row)) for row in rows]
    same = Counter(keys)
    unlike = dict(zip(keys, rows, strict=True))
    ids = {key: token_ids(row.text.text, model.tokenizer) for key, row in unlike.items()}
    names = list(unlike)
    found: dict[str, Completion] = {}
    for batch in batches_of([ids[name] for name in names], batch_size):
        these = [names[i] for i in batch]
        parts = [model.identity, model.device.type, max_new_tokens, these]

        def make(these: list[str] = these) -> Any:
            made = decode(model, [unlike[key] for key in these], [ids[key] for key in these], max_new_tokens)
            return [asdict(completion) for completion in made]

        kept = store.value("completions", parts, make)
        found |= {k: Completion(c["text"], tuple(c["tokens"]), c["finite"]) for k, c in zip(these, kept, strict=True)}
        done(sum(same[key] for key in these))
    return [found[key] for key in keys]


def row_parts(row: Row) -> list[Any]:
    """All that a row's completion depends on, the model aside."""
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


def _hash(vector: Any) -> str:
    return hashlib.sha256(vector.detach().cpu().double().numpy().tobytes()).hexdigest()
