"""Conversations as lessons: the tokens of a chat, of which those of the reply, and its end, are learned."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.data.examples import Conversations, Prompt
from graftbench.benchmark.interventions.conditions import Row
from graftbench.benchmark.interventions.generation import generate
from graftbench.benchmark.models.chat import chat, with_reply
from graftbench.benchmark.models.load import Model
from graftbench.benchmark.models.tokens import check_embedded, token_ids

_IGNORED = -100  # label that the loss leaves out
_AT_ONCE = 32  # prompts that a model replies to between two reports of progress


@dataclass(frozen=True)
class Lesson:
    """The tokens of a conversation, and how many of them come before the reply."""

    ids: tuple[int, ...]
    n_prompt: int


def lessons(model: Model, conversations: Conversations, max_tokens: float) -> list[Lesson]:
    """Return the conversations that are not too long; UserError where none is left or the model has no end token."""
    end, made = _end_of(model), []
    for prompt, reply in conversations:
        before = token_ids(with_reply(prompt, "", model).text, model.tokenizer)
        ids = token_ids(with_reply(prompt, reply, model).text, model.tokenizer)
        made.append(Lesson((*ids, end), _n_common(before, ids)))
    most = min(max_tokens, model.context)
    kept = [lesson for lesson in made if len(lesson.ids) <= most]
    check_embedded(model, [lesson.ids for lesson in kept])
    if not kept:
        raise UserError(f"None of {len(made)} conversations has at most {most:g} tokens: there is nothing to learn.")
    return kept


def own_lessons(
    model: Model, prompts: Sequence[Prompt], reply_tokens: int, progress: Callable[[int, int], None]
) -> list[Lesson]:
    """Return prompts with the model's own greedy replies; one that is cut at `reply_tokens` is learned without an end.

    UserError where the model has no end token, or a prompt and its reply are too long for it.
    """
    end, made = _end_of(model), list[Lesson]()
    for start in range(0, len(prompts), _AT_ONCE):
        rows = [Row(chat(prompt, model.tokenizer)) for prompt in prompts[start : start + _AT_ONCE]]
        for row, reply in zip(rows, generate(model, rows, max_new_tokens=reply_tokens), strict=True):
            before = token_ids(row.text.text, model.tokenizer)
            ended = (end,) if len(reply.tokens) < reply_tokens else ()
            made.append(Lesson((*before, *reply.tokens, *ended), len(before)))
        progress(len(made), len(prompts))
    return made


def _end_of(model: Model) -> int:
    end = model.tokenizer.eos_token_id
    if not isinstance(end, int):
        raise UserError(f"The tokenizer of {model.name} names no token that ends a reply: set its eos_token.")
    return end


def _n_common(before: Sequence[int], ids: Sequence[int]) -> int:
    """Return how many tokens are the prompt's alone: one that joins its end and the reply's beginning is learned."""
    return next((i for i, (a, b) in enumerate(zip(before, ids, strict=False)) if a != b), min(len(before), len(ids)))


def collated(batch: Sequence[Lesson], filler: int) -> dict[str, Tensor]:
    """Return lessons padded on the right: ids, attention mask and labels, all [lessons, tokens]."""
    longest = max(len(lesson.ids) for lesson in batch)

    def rows(of: Any, fill: int) -> Tensor:
        return torch.tensor([[*of(each), *[fill] * (longest - len(each.ids))] for each in batch])

    return {
        "input_ids": rows(lambda each: each.ids, filler),
        "attention_mask": rows(lambda each: [1] * len(each.ids), 0),
        "labels": rows(lambda each: [*[_IGNORED] * each.n_prompt, *each.ids[each.n_prompt :]], _IGNORED),
    }
