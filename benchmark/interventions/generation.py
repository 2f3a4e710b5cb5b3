"""Greedy replies of many rows, each under its own interventions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from graftbench.benchmark.interventions.conditions import Row
from graftbench.benchmark.interventions.decoding import Decoding, followers_of
from graftbench.benchmark.models.load import Model
from graftbench.benchmark.models.memory import in_parts
from graftbench.benchmark.models.tokens import batches_by_length, check_context, token_ids

BATCH_TOKENS = 65_536  # of prompts, padding counted: a bound on memory, not a setting


@dataclass(frozen=True)
class Completion:
    """A greedy reply: its text and tokens, and whether all logits were finite."""

    text: str
    tokens: tuple[int, ...]
    finite: bool


def generate(
    model: Model,
    rows: Sequence[Row],
    *,
    max_new_tokens: int,
    batch_size: int = 256,
    progress: Callable[[int], None] = lambda _: None,
) -> list[Completion]:
    """Return the reply of each row, in order. `progress` is called with the number of rows of each finished batch.

    UserError where a prompt and its reply do not fit into the model's context.
    """
    ids = [token_ids(row.text.text, model.tokenizer) for row in rows]
    check_context(model, ids, max_new_tokens)
    completions: dict[int, Completion] = {}
    for batch in batches_of(ids, batch_size):
        replies = decode(model, [rows[i] for i in batch], [ids[i] for i in batch], max_new_tokens)
        completions |= dict(zip(batch, replies, strict=True))
        progress(len(batch))
    return [completions[i] for i in range(len(rows))]


def decode(
    model: Model,
    rows: Sequence[Row],
    ids: Sequence[Sequence[int]],
    max_new_tokens: int,
    until: Sequence[str] = (),
) -> list[Completion]:
    """Return the replies of one batch of rows with these token ids; a reply ends soon after a string in `until`."""

    def replies(where: Sequence[int]) -> list[Completion]:
        some = [rows[i] for i in where]
        with followers_of(model, some) as followers:
            decoding = Decoding(model, some, [ids[i] for i in where], max_new_tokens, until, followers)
            tokens, finite = decoding.run()
        return [_completion(model, *each) for each in zip(tokens, finite, strict=True)]

    return in_parts(model, [len(row) + max_new_tokens for row in ids], replies)


def batches_of(ids: Sequence[Sequence[int]], batch_size: int) -> list[list[int]]:
    """Return the numbers of the rows of each batch: rows of similar length, whatever their interventions."""
    return list(batches_by_length([len(row) for row in ids], BATCH_TOKENS, batch_size))


def _completion(model: Model, tokens: list[int], finite: bool) -> Completion:
    text = model.tokenizer.decode(tokens, skip_special_tokens=True)
    assert isinstance(text, str)
    return Completion(text, tuple(tokens), finite)
