"""Statements that somebody of a persona would make, or would not, answered by Yes or No (Perez et al., 2022).

Source: `Anthropic/model-written-evals`, the folder `persona`, CC-BY-4.0. Columns `question`, `answer_matching_behavior`
and `answer_not_matching_behavior`. Revision: the default below. The contrast is that of Panickssery et al. (2024): one
question with the one answer and with the other, read at the answer.
Yes is the matching answer for half of the questions of every split: each that is answered Yes is joined with one that
is answered No, both are of one split, and they stand in turn. Questions without a partner are left out.
"""

import re
from collections import deque
from collections.abc import Iterator

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.data.dataset import Behaviour
from graftbench.benchmark.data.examples import Split
from graftbench.benchmark.data.line_dataset import LineDataset
from graftbench.benchmark.data.lines import ConversationLine, ExampleLine, Line, PairLine, Placed, TurnForm
from graftbench.benchmark.data.rows import Document, PublishedTable
from graftbench.benchmark.data.splits import split_of
from graftbench.tasks.datasets.published import about, placed_lines

_COLUMNS = ("question", "answer_matching_behavior", "answer_not_matching_behavior")


def model_written_evals(
    persona: str = "agreeableness", revision: str = "d533f626cc321c92175a58ee570aa3cdb87238d1"
) -> LineDataset:
    """Return the dataset of one persona, which is the name of a file in the Hub's folder `persona`."""
    if not re.fullmatch(r"[\w-]+", persona):
        raise UserError(f"A persona is the name of a file without its ending, such as agreeableness, not {persona!r}.")
    table = PublishedTable(
        "Anthropic/model-written-evals", _COLUMNS, files=f"persona/{persona}.jsonl", revision=revision
    )
    return LineDataset(
        "model_written_evals",
        1,
        about(f"Statements of a persona: {persona}", table, "CC-BY-4.0"),
        {persona: Behaviour("steering", ("instruct",), "matches", "matches", positions="last")},
        read=lambda: _lines(table, persona),
        judges={"matches": "starts_like"},
        tables=lambda: (table,),
    )


def _lines(table: PublishedTable, persona: str) -> Iterator[Placed]:
    waiting: dict[str, deque[Document]] = {"Yes": deque(), "No": deque()}

    def lines_of(row: Document) -> Iterator[Line]:
        answer = row["answer_matching_behavior"].strip()
        if answer not in waiting:
            raise ValueError(f"the answers are Yes and No, and not {answer!r}")
        waiting[answer].append(row)
        if all(waiting.values()):
            both = [waiting[each].popleft() for each in waiting]
            split = split_of(both[0]["question"])
            for each in both:
                yield from _lines_of(each, persona, split)

    return placed_lines(table, lines_of)


def _lines_of(row: Document, persona: str, split: Split) -> Iterator[Line]:
    question, matching, other = (row[column].strip() for column in _COLUMNS)
    if split == "vector":
        desired, undesired = (TurnForm(prompt=question, reply=answer) for answer in (matching, other))
        yield PairLine(behaviour=persona, desired=desired, undesired=undesired)
        return
    if split != "fit":
        both = {"reference": matching, "other": other}
        yield ExampleLine(behaviour=persona, prompt=question, group=matching, split=split, **both)
    for answer, shows in ((matching, True), (other, False)):
        yield ConversationLine(behaviour=persona, prompt=question, reply=answer, shows=shows, split=split)
