"""Styles of reply that stock models can be steered to: cheerful, formal, French, capitals, brief, hedged, ...

Source: written here (styles.yaml), but for the two instructions of `humour`, which are those of Oozeer et al. (2025,
appendix I). 103 things are asked about in four ways each; every prompt has a reply in the style and one in its
opposite, which differ in nothing else that matters. The contrast is the same prompt under two instructions, read at its
last token; the vector is added at every token of plain prompts. Their clean counterpart is the prompt under the
instruction that asks for the style. Splits share no thing.
"""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from graftbench.benchmark.core.files import read_yaml
from graftbench.benchmark.data.dataset import About, Behaviour
from graftbench.benchmark.data.examples import Split
from graftbench.benchmark.data.line_dataset import LineDataset
from graftbench.benchmark.data.lines import ConversationLine, ExampleLine, Line, PairLine, Placed
from graftbench.benchmark.data.splits import short_hash, split_at

_FILE = Path(__file__).with_name("styles.yaml")
_SHARES: dict[Split, int] = {"test": 40, "validation": 20, "vector": 15, "fit": 25}
_JUDGES = {"capitals": r"pattern:\A[^a-z]*[A-Z][^a-z]*\Z"}  # of styles that a rule can tell


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Replies(_Form):
    """A reply in a style and one in its opposite, with places for the thing that is asked about."""

    shows: str
    other: str


class Style(_Form):
    """A style: the instructions that ask for it and for its opposite, and replies."""

    towards: str
    away: str
    replies: tuple[Replies, ...]


class StyleTexts(_Form):
    """What styles.yaml holds."""

    things: tuple[str, ...]
    questions: tuple[str, ...]
    neutral: tuple[str, ...]
    styles: dict[str, Style]


def styles() -> LineDataset:
    """Return the dataset."""
    return LineDataset(
        "styles",
        1,
        About("Nine styles of reply, each with its opposite", licence="Apache-2.0"),
        {
            name: Behaviour("steering", ("instruct",), shown_by=name, positions="last", everywhere=True)
            for name in texts().styles
        },
        read=_lines,
        judges=_JUDGES,
    )


@cache
def texts() -> StyleTexts:
    """Return the texts that the dataset is made of."""
    return read_yaml(_FILE, StyleTexts, "file of styles")[0]


def _lines() -> Iterator[Placed]:
    things = texts().things
    for i, thing in enumerate(things):
        split = split_at(i * 100 // len(things), _SHARES)
        for question in texts().questions:
            for name in texts().styles:
                for line in _lines_of(name, thing, question.format(thing=thing), split):
                    yield Placed(f"{name}, {thing}", line)


def _lines_of(name: str, thing: str, prompt: str, split: Split) -> Iterator[Line]:
    style = texts().styles[name]
    towards, away = (instruction.format(prompt=prompt) for instruction in (style.towards, style.away))
    shows, other = _replies(style, thing, prompt)
    if split == "vector":
        yield PairLine(behaviour=name, desired=towards, undesired=away, cluster=thing)
        return
    if split != "fit":
        example = ExampleLine(behaviour=name, prompt=prompt, clean=towards, reference=shows, other=other)
        yield example.model_copy(update={"cluster": thing, "split": split})
    for asked, reply in ((towards, shows), (away, other)):
        yield ConversationLine(behaviour=name, prompt=asked, reply=reply, shows=True, cluster=thing, split=split)
    neutral = texts().neutral[short_hash(prompt) % len(texts().neutral)]
    yield ConversationLine(behaviour=name, prompt=prompt, reply=neutral, shows=False, cluster=thing, split=split)


def _replies(style: Style, thing: str, prompt: str) -> tuple[str, str]:
    """Return the reply in a style and the one in its opposite."""
    replies = style.replies[short_hash("reply", prompt) % len(style.replies)]
    words = {"thing": thing, "Thing": thing[0].upper() + thing[1:], "THING": thing.upper()}
    return replies.shows.format(**words), replies.other.format(**words)
