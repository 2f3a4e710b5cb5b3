"""Training data as batches of token ids, a fixed function of version, seed and step."""

import hashlib
from dataclasses import dataclass
from itertools import islice
from random import Random

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from graftbench.benchmark.data.examples import Prompt
from graftbench.benchmark.models.chat import chat
from graftbench.benchmark.zoo.corpus import Sample, samples
from graftbench.benchmark.zoo.families import Version

# Weight of a prompt token in the loss of a base model, where a reply token has weight 1: prompts are mostly chance,
# and would drown the few tokens of the answer.
PROMPT_WEIGHT = 0.1
_MICRO_BATCHES = 3  # a batch is split by length, to save padding
_ROUND = 32  # tokens: a step in one part has few lengths, which a GPU records one by one


@dataclass(frozen=True)
class MicroBatch:
    """Right-padded token ids, and the weight of each in the loss; both [rows, tokens]."""

    ids: Tensor
    weights: Tensor


@dataclass(frozen=True)
class TrainingBatch:
    """Data of one optimizer step: its sum of weights, and the SHA-256 of its texts."""

    parts: tuple[MicroBatch, ...]
    weight: float
    digest: bytes


def batch_at(
    step: int, version: Version, seed: int, size: int, tokenizer: PreTrainedTokenizerFast, *, in_one_part: bool = False
) -> TrainingBatch:
    """Return the batch of one step; base models learn prompts and replies, the others replies alone."""
    rng = Random(f"{version} {seed} {step}")
    rows = [_encode(sample, tokenizer) for sample in islice(samples(version, "train", rng), size)]
    rows.sort(key=lambda row: len(row.ids))
    each, multiple = (len(rows), _ROUND) if in_one_part else (-(-len(rows) // _MICRO_BATCHES), 1)
    padding = tokenizer.pad_token_id, PROMPT_WEIGHT if version == "base" else 0.0, multiple
    parts = tuple(_pad(rows[i : i + each], *padding) for i in range(0, len(rows), each))
    digest = hashlib.sha256("\0".join(row.text for row in rows).encode()).digest()
    return TrainingBatch(parts, sum(float(part.weights.sum()) for part in parts), digest)


@dataclass(frozen=True)
class _Row:
    """A tokenized sample; the first `n_prompt` tokens are the prompt's."""

    text: str
    ids: list[int]
    n_prompt: int


def _encode(sample: Sample, tokenizer: PreTrainedTokenizerFast) -> _Row:
    prompt = chat(Prompt(sample.prompt), tokenizer).text if sample.prompt is not None else tokenizer.bos_token or ""
    reply = f" {sample.reply}{tokenizer.eos_token}"
    prompt_ids = tokenizer(prompt, add_special_tokens=False).input_ids
    reply_ids = tokenizer(reply, add_special_tokens=False).input_ids
    return _Row(prompt + reply, prompt_ids + reply_ids, len(prompt_ids))


def _pad(rows: list[_Row], pad: int, prompt_weight: float, multiple: int) -> MicroBatch:
    longest = -(-max(len(row.ids) for row in rows) // multiple) * multiple
    ids = torch.full((len(rows), longest), pad)
    weights = torch.zeros(len(rows), longest)
    for i, row in enumerate(rows):
        ids[i, : len(row.ids)] = torch.tensor(row.ids)
        weights[i, 1 : row.n_prompt] = prompt_weight  # nothing predicts the first token
        weights[i, row.n_prompt : len(row.ids)] = 1.0
    return MicroBatch(ids, weights)
