"""A check that a model reads on from a cache as it reads a whole text.

A class that takes no cache, or keeps its state elsewhere, ignores the cache that it is given without a word: it would
generate from the newest token alone.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.models.kv_cache import cache_for, select_rows
from graftbench.benchmark.models.weights import reason_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_LENGTHS = (9, 5, 7)  # tokens of three rows
_READ_ON = 2  # tokens that are read at once from the cache, before one more is read by the rows that stay
_STAY = (2, 0)
_MOST = {torch.float32: 1e-3, torch.bfloat16: 0.1, torch.float16: 0.03}  # differences, as shares of the largest logit


_ERRORS: dict[tuple[str, ...], float] = {}  # of classes and configurations that were checked in this process


def check_cache(module: "PreTrainedModel") -> None:
    """Raise UserError where a model gives other logits when it reads on from a cache, or in a padded batch."""
    key = type(module).__name__, module.config.to_json_string(use_diff=False), str(module.dtype), module.device.type
    most = _MOST.get(module.dtype, _MOST[torch.bfloat16])
    if key not in _ERRORS:
        try:
            rows = _rows(module)
            whole = [_logits(module, row) for row in rows]
            seen = _share(whole[0][:1], _logits(module, rows[0][:1]))
        except Exception as error:  # a class may fail in any way
            raise UserError(f"A {key[0]} cannot read a text ({reason_of(error)}): graftbench cannot use it.") from error
        if seen > most:
            raise UserError(
                f"A {key[0]} sees tokens that come later (they change the logits of the first by {seen:.2g} of the "
                f"largest, and at most {most:g} is rounding): it is no causal language model."
            )
        _ERRORS[key] = _largest_error(module, rows, whole)
    if not _ERRORS[key] <= most:  # NaN, too
        raise UserError(
            f"A {key[0]} gives other logits when it reads on from a KV cache than when it reads the whole text (they "
            f"differ by {_ERRORS[key]:.2g} of the largest, and at most {most:g} is rounding): graftbench cannot use it."
        )


@torch.inference_mode()
def _largest_error(module: "PreTrainedModel", rows: tuple[Tensor, ...], whole: Sequence[Tensor]) -> float:
    """Return the largest difference between logits of the whole text and from a cache, as a share of the largest."""
    try:
        after, last = _read_on(module, rows)
    except Exception as error:  # as above
        raise UserError(
            f"A {type(module).__name__} cannot read on from a KV cache ({reason_of(error)}): graftbench cannot use it."
        ) from error
    expected = [*(logits[-1 - _READ_ON : -1] for logits in whole), torch.stack([whole[row][-1] for row in _STAY])]
    return _share(torch.cat([*after, last]), torch.cat(expected))


def _rows(module: "PreTrainedModel") -> tuple[Tensor, ...]:
    n = module.config.get_text_config().vocab_size
    ids = torch.arange(sum(_LENGTHS), device=module.device) * 7 % n
    return tuple(ids.split(_LENGTHS))


@torch.inference_mode()
def _logits(module: "PreTrainedModel", row: Tensor) -> Tensor:
    """Return the logits [tokens, vocabulary] of a row of tokens that is read as a whole."""
    logits: Tensor = module(input_ids=row[None], use_cache=False).logits
    return logits[0].float()


def _share(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).abs().max() / expected.abs().max())


def _read_on(module: "PreTrainedModel", rows: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
    """Read all but three tokens of each row, two more, and the last one of the rows that stay.

    Returns:
        The logits of the two, [rows, 2, vocabulary], and those of the last one, [rows that stay, vocabulary].

    """
    kept = cache_for(module)
    n_first = [len(row) - _READ_ON - 1 for row in rows]
    longest = max(n_first)
    ids = torch.stack([torch.cat([row.new_zeros(longest - n), row[:n]]) for row, n in zip(rows, n_first, strict=True)])
    mask = torch.stack([torch.tensor([0] * (longest - n) + [1] * n, device=ids.device) for n in n_first])
    _pass(module, ids, mask, kept)
    ids = torch.stack([row[-1 - _READ_ON : -1] for row in rows])
    mask = torch.cat([mask, torch.ones_like(ids)], dim=1)
    after = _pass(module, ids, mask, kept)
    stay = torch.tensor(_STAY, device=ids.device)
    select_rows(kept, stay)
    ids = torch.stack([rows[i][-1:] for i in _STAY])
    mask = torch.cat([mask[stay], torch.ones_like(ids)], dim=1)
    return after, _pass(module, ids, mask, kept)[:, -1]


def _pass(module: "PreTrainedModel", ids: Tensor, mask: Tensor, kept: object) -> Tensor:
    positions = (mask.cumsum(-1) - 1).clamp(min=0)[:, -ids.shape[1] :]
    logits: Tensor = module(
        input_ids=ids, attention_mask=mask, position_ids=positions, past_key_values=kept, use_cache=True
    ).logits
    return logits.float()
