"""Activations cached on disk, shared by all mappers and tracks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from torch import Tensor

from graftbench.benchmark.activations.pair_writing import StreamedTexts, write_pairs
from graftbench.benchmark.activations.sampled import SEED, Side, write_sample, write_sampled_pairs, write_shuffled
from graftbench.benchmark.activations.stream import read_stream, write_stream
from graftbench.benchmark.activations.tensor_files import write_tensors
from graftbench.benchmark.core.files import atomic_write
from graftbench.benchmark.core.hashing import digest
from graftbench.benchmark.core.store import Store
from graftbench.benchmark.data.examples import Conversations, key_of
from graftbench.benchmark.models.alignment import Alignment
from graftbench.benchmark.models.architectures import Sites
from graftbench.benchmark.models.chat import with_reply
from graftbench.benchmark.models.handle import ModelHandle
from graftbench.benchmark.models.load import Dtype

_FILE = "states.safetensors"


def cached_states(
    store: Store, model: ModelHandle, site: int, depends_on: Any, make: Callable[[], Sequence[Tensor]]
) -> list[Tensor]:
    """Return the cached activations of `make()` at one site of a model, one tensor [..., d] for each that it returns.

    `depends_on` is everything else that determines them, as JSON values.
    """

    def fill(folder: Path) -> None:
        made = {str(i): states.contiguous() for i, states in enumerate(make())}
        with atomic_write(folder / _FILE) as path:
            write_tensors(made, path)

    folder = store.folder("states", [model.identity, model.device.type, site, depends_on], fill)
    states = load_file(folder / _FILE)
    return [states[str(i)] for i in range(len(states))]


@dataclass(frozen=True)
class PairStorage:
    """The dtype of pairs on disk, and the number of them that is sampled; all where it is None."""

    dtype: Dtype = "float32"
    n_pairs: int | None = None

    @property
    def parts(self) -> list[Any]:
        """All that stored pairs depend on, as JSON can hold it; empty for all pairs in float32."""
        sampled = [] if self.n_pairs is None else [self.n_pairs, SEED]
        return [self.dtype, *sampled] if self != PairStorage() else []


def cached_pairs(
    store: Store,
    source: ModelHandle,
    target: ModelHandle,
    sites: Sites,
    texts: Conversations,
    alignment: Alignment,
    progress: Callable[[int, int], None],
    storage: PairStorage = PairStorage(),
) -> tuple[Path, str]:
    """Return the folder of the paired activations on prompts with replies, and a hash of all that determines them.

    `progress` is called with the number of texts done, by either model, and their total.
    """
    words: list[Any] = [key_of(text) for text in texts]
    if storage.n_pairs is not None:
        words = [digest(each) for each in words]  # of many texts the hashes alone
    parts = [source.identity, target.identity, target.device.type, sites, alignment, words, *storage.parts]
    n_done = 0

    def done(n: int) -> None:
        nonlocal n_done
        n_done += n
        progress(n_done, 2 * len(texts))

    def streamed(model: ModelHandle, site: int) -> StreamedTexts:
        chats = [with_reply(p, r, model) for p, r in texts]
        rendered = [chat.text for chat in chats]
        key = [model.identity, model.device.type, site, rendered, *storage.parts]

        def write(folder: Path) -> None:
            with model.loaded() as loaded:
                write_stream(folder, loaded, site, rendered, done, storage.dtype)

        folder = store.folder("streams", key, write)
        return StreamedTexts(model, chats, read_stream(folder))

    def make(folder: Path) -> None:
        if storage.n_pairs is None:
            write_pairs(folder, streamed(source, sites[0]), streamed(target, sites[1]), alignment)
            return
        sides = Side(source, sites[0]), Side(target, sites[1])
        write_sampled_pairs(folder, *sides, texts, alignment, storage.n_pairs, storage.dtype, done)

    return store.folder("pairs", parts, make), digest(parts)


def cached_shuffled(store: Store, pairs: Path, data_hash: str, seed: int) -> tuple[Path, str]:
    """Return the folder of the pairs in another one with the target's rows permuted, and a hash of what they are."""
    parts = [data_hash, "shuffled", seed]
    return store.folder("pairs", parts, lambda folder: write_shuffled(folder, pairs, seed)), digest(parts)


def cached_sample(store: Store, pairs: Path, data_hash: str, share: float) -> tuple[Path, str]:
    """Return the folder of a share of the pairs in another one, drawn over all texts, and a hash of what they are.

    `data_hash` is that of the other folder.
    """
    parts = [data_hash, share, SEED]
    return store.folder("pairs", parts, lambda folder: write_sample(folder, pairs, share)), digest(parts)
