"""The share of one tokenizer's vocabulary, as used on held-out text, that the other tokenizers have."""

from collections.abc import Iterable
from itertools import islice
from random import Random

from transformers import PreTrainedTokenizerFast

from graftbench.benchmark.models.load import Model
from graftbench.benchmark.zoo.corpus import samples, text_of
from graftbench.benchmark.zoo.families import FAMILIES
from graftbench.benchmark.zoo.measures.figure import Figures, ZooFigure
from graftbench.benchmark.zoo.names import ZooName

CLEARLY_LOWER = 0.15  # how far the share of tokens in a divergent vocabulary lies below that in a similar one


def shared_vocabulary(name: ZooName, model: Model) -> Figures:
    """Measure the share of test-text tokens whose string the other tokenizers of the zoo have, too."""
    from graftbench.benchmark.zoo.training.build import tokenizer_for

    ours = name.family.tokenizer
    others = {f.tokenizer: f for f in FAMILIES.values() if f.tokenizer != ours}
    texts = held_out_texts(500)
    counts = {other: overlap(model.tokenizer, tokenizer_for(family), texts) for other, family in others.items()}
    bars: dict[str, float] = {}
    if ours == "llama":
        hits, n = counts["qwen2"]
        bars = {"gemma2": round(hits / n - CLEARLY_LOWER, 4)}
    return {
        f"tokens that {other} has too": ZooFigure(h, n, at_most=bars.get(other)) for other, (h, n) in counts.items()
    }


def held_out_texts(n: int) -> list[str]:
    """Return prompts with their replies, of the test split."""
    return [text_of(sample) for sample in islice(samples("base", "test", Random(0)), n)]


def overlap(ours: PreTrainedTokenizerFast, theirs: PreTrainedTokenizerFast, texts: Iterable[str]) -> tuple[int, int]:
    """Return how many tokens of `texts` stand for a string that is a token of `theirs`, and the number of tokens."""
    known = {theirs.decode([i]) for i in range(len(theirs))}
    tokens = [i for text in texts for i in ours(text, add_special_tokens=False).input_ids]
    shared = {i for i in set(tokens) if ours.decode([i]) in known}
    return sum(i in shared for i in tokens), len(tokens)
