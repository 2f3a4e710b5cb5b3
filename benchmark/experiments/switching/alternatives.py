"""Alternatives to mapping activations: train a LoRA adapter, or copy weights of blocks."""

import copy
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graftbench.benchmark.core.files import write_text
from graftbench.benchmark.core.hashing import digest, sha256_of
from graftbench.benchmark.core.store import Store
from graftbench.benchmark.data.examples import Conversations, key_of
from graftbench.benchmark.experiments.switching.design import SwitchingDesign
from graftbench.benchmark.models.load import Model
from graftbench.benchmark.organisms.lessons import lessons
from graftbench.benchmark.organisms.recipe import Lora
from graftbench.benchmark.organisms.trainer import Course, save_adapter, trained, with_adapter

if TYPE_CHECKING:
    from transformers import PreTrainedModel

# On the pocket zoo 200 steps at 2e-3 did no better than 100 at 5e-3.
LORA = Lora(rank=8, alpha=16)
COURSE = Course(steps=100, learning_rate=5e-3, batch_size=16, at_once=16)


@dataclass(frozen=True, eq=False)
class Switched:
    """The running model with changed weights, the number of new ones, and the seconds that the change took."""

    name: str
    model: Model
    parameters: int
    seconds: float

    @property
    def size(self) -> int:
        """Bytes to store for the switch, in float32."""
        return 4 * self.parameters


def alternatives(design: SwitchingDesign, store: Store, seed: int) -> Iterator[Switched]:
    """Yield the adapter, where it is trained at all, and the weight patches; each is made when it is asked for."""
    if design.lora_steps:
        yield lora(design, store, seed)
    yield from weight_patches(design)


def weight_patches(design: SwitchingDesign) -> Iterator[Switched]:
    """Yield the running model with the weights of one, of half and of all blocks from the other version.

    The blocks are spaced evenly, as in Oozeer et al. (2025, appendix G); embeddings and head stay.
    """
    n = design.running.n_blocks
    for k in sorted({1, n // 2, n}):
        yield _patched(design, _spaced(k, n))


def _spaced(k: int, n: int) -> list[int]:
    """Return `k` of `n` blocks, evenly spaced."""
    return [(2 * i + 1) * n // (2 * k) for i in range(k)]


def _patched(design: SwitchingDesign, blocks: Sequence[int]) -> Switched:
    started = time.monotonic()
    with design.running.loaded() as running, design.other.loaded() as other:
        module = copy.deepcopy(running.module)
        model = _with_module(running, module, f"blocks {list(blocks)} of {other.identity}")
        for i in blocks:
            model.blocks[i].load_state_dict(other.blocks[i].state_dict())
    n_new = sum(p.numel() for i in blocks for p in model.blocks[i].parameters())
    return Switched(f"weight_patch_k{len(blocks)}", model, n_new, time.monotonic() - started)


def lora(design: SwitchingDesign, store: Store, seed: int) -> Switched:
    """Return the running model with a LoRA adapter (Hu et al., 2022) trained on the lessons; the adapter is cached."""
    course = replace(COURSE, steps=design.lora_steps, seed=seed)
    parts = [
        design.running.identity,
        design.running.device.type,
        [key_of(lesson) for lesson in design.lessons],
        [LORA.model_dump(), asdict(course)],
        {name: version(name) for name in ("peft", "accelerate")},  # what trains; code and transformers are in every key
    ]

    def make(folder: Path) -> None:
        started = time.monotonic()
        with design.running.loaded() as running:
            save_adapter(_adapted(running, design.lessons, course, folder), folder)
        write_text(folder / "seconds.txt", str(time.monotonic() - started))

    folder = store.folder("adapters", parts, make)
    weights = sha256_of(folder / "adapter_model.safetensors")
    with design.running.loaded() as running:
        merged, n_new = _merged(running.module, folder)
        model = _with_module(running, merged, f"adapter {weights} by peft {version('peft')}")
    return Switched("lora", model, n_new, float((folder / "seconds.txt").read_text()))


def _adapted(model: Model, taught: Conversations, course: Course, work: Path) -> Any:
    """Return a copy of a model with an adapter trained on the lessons."""
    adapted = with_adapter(copy.deepcopy(model.module), LORA, course.seed)
    return trained(model, adapted, lessons(model, taught, model.context), course, work)


def _merged(module: "PreTrainedModel", folder: Path) -> tuple["PreTrainedModel", int]:
    """Return a copy of a model with an adapter merged into its weights, and the adapter's number of parameters."""
    from peft import PeftModel

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # peft uses a name that transformers deprecates
        adapted: Any = PeftModel.from_pretrained(copy.deepcopy(module), folder)
    n_new = sum(p.numel() for name, p in adapted.named_parameters() if "lora_" in name)
    merged: PreTrainedModel = adapted.merge_and_unload()
    return merged.eval(), n_new


def _with_module(model: Model, module: "PreTrainedModel", origin: str) -> Model:
    """Return a model with other weights, and with their origin in its identity."""
    return replace(
        model, module=module, blocks=model.blocks.of(module), identity=f"{model.identity}+{digest(origin)[:16]}"
    )
