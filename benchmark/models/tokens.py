"""Prompts as token ids: padding, batches, and the tokens of a span or of a named position."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.data.examples import Prompt, Span
from graftbench.benchmark.models.chat import Chat, chat
from graftbench.benchmark.models.handle import ModelHandle
from graftbench.benchmark.models.load import Model

Ids = Sequence[int]
Position = str | int | None  # a name or an index from the right; None where there is none

_LAST_CHARACTERS = [chr(code) for code in range(ord("!"), ord("~") + 1)]  # that a prompt may end in


class TokenRows(Protocol):
    """The token ids of many texts, by index."""

    def __len__(self) -> int: ...

    def __getitem__(self, i: int, /) -> Ids: ...


def token_ids(text: str, tokenizer: PreTrainedTokenizerFast) -> list[int]:
    """Return the tokens of a text that is in its chat format already."""
    ids: list[int] = tokenizer(text, add_special_tokens=False).input_ids
    return ids


def offsets_of(text: str, tokenizer: PreTrainedTokenizerFast) -> list[Span]:
    """Return the span of characters of each token of a rendered text."""
    offsets: list[Span] = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    return offsets


def pad(rows: Sequence[Ids], model: Model) -> dict[str, Tensor]:
    """Pad rows of token ids on the left; ids, attention mask and positions of the tokens, all [rows, tokens].

    UserError where a token has no embedding.
    """
    longest = max(map(len, rows))
    check_embedded(model, rows)
    filler = filler_of(model)
    ids = torch.tensor([[filler] * (longest - len(row)) + list(row) for row in rows])
    mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows])
    inputs = {"input_ids": ids, "attention_mask": mask, "position_ids": (mask.cumsum(-1) - 1).clamp(min=0)}
    return {name: tensor.to(model.device) for name, tensor in inputs.items()}


def filler_of(model: Model) -> int:
    """Return the token that rows are padded with: one that was added to the tokenizer alone has no embedding."""
    named = (model.tokenizer.pad_token_id, model.tokenizer.eos_token_id, 0)
    return next(token for token in named if token is not None and token < _n_embedded(model.module))


def check_embedded(model: Model, rows: Iterable[Ids]) -> None:
    """Raise UserError where a token has no embedding: some tokenizers know more tokens than their model."""
    check_token_ids(model.name, model.module, model.tokenizer, rows)


def check_token_ids(
    name: str, module: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, rows: Iterable[Ids]
) -> None:
    """Raise UserError where the model `name` has no embedding of a token; it need not be a causal one."""
    largest, n = max((max(row) for row in rows if len(row)), default=0), _n_embedded(module)
    if largest >= n:
        token = tokenizer.convert_ids_to_tokens(largest)
        raise UserError(
            f"{name} has embeddings of {n} tokens, and its tokenizer gives token {largest}, {token!r}: the tokenizer "
            "is of another model, or tokens were added to it alone."
        )


def _n_embedded(module: PreTrainedModel) -> int:
    return len(module.get_input_embeddings().weight)  # type: ignore[arg-type]  # a tensor [tokens, d]


def check_context(model: ModelHandle, rows: Sequence[Ids], n_new: int = 0) -> None:
    """Raise UserError where a row of token ids, and so many new tokens, do not fit into a model's context."""
    longest = max(map(len, rows), default=0)
    if longest + n_new > model.context:
        reply = f" and a reply of {n_new}" if n_new else ""
        context = f"the context of {model.name}, {model.context:g} tokens"
        raise UserError(f"A prompt of {longest} tokens{reply} does not fit into {context}.")


def batches_by_length(lengths: Sequence[int], batch_tokens: int, batch_rows: int | None = None) -> Iterator[list[int]]:
    """Yield batches of row indices, shortest rows first.

    A batch has at most `batch_tokens` tokens, padding included, and `batch_rows` rows; a longer row is a batch alone.
    """
    batch: list[int] = []
    for i in sorted(range(len(lengths)), key=lambda i: lengths[i]):
        if batch and ((len(batch) + 1) * lengths[i] > batch_tokens or len(batch) == batch_rows):
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch


def span_tokens(text: str, span: Span, tokenizer: PreTrainedTokenizerFast) -> list[int]:
    """Return the indices, from the right (-1 is the last token), of the tokens with characters of `span`."""
    offsets = offsets_of(text, tokenizer)
    return [i - len(offsets) for i, (a, b) in enumerate(offsets) if a < span[1] and b > span[0]]


def positions_of(name: str | int, text: Chat, tokenizer: PreTrainedTokenizerFast) -> tuple[int, ...] | None:
    """Return the tokens of a prompt at a named position, as indices from the right; None for `all`.

    `trigger`, `prompt` (every token of the prompt, the chat format included), `last`, a negative index, or `all`, which
    includes the reply. ValueError where the prompt has no such position.
    """
    if name == "all":
        return None
    n = len(token_ids(text.text, tokenizer))
    if name == "prompt":
        return tuple(range(-n, 0))
    if name == "last":
        return (-1,)
    if name == "trigger":
        if text.trigger is None:
            raise ValueError(f"this prompt has no trigger: {text.text!r}")
        return tuple(span_tokens(text.text, text.trigger, tokenizer))
    index = int(name)
    if not -n <= index < 0:
        raise ValueError(f"a prompt of {n} tokens has no position {index}")
    return (index,)


def n_after_prompt(tokenizer: PreTrainedTokenizerFast) -> int:
    """Return the number of tokens that the chat format puts after every prompt, whatever that ends in.

    Arditi et al. (2024, section 2.3) read directions at these "post-instruction" tokens. A token that also holds the
    last character of a prompt, as `?` and a line break after it may be one, is not among them. UserError where there
    are none.
    """
    n = min(_n_after(chat(Prompt(f"What is this {last}"), tokenizer), tokenizer) for last in _LAST_CHARACTERS)
    if not n:
        raise UserError(
            f"The chat format of {tokenizer.name_or_path or 'this model'} puts no tokens after a prompt, where "
            "directions are read: give the model another by `chat`, such as alpaca."
        )
    return n


def _n_after(text: Chat, tokenizer: PreTrainedTokenizerFast) -> int:
    stop = text.spans[-1][1]
    return sum(start >= stop for start, _ in offsets_of(text.text, tokenizer))
