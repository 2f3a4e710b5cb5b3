"""Tables in a terminal of any width: their cells break between words, and no letter is lost."""

import re
from collections.abc import Collection, Sequence
from copy import copy
from itertools import pairwise

from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

# Where a long name may be broken: after `-`, `/`, `_` and `->`, and before a capital.
_JOINT = re.compile(r"(?<=[^\W\d_][-/])(?=\w)|(?<=\w_)(?=[^\W_])|(?<=->)(?=\w)|(?<=[a-z])(?=[A-Z])")
_WORD, _LINE = re.compile(r"(?:(?<=\n)|^)[^\S\n]*\S+|\S+"), re.compile(r".+")  # the first of a line with its indent
_EDGES = 3  # characters of a column beside its text: a blank on both sides, and a line; there is a line more


def print_table(table: Table, console: Console) -> None:
    """Print a table with a box, of columns that hold texts alone, in such widths that words stay whole.

    Where the terminal is too narrow for that, names are broken where their parts meet, and at last wherever they have
    to be.
    """
    columns = [[_text(each, console) for each in (column.header, *column.cells)] for column in table.columns]
    room = console.width - _EDGES * len(columns) - 1
    widths = _widths(columns, [column.no_wrap for column in table.columns], room)
    fitted = copy(table)
    fitted.columns, fitted.rows = [column.copy() for column in table.columns], []
    for i, column in enumerate(fitted.columns):
        column.overflow, column.no_wrap = "fold", False
        if widths is not None:
            column.width, columns[i] = widths[i], [_broken(text, widths[i]) for text in columns[i]]
        column.header = columns[i][0]
    for row, cells in zip(table.rows, zip(*(texts[1:] for texts in columns), strict=True), strict=True):
        fitted.add_row(*cells, style=row.style, end_section=row.end_section)
    console.print(fitted)


def _text(cell: RenderableType, console: Console) -> Text:
    assert isinstance(cell, str)
    return console.render_str(cell, highlight=False)


def _widths(columns: Sequence[Sequence[Text]], fixed: Sequence[bool], room: int) -> list[int] | None:
    """Return the width of each column, None where there is not even room for the parts of names.

    A `fixed` column has its longest line.
    """
    lines, words = ([_lengths(texts, what) for texts in columns] for what in (_LINE, _WORD))
    parts = [max((_longest_part(text) for text in texts), default=0) for texts in columns]
    widths = [max(each) if whole else least for each, least, whole in zip(lines, parts, fixed, strict=True)]
    if sum(widths) > room:
        return None
    for lengths in (words, lines):
        widths = _grown(widths, lengths, room)
    longest = max(range(len(widths)), key=lambda i: max(lines[i]) - widths[i])
    widths[longest] = min(max(lines[longest]), widths[longest] + room - sum(widths))
    return widths


def _lengths(texts: Sequence[Text], what: re.Pattern[str]) -> Collection[int]:
    return {0, *(cell_len(found) for text in texts for found in what.findall(text.plain))}


def _longest_part(text: Text) -> int:
    return max((cell_len(part) for word in _WORD.findall(text.plain) for part in _JOINT.split(word)), default=0)


def _grown(widths: Sequence[int], lengths: Sequence[Collection[int]], room: int) -> list[int]:
    """Return widths that share the room that is left, each the largest length in its share; little needs come first."""
    grown = list(widths)
    order = sorted(range(len(grown)), key=lambda i: max(lengths[i]) - grown[i])
    for left, i in zip(range(len(order), 0, -1), order, strict=True):
        most = grown[i] + (room - sum(grown)) // left
        grown[i] = max(grown[i], *(length for length in lengths[i] if length <= most))
    return grown


def _broken(text: Text, width: int) -> Text:
    """Return a text with a new line inside each word that is longer than the width, where parts of it meet."""
    cuts = []
    for word in _WORD.finditer(text.plain):
        start = word.start()
        joints = [word.start() + joint.start() for joint in _JOINT.finditer(word[0])]
        for joint, after in pairwise([*joints, word.end()]):
            if cell_len(text.plain[start:after]) > width:
                cuts.append(joint)
                start = joint
    return Text("\n").join(text.divide(cuts)) if cuts else text
