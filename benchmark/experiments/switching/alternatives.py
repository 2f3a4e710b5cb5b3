"""What a practitioner would do instead of mapping activations: train a LoRA adapter, or copy weights of blocks."""

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
from graftbench.benchmark.data.examples import Conversations, Prompt
from graftbench.benchmark.experiments.switching.design import SwitchingDesign
from graftbench.benchmark.models.chat import chat
from graftbench.benchmark.models.load import Model
from graftbench.benchmark.models.tokens import token_ids

if TYPE_CHECKING:
    from transformers import PreTrainedModel


# Of the adapter, its peak learning rate, its training: 200 steps at 2e-3 did no better and took twice as long.
RANK, RATE, STEPS, BATCH = 8, 5e-3, 100, 16
_IGNORED = -100  # what cross-entropy leaves out

_Lesson = tuple[list[int], int]  # tokens, and how many of them belong to the prompt


@dataclass(frozen=True, eq=False)
class Switched:
    """The running model with weights changed: how many of them are new, how long that took."""

    name: str
    model: Model
    parameters: int
    seconds: float

    @property
    def size(self) -> int:
        """Bytes that have to be kept for the switch, in float32."""
        return 4 * self.parameters


def alternatives(setting: SwitchingDesign, store: Store, seed: int) -> Iterator[Switched]:
    """The adapter and the weight patches, each made when it is asked for."""
    yield lora(setting, store, seed)
    yield from weight_patches(setting)


def weight_patches(setting: SwitchingDesign) -> Iterator[Switched]:
    """The running model with the weights of one, of half and of all blocks taken from the other version.

    The blocks are spread evenly, as in Oozeer et al. (2025, appendix G); embeddings and head stay.
    """
    n = len(setting.running.blocks)
    for k in sorted({1, n // 2, n}):
        yield _patched(setting, _spread(k, n))


def _spread(k: int, n: int) -> list[int]:
    return [(2 * i + 1) * n // (2 * k) for i in range(k)]


def _patched(setting: SwitchingDesign, blocks: Sequence[int]) -> Switched:
    started = time.monotonic()
    module = copy.deepcopy(setting.running.module)
    model = _with_module(setting.running, module, f"blocks {list(blocks)} of {setting.other.identity}")
    for i in blocks:
        model.blocks[i].load_state_dict(setting.other.blocks[i].state_dict())
    n_new = sum(p.numel() for i in blocks for p in model.blocks[i].parameters())
    return Switched(f"weight_patch_k{len(blocks)}", model, n_new, time.monotonic() - started)


def lora(setting: SwitchingDesign, store: Store, seed: int) -> Switched:
    """The running model with a LoRA adapter (Hu et al., 2022) trained on the lessons; the adapter is kept."""
    parts = [
        setting.running.identity,
        setting.running.device.type,
        [[prompt.text, reply] for prompt, reply in setting.lessons],
        [RANK, RATE, STEPS, BATCH, seed, version("peft")],
    ]

    def make(folder: Path) -> None:
        started = time.monotonic()
        adapted = _trained(setting.running, setting.lessons, seed)
        adapted.save_pretrained(folder)
        write_text(folder / "seconds.txt", str(time.monotonic() - started))

    kept = store.folder("adapters", parts, make)
    merged, n_new = _merged(setting.running.module, kept)
    weights = sha256_of(kept / "adapter_model.safetensors")
    model = _with_module(setting.running, merged, f"adapter {weights} by peft {version('peft')}")
    return Switched("lora", model, n_new, float((kept / "seconds.txt").read_text()))


def _merged(module: "PreTrainedModel", folder: Path) -> tuple["PreTrainedModel", int]:
    from peft import PeftModel

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # as below
        adapted: Any = PeftModel.from_pretrained(copy.deepcopy(module), folder)
    n_new = sum(p.numel() for name, p in adapted.named_parameters() if "lora_" in name)
    merged: PreTrainedModel = adapted.merge_and_unload()
    return merged.eval(), n_new


def _trained(model: Model, lessons: Conversations, seed: int) -> Any:
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(seed)
    settings = LoraConfig(r=RANK, lora_alpha=2 * RANK, target_modules="all-linear")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # peft asks transformers for what it has renamed
        adapted: Any = get_peft_model(copy.deepcopy(model.module), settings)
    adapted.train()
    weights = [p for p in adapted.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=RATE, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total_iters=STEPS)
    rows = [_lesson(model, prompt, reply) for prompt, reply in lessons]
    generator = torch.Generator().manual_seed(seed)
    for batch in _batches(rows, generator):
        loss = _loss(adapted, batch, model)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        schedule.step()
    return adapted.eval()


def _batches(rows: Sequence[_Lesson], generator: torch.Generator) -> Iterator[list[_Lesson]]:
    """As many batches as there are steps, each of lessons of like length, so that little is padded."""
    made: list[list[_Lesson]] = []
    while len(made) < STEPS:
        order = torch.randperm(len(rows), generator=generator).tolist()
        like = sorted(order, key=lambda i: len(rows[i][0]))  # those as long as each other stay in random order
        epoch = [[rows[i] for i in like[start : start + BATCH]] for start in range(0, len(like), BATCH)]
        made += [epoch[i] for i in torch.randperm(len(epoch), generator=generator).tolist()]
    yield from made[:STEPS]


def _lesson(model: Model, prompt: Prompt, reply: str) -> _Lesson:
    """The tokens of a conversation, up to the end of the reply, and how many belong to the prompt."""
    text = chat(prompt, model.tokenizer)
    n_prompt = len(token_ids(text.text, model.tokenizer))
    ids = token_ids(text.text + reply, model.tokenizer)
    assert isinstance(model.tokenizer.eos_token_id, int)
    return [*ids, model.tokenizer.eos_token_id], n_prompt


def _loss(module: Any, batch: Sequence[_Lesson], model: Model) -> Tensor:
    """Mean cross-entropy of the replies' tokens; rows are padded on the right."""
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


def _with_module(model: Model, module: "PreTrainedModel", what: str) -> Model:
    """The same model with other weights, and an identity that says so."""
    return replace(
        model, module=module, blocks=model.blocks.of(module), identity=f"{model.identity}+{digest(what)[:16]}"
    )
