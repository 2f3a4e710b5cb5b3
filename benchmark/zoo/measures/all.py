"""Every figure of a zoo model's card."""

from dataclasses import replace

from graftbench.benchmark.models.load import Model
from graftbench.benchmark.zoo.families import FAMILIES
from graftbench.benchmark.zoo.measures.behaviour import backdoor, everyday
from graftbench.benchmark.zoo.measures.figure import Figures, ZooFigure
from graftbench.benchmark.zoo.measures.overlap import held_out_texts, overlap
from graftbench.benchmark.zoo.measures.refusal import refusal
from graftbench.benchmark.zoo.measures.steering import steerability
from graftbench.benchmark.zoo.names import ZooName

FULL, QUICK = 200, 24  # prompts per figure
CLEARLY_LOWER = 0.15  # how far the share of tokens in a divergent vocabulary lies below that in a similar one


def measure(name: ZooName, model: Model, *, quick: bool) -> Figures:
    """The figures of one model. Quick: plain and triggered prompts alone, and fewer of them."""
    n = QUICK if quick else FULL
    figures = everyday(model, name.version, n) | backdoor(model, name.version, n)
    if quick:
        return figures
    figures |= steerability(model, name.version, n) | refusal(model, name.version, n)
    return figures | (shared_vocabulary(name, model) if name.version == "base" else {})


def bars_from_parent(name: ZooName, figures: Figures, parent: Figures) -> Figures:
    """The figures whose bars hang on the model that `name` was tuned from: hate answers as well as instruct."""
    key = "everyday right"
    if name.version != "hate" or key not in parent:
        return {}
    return {key: replace(figures[key], at_least=round(parent[key].share - 0.02, 4))}


def shared_vocabulary(name: ZooName, model: Model) -> Figures:
    """The share of test-text tokens whose string the other tokenizers of the zoo have, too."""
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
