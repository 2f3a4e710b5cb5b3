import io
import re

import pytest
from rich.console import Console
from rich.table import Column, Table

from graftbench.benchmark.core.tables import print_table

PAIR = "Meta-Llama-3.1-8B-Instruct->Meta-Llama-3.2-70B-Instruct"
CELL = f"behaviour_steering\n  {PAIR}\n  fit: task"
FIGURES = ("unsteered", "baseline", "mapped", "native", "transfer")


def printed(width, *rows, columns=("cell", *FIGURES), **settings):
    table = Table(*columns, **settings)
    for row in rows:
        table.add_row(*row)
    console = Console(width=width, file=io.StringIO())
    print_table(table, console)
    lines = console.file.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    return lines


def column(lines, i=0):
    """The lines of a column, header included, as they stand."""
    cells = [re.split("[│┃]", line)[1:-1] for line in lines if line[0] in "│┃"]
    return [cell[i].strip() for cell in cells]


def test_names_break_where_their_parts_meet_and_figures_stay_whole():
    lines = printed(80, (CELL, *["0.05 to 0.36"] * 5))
    assert column(lines) == [
        "cell",
        "behaviour_steering",
        "Meta-Llama-3.1-8B-",
        "Instruct->Meta-Llama-",
        "3.2-70B-Instruct",
        "fit: task",
    ]
    for i, name in enumerate(FIGURES, start=1):
        assert " ".join(column(lines, i)).split() == [name, "0.05", "to", "0.36"]


@pytest.mark.parametrize("width", [24, 40, 60, 80, 200])
def test_no_letter_is_lost_on_a_terminal_of_any_width(width):
    lines = printed(width, (CELL, "Why not?"), ("b", "A reply of several words."), columns=("cell", "what was said"))
    assert "".join("".join(column(lines)).split()) == "cell" + "".join(CELL.split()) + "b"
    said = "whatwassaid" + "Whynot?" + "Areplyofseveralwords."
    assert "".join("".join(column(lines, 1)).split()) == said


def test_what_needs_little_has_all_it_needs():
    lines = printed(60, ("a b c d", "word " * 40), columns=("what", "text"))
    assert "a b c d" in column(lines)
    assert all(set(line.split()) <= {"text", "word"} for line in column(lines, 1))


def test_names_that_must_not_break_do_not_and_markup_is_none_of_the_text():
    rows = [("llama-s-instruct", "[bold]the reply[/bold] of a model " * 3)]
    lines = printed(40, *rows, columns=(Column("name", no_wrap=True), "text"))
    assert "llama-s-instruct" in column(lines)
    assert "bold" not in "".join(lines)


def test_a_table_that_fits_is_printed_as_it_is():
    table = Table("cell", "mapped", title="a title", caption="a caption")
    table.add_row("one", "0.5", style="red")
    here, there = (Console(width=80, file=io.StringIO(), force_terminal=True) for _ in range(2))
    print_table(table, here)
    there.print(table)
    assert here.file.getvalue() == there.file.getvalue()
