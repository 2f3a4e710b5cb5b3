"""Alternatives to mapping activations: train a LoRA adapter, or copy weights of blocks."""

import copy
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from graftbench.benchmark.core.files import write_text
from graftbench.benchmark.core.hashing import digest, sha256_of
from graftbench.benchmark.core.store import Store
from graftbench.benchmark.data.examples import Conversations, Prompt, key_of
from graftbench.benchmark.experiments.switching.design import SwitchingDesign
from graftbench.benchmark.models.chat import with_reply
from graftbench.benchmark.models.load import Model
from graftbench.benchmark.models.tokens import token_ids

if TYPE_CHECKING:
    from transformers import PreTrainedModel


# LoRA rank, peak learning rate and batch size; on the pocket zoo 200 steps at 2e-3 did no better than 100 at 5e-3.
RANK, RATE, BATCH = 8, 5e-3, 16
_IGNORED = -100  # label that cross-entropy leaves out

_Lesson = tuple[list[int], int]  # tokens, and how many of them belong to the prompt


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
    parts = [
        design.running.identity,
        design.running.device.type,
        [key_of(lesson) for lesson in design.lessons],
        [RANK, RATE, design.lora_steps, BATCH, seed, version("peft")],
    ]

    def make(folder: Path) -> None:
        started = time.monotonic()
        with design.running.loaded() as running:
            adapted = _trained(running, design.lessons, design.lora_steps, seed)
        adapted.save_pretrained(folder)
        write_text(folder / "seconds.txt", str(time.monotonic() - started))

    folder = store.folder("adapters", parts, make)
    weights = sha256_of(folder / "adapter_model.safetensors")
    with design.running.loaded() as running:
        merged, n_new = _merged(running.module, folder)
        model = _with_module(running, merged, f"adapter {weights} by peft {version('peft')}")
    return Switched("lora", model, n_new, float((folder / "seconds.txt").read_text()))


def _merged(module: "PreTrainedModel", folder: Path) -> tuple["PreTrainedModel", int]:
    """Return a copy of a model with an adapter merged into its weights, and the adapter's number of parameters."""
    from peft import PeftModel

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # peft uses a name that transformers deprecates
        adapted: Any = PeftModel.from_pretrained(copy.deepcopy(module), folder)
    n_new = sum(p.numel() for name, p in adapted.named_parameters() if "lora_" in name)
    merged: PreTrainedModel = adapted.merge_and_unload()
    return merged.eval(), n_new


def _trained(model: Model, lessons: Conversations, steps: int, seed: int) -> Any:
    """Return a copy of a model with an adapter trained on the lessons."""
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(seed)
    settings = LoraConfig(r=RANK, lora_alpha=2 * RANK, target_modules="all-linear")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # as above
        adapted: Any = get_peft_model(copy.deepcopy(model.module), settings)
    adapted.train()
    weights = [p for p in adapted.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=RATE, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total_iters=steps)
    rows = [_lesson(model, prompt, reply) for prompt, reply in lessons]
    generator = torch.Generator().manual_seed(seed)
    for batch in _batches(rows, steps, generator):
        loss = _loss(adapted, batch, model)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        schedule.step()
    return adapted.eval()


def _batches(rows: Sequence[_Lesson], n: int, generator: torch.Generator) -> Iterator[list[_Lesson]]:
    """Yield `n` batches of lessons of similar length, so that there is little padding."""
    batches: list[list[_Lesson]] = []
    while len(batches) < n:
        order = torch.randperm(len(rows), generator=generator).tolist()
        by_length = sorted(order, key=lambda i: len(rows[i][0]))  # equal lengths stay in random order
        epoch = [[rows[i] for i in by_length[start : start + BATCH]] for start in range(0, len(by_length), BATCH)]
        batches += [epoch[i] for i in torch.randperm(len(epoch), generator=generator).tolist()]
    yield from batches[:n]


def _lesson(model: Model, prompt: Prompt | None, reply: str) -> _Lesson:
    """Return the tokens of a conversation, up to the end of the reply, and how many belong to the prompt."""
    n_prompt = len(token_ids(with_reply(prompt, "", model).text, model.tokenizer))
    ids = token_ids(with_reply(prompt, reply, model).text, model.tokenizer)
    assert isinstance(model.tokenizer.eos_token_id, int)
    return [*ids, model.tokenizer.eos_token_id], n_prompt


def _loss(module: Any, batch: Sequence[_Lesson], model: Model) -> Tensor:
    """Return the mean cross-entropy of the replies' tokens; rows are padded on the right."""
    longest = max(len(ids) for ids, _ in batch)
    filler = model.tokenizer.pad_token_id
    filler = model.tokenizer.eos_token_id if filler is None else filler
    ids = torch.tensor([row + [filler] * (longest - len(row)) for row, _ in batch], device=model.device)
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row, _ in batch], device=model.device)
    labels = torch.tensor(
        [[_IGNORED] * n_prompt + row[n_prompt:] + [_IGNORED] * (longest - len(row)) for row, n_prompt in batch],
        device=model.device,
    )
    loss: Tensor = module(input_ids=ids, attention_mask=mask, labels=labels).loss
    return loss


def _with_module(model: Model, module: "PreTrainedModel", origin: str) -> Model:
    """Return a model with other weights, and with their origin in its identity."""
    return replace(
        model, module=module, blocks=model.blocks.of(module), identity=f"{model.identity}+{digest(origin)[:16]}"
    )
