"""Write paired activations of two models that read the same texts."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graftbench.benchmark.activations.arrays import write_header
from graftbench.benchmark.activations.stream import RaggedInts, Stream
from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.files import atomic_write
from graftbench.benchmark.models.alignment import Alignment, align, token_ends
from graftbench.benchmark.models.chat import Chat
from graftbench.benchmark.models.handle import ModelHandle


@dataclass(frozen=True)
class StreamedTexts:
    """Texts in a model's chat format, and the model's residual stream on them at one site."""

    model: ModelHandle
    texts: Sequence[Chat]
    stream: Stream


def write_pairs(
    folder: Path,
    source: StreamedTexts,
    target: StreamedTexts,
    alignment: Alignment = "ends",
) -> None:
    """Write the aligned activations [pairs, d] of two models on the same texts, each in its own chat format.

    UserError where no token of any text has a partner.
    """
    source_tokens, target_tokens = RaggedInts(), RaggedInts()
    n_target = 0
    for one, other in zip(source.texts, target.texts, strict=True):
        pairing = align(token_ends(one, source.model.tokenizer), token_ends(other, target.model.tokenizer), alignment)
        source_tokens.add(pairing.source)
        target_tokens.add(pairing.target)
        n_target += pairing.n_target
    starts = source_tokens.starts()
    if not starts[-1]:
        raise nothing_aligned(source.model, target.model)
    for name, side, tokens in (("source", source, source_tokens), ("target", target, target_tokens)):
        with atomic_write(folder / f"{name}.npy") as path, path.open("wb") as file:
            write_header(file, (int(starts[-1]), side.stream.d), side.stream.rows.dtype)
            for rows in side.stream.select(tokens):
                file.write(rows.tobytes())
    save_shape(folder, starts[:-1][np.diff(starts) > 0], int(starts[-1]) / n_target)


def nothing_aligned(source: ModelHandle, target: ModelHandle) -> UserError:
    """Return the error that no token has a partner."""
    return UserError(f"No token of {source.name} ends where one of {target.name} does: there is nothing to fit on.")


def save_shape(folder: Path, starts: NDArray[np.int64], share_aligned: float) -> None:
    """Write the first row of each text [texts], and the share of the target's tokens that have a partner."""
    _save(folder / "starts.npy", starts)
    _save(folder / "aligned.npy", np.array(share_aligned))


def _save(path: Path, array: NDArray[Any]) -> None:
    with atomic_write(path) as unfinished, unfinished.open("wb") as file:
        np.save(file, array, allow_pickle=False)
