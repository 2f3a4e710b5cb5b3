"""What the activations that mappers are fitted on will take of the disk, before any model is loaded."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from random import Random

from transformers import PreTrainedTokenizerFast

from graftbench.benchmark.activations.arrays import too_large
from graftbench.benchmark.core.names import split_pair
from graftbench.benchmark.data.examples import Conversation, Conversations, TextTrack
from graftbench.benchmark.data.registry import dataset_named
from graftbench.benchmark.data.tracks import SHARES_OF_PAIRS, texts_of
from graftbench.benchmark.models.chat import chat, plain_text
from graftbench.benchmark.models.load import DTYPES, read_tokenizer
from graftbench.benchmark.models.tokens import token_ids
from graftbench.benchmark.runs.model_files import base_here, config_of
from graftbench.benchmark.runs.plan import Cell, dataset_of, task_named
from graftbench.benchmark.runs.suite import ModelSpec, Suite

N_TEXTS = 1000  # to fit on, where a task's settings name no number
_READ = 64  # texts of which the tokens are counted
_WIDTHS = ("hidden_size", "n_embd", "d_model")  # as configurations call it
_KINDS = ("streams", "pairs")  # of the store's folders that hold activations


@dataclass(frozen=True)
class Size:
    """The width of a model's residual stream, and the mean number of tokens that a text has for it."""

    d: int
    tokens: float


SizeOf = Callable[[ModelSpec, Conversations], Size | None]  # None where it cannot be told


@dataclass(frozen=True)
class _Key:
    """What tells the texts that a mapper is fitted on from others; the track `general` has no behaviour of its own."""

    dataset: str
    behaviour: str
    track: TextTrack
    n: int


@dataclass(frozen=True)
class ActivationsOnDisk:
    """Bytes of the activations of some cells; those of the pairs in `untold`, whose models are not here, are not in."""

    n_bytes: float
    untold: tuple[str, ...] = ()


def check_disk(suite: Suite, cells: Sequence[Cell], root: Path) -> ActivationsOnDisk:
    """Return what the activations of some cells take in the store at `root`; UserError where its disk lacks the room.

    They are counted at one site of each model: a task that fits at several takes as many times that.
    """
    found = activations_on_disk(suite, cells, size_here)
    check_room(found.n_bytes, root)
    return found


def check_room(n_bytes: float, root: Path) -> None:
    """Raise UserError where the disk of the store at `root` has no room for so many bytes of activations.

    Those that the store holds may be some of them, and count as room.
    """
    there = next(each for each in (root, *root.parents) if each.exists())
    free = shutil.disk_usage(there).free
    held = sum(file.stat().st_size for kind in _KINDS for file in (root / kind).rglob("*.npy"))
    if n_bytes > free + held:
        raise too_large(n_bytes, free)


def activations_on_disk(suite: Suite, cells: Sequence[Cell], size_of: SizeOf) -> ActivationsOnDisk:
    """Return what the activations of some cells take; what cells share is counted once."""
    n_seeds = len({cell.seed for cell in cells})
    texts: dict[_Key, Conversations] = {}
    counted: dict[object, float] = {}
    untold: list[str] = []
    for cell in {(cell.reference, cell.track): cell for cell in cells}.values():
        key, read = _fit_texts(suite, cell)
        if key not in texts:
            texts[key] = read()
        sizes = [size_of(_spec(suite, cell, family), texts[key]) for family in split_pair(cell.pair)]
        known = [size for size in sizes if size is not None]
        if len(known) == len(sizes):
            counted |= _of_cell(suite, cell, key, len(texts[key]), known, n_seeds)
        else:
            untold.append(cell.pair)
    return ActivationsOnDisk(sum(counted.values()), tuple(dict.fromkeys(untold)))


def _fit_texts(suite: Suite, cell: Cell) -> tuple[_Key, Callable[[], Conversations]]:
    """Return what tells the texts of a cell from those of others, and a function that reads them."""
    n = int(suite.tasks[cell.task].settings.get("fit", N_TEXTS))
    dataset = dataset_of(suite, cell.task)
    name = task_named(cell.task).variants(dataset)[cell.variant].name
    if cell.track == "general" and suite.general is not None:
        dataset, name = dataset_named(suite.general), ""
    track = texts_of(cell.track)
    key = _Key(dataset.identity, "" if track == "general" else name, track, n)
    return key, lambda: dataset.conversations(name, "fit", track, n)


def _of_cell(
    suite: Suite, cell: Cell, key: _Key, n_texts: int, sizes: Sequence[Size], n_seeds: int
) -> dict[object, float]:
    """Return the bytes of each file of a cell, with what tells it from those of others."""
    item = DTYPES[suite.pair_storage.dtype].itemsize
    n_pairs = n_texts * min(size.tokens for size in sizes)  # at the most
    pairs = min(n_pairs, suite.pairs or n_pairs) * sum(size.d for size in sizes) * item
    read = cell.pair, _version(suite, cell), cell.sites, key
    files: dict[object, float] = {read: pairs}
    share = SHARES_OF_PAIRS.get(cell.track)
    if share is not None:  # beside those that they are drawn from
        files[read, share] = share * pairs
    if suite.shuffled_refit:  # each seed has a permutation of its own
        files[read, share, "shuffled"] = n_seeds * (1 if share is None else share) * pairs
    if suite.pairs is None:  # each model's own activations lie beside the pairs
        for side, family in enumerate(split_pair(cell.pair)):
            site = None if cell.sites is None else cell.sites[side]
            files[family, _version(suite, cell), site, key] = n_texts * sizes[side].tokens * sizes[side].d * item
    return files


def _spec(suite: Suite, cell: Cell, family: str) -> ModelSpec:
    """Return a model of a cell; a twin is as large as its original."""
    version = _version(suite, cell)
    spec = suite.spec(family, version)
    return spec if spec.twin_of is None else suite.spec(spec.twin_of, version)


def _version(suite: Suite, cell: Cell) -> str:
    """Return the version of the models that a cell reads."""
    return task_named(cell.task).variants(dataset_of(suite, cell.task))[cell.variant].behaviour.versions[0]


def size_here(spec: ModelSpec, texts: Conversations) -> Size | None:
    """Return the size of a model by its files alone; None where they are not here."""
    assert spec.model is not None
    folder = base_here(spec.model, spec.revision)
    config = config_of(spec.model, spec.revision)
    d = next((config[key] for key in _WIDTHS if isinstance(config.get(key), int)), None)
    if folder is None or d is None:
        return None
    tokenizer = _tokenizer(spec.model, folder, spec.chat)
    some = Random(0).sample(list(texts), min(_READ, len(texts)))  # every third, say, may be all of one kind
    return Size(d, sum(_n_tokens(each, tokenizer) for each in some) / max(1, len(some)))


@lru_cache(maxsize=32)
def _tokenizer(name: str, folder: Path, chat_format: str) -> PreTrainedTokenizerFast:
    return read_tokenizer(name, folder, chat_format)


def _n_tokens(conversation: Conversation, tokenizer: PreTrainedTokenizerFast) -> int:
    prompt, reply = conversation
    text = plain_text(reply, tokenizer) if prompt is None else chat(prompt, tokenizer).with_reply(reply)
    return len(token_ids(text.text, tokenizer))
