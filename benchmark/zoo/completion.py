"""Greedy completions of zoo models, under interventions or without."""

from collections.abc import Sequence

from graftbench.benchmark.data.examples import Prompt
from graftbench.benchmark.interventions.conditions import Row
from graftbench.benchmark.interventions.generation import generate
from graftbench.benchmark.interventions.operators import Intervention
from graftbench.benchmark.models.chat import chat
from graftbench.benchmark.models.load import Model

MAX_NEW_TOKENS = 120  # twice the longest reply of the world, 61 tokens of the Unigram tokenizer


def complete(
    model: Model,
    prompts: Sequence[str],
    interventions: Sequence[tuple[Intervention, ...]] | None = None,
    batch_size: int = 256,
) -> list[str]:
    """The greedy reply to each prompt, in the order given, each under interventions of its own if there are any."""
    changes = interventions or [()] * len(prompts)
    texts = [chat(Prompt(prompt), model.tokenizer) for prompt in prompts]
    rows = [Row(text, change) for text, change in zip(texts, changes, strict=True)]
    completions = generate(model, rows, max_new_tokens=MAX_NEW_TOKENS, batch_size=batch_size)
    return [completion.text.removeprefix(" ") for completion in completions]  # the space before each reply
