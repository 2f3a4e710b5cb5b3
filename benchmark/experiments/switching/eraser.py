"""The direct patch that has lost its trigger: a baseline that erases, and carries nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from torch import Tensor

from graftbench.benchmark.activations.capture import capture_rows
from graftbench.benchmark.data.examples import Example
from graftbench.benchmark.experiments.switching.design import ERASER, SwitchingDesign
from graftbench.benchmark.interventions.conditions import Condition, Row
from graftbench.benchmark.interventions.operators import Add
from graftbench.benchmark.models.chat import Chat, chat
from graftbench.benchmark.models.tokens import positions_of, token_ids

_Steps = tuple[Add, ...]


def eraser(
    design: SwitchingDesign, direct: Condition, items: Sequence[Example], means: Mapping[int, Tensor]
) -> Condition:
    """Return the direct patch with a mean state [d] in place of the other version's states at each item's trigger.

    `means` are by site.
    """
    steps = _steps(design, items, means)

    def row(item: Example, text: Chat) -> Row:
        return replace(direct.row(item, text), interventions=steps[item.id])

    return Condition(ERASER, row)


def _steps(design: SwitchingDesign, items: Sequence[Example], means: Mapping[int, Tensor]) -> dict[str, _Steps]:
    """Return what is added to the patch of each item, which replaces all states before anything is added."""
    tokenizer = design.other.tokenizer
    texts = [chat(item.prompt, tokenizer) for item in items]
    where = [positions_of("trigger", text, tokenizer) or () for text in texts]
    rows = [token_ids(text.text, tokenizer) for text in texts]
    steps: dict[str, _Steps] = {item.id: () for item in items}
    with design.other.loaded() as model:
        for site, mean in means.items():
            for i, states in capture_rows(model, rows, site):
                at_trigger = states[list(where[i])].double().cpu()
                steps[items[i].id] += (Add(site, (mean - at_trigger).float(), where[i]),)
    return steps
