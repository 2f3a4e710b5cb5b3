"""Prompts as token ids: the chat format, padding, and where a piece of text lies among the tokens."""

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast


def render(prompt: str, tokenizer: PreTrainedTokenizerFast) -> str:
    """The prompt as a user's turn, up to where the model's reply begins."""
    text = tokenizer.apply_chat_template(
        [{"role": "user", "content": prompt}], tokenize=False, add_generation_prompt=True
    )
    assert isinstance(text, str)
    return text


def encode(texts: Sequence[str], tokenizer: PreTrainedTokenizerFast) -> dict[str, Tensor]:
    """`input_ids` and `attention_mask` [rows, tokens] of rendered texts, padded on the left."""
    rows = [tokenizer(text, add_special_tokens=False).input_ids for text in texts]
    longest = max(map(len, rows))
    pad = tokenizer.pad_token_id
    return {
        "input_ids": torch.tensor([[pad] * (longest - len(row)) + row for row in rows]),
        "attention_mask": torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows]),
    }


def span_tokens(text: str, start: int, stop: int, tokenizer: PreTrainedTokenizerFast) -> list[int]:
    """Indices, from the right (-1 is the last token), of the tokens that hold characters `start` to `stop`."""
    offsets = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    return [i - len(offsets) for i, (a, b) in enumerate(offsets) if a < stop and b > start]
