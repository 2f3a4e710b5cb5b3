"""Residual streams that are kept: every mapper of every track reads the same ones."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor

from graftbench.benchmark.activations.pairs import StreamedTexts, write_pairs
from graftbench.benchmark.activations.stream import read_stream, write_stream
from graftbench.benchmark.core.hashing import digest
from graftbench.benchmark.core.store import Store
from graftbench.benchmark.data.examples import Prompt
from graftbench.benchmark.models.alignment import Alignment
from graftbench.benchmark.models.architectures import Sites
from graftbench.benchmark.models.chat import with_reply
from graftbench.benchmark.models.load import Model

_FILE = "states.safetensors"


def kept_states(
    store: Store, model: Model, site: int, asked: Any, make: Callable[[], Sequence[Tensor]]
) -> list[Tensor]:
    """The states that `make` reads at one site of a model; `asked` says, as JSON can, what else they depend on."""

    def fill(folder: Path) -> None:
        save_file({str(i): states.contiguous() for i, states in enumerate(make())}, folder / _FILE)

    folder = store.kept("states", [model.identity, model.device.type, site, asked], fill)
    found = load_file(folder / _FILE)
    return [found[str(i)] for i in range(len(found))]


def captured_pairs(
    store: Store,
    source: Model,
    target: Model,
    sites: Sites,
    texts: Sequence[tuple[Prompt, str]],
    alignment: Alignment,
    told: Callable[[int, int], None],
) -> tuple[Path, str]:
    """Where the paired activations on prompts with replies lie, and a hash of what they were captured from."""
    words = [(prompt.text, reply) for prompt, reply in texts]
    parts = [source.identity, target.identity, target.device.type, sites, alignment, words]
    progress = [0]

    def done(n: int) -> None:
        progress[0] += n
        told(progress[0], 2 * len(texts))

    def reading(model: Model, site: int) -> StreamedTexts:
        chats = [with_reply(p, r, model) for p, r in texts]
        said = [each.text for each in chats]
        asked = [model.identity, model.device.type, site, said]
        folder = store.kept("streams", asked, lambda folder: write_stream(folder, model, site, said, done))
        return StreamedTexts(model, chats, read_stream(folder))

    def make(folder: Path) -> None:
        write_pairs(folder, reading(source, sites[0]), reading(target, sites[1]), alignment)

    return store.kept("pairs", parts, make), digest(parts)
