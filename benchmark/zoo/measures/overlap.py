"""How much of one tokenizer's vocabulary another has."""

from collections.abc import Iterable
from itertools import islice
from random import Random

from transformers import PreTrainedTokenizerFast

from graftbench.benchmark.zoo.corpus import samples, text_of


def held_out_texts(n: int) -> list[str]:
    """Prompts and replies of the test split."""
    return [text_of(e) for e in islice(samples("base", "test", Random(0)), n)]


def overlap(ours: PreTrainedTokenizerFast, theirs: PreTrainedTokenizerFast, texts: Iterable[str]) -> tuple[int, int]:
    """How many of the tokens of `texts` stand for a string that is a token of the other tokenizer, of how many."""
    known = {theirs.decode([i]) for i in range(len(theirs))}
    tokens = [i for text in texts for i in ours(text, add_special_tokens=False).input_ids]
    shared = {i for i in set(tokens) if ours.decode([i]) in known}
    return sum(i in shared for i in tokens), len(tokens)
