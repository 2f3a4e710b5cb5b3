"""Greedy completions of zoo models, under interventions or without."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from transformers import PreTrainedModel

from ..tokens import encode, render
from .loading import ZooModel

MAX_NEW_TOKENS = 120  # twice the longest reply of the world, 61 tokens of the Unigram tokenizer

# What is done to the model while it reads and answers the rows [indices into the prompts] of a batch, whose
# prompts are padded to a number of tokens.
Treatment = Callable[[PreTrainedModel, list[int], int], AbstractContextManager[None]]


def untreated(_: PreTrainedModel, __: list[int], ___: int) -> AbstractContextManager[None]:
    """No intervention."""
    return nullcontext()


@torch.inference_mode()
def complete(
    zoo: ZooModel, prompts: Sequence[str], treatment: Treatment = untreated, batch_size: int = 256
) -> list[str]:
    """The greedy reply to each prompt, in the order given; prompts of like length share a batch."""
    model, tokenizer = zoo.model, zoo.tokenizer
    generate: Any = model.generate
    texts = [render(prompt, tokenizer) for prompt in prompts]
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    replies = [""] * len(texts)
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        inputs = encode([texts[i] for i in rows], tokenizer)
        n_tokens = inputs["input_ids"].shape[1]
        with treatment(model, rows, n_tokens):
            out = generate(**inputs, max_new_tokens=MAX_NEW_TOKENS, do_sample=False)
        for row, text in zip(rows, tokenizer.batch_decode(out[:, n_tokens:], skip_special_tokens=True), strict=True):
            replies[row] = text.removeprefix(" ")  # the space before each reply
    return replies
