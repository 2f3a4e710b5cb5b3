"""CPU time of a leaderboard: `pytest -m performance -s tests/leaderboard`."""

import resource
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from graftbench.benchmark.mappers.info import submission_hash
from graftbench.benchmark.results.column_summary import CellRows
from graftbench.benchmark.results.draws import Draws
from graftbench.benchmark.results.entry_files import entry_text, read_entry
from graftbench.benchmark.results.estimates import resamples_of
from graftbench.benchmark.results.row_columns import RowColumns
from graftbench.benchmark.results.rows import SCHEMA, table_of, write_rows
from graftbench.benchmark.results.scores import headline
from graftbench.benchmark.results.transfers import cell_transfer
from graftbench.leaderboard.comparability import OF_MAPPERS
from graftbench.leaderboard.entries import entry_files, file_name

pytestmark = pytest.mark.performance

SHIPPED = Path(__file__).parents[2] / "leaderboard"


def seconds(*command):
    """The CPU time of a command of graftbench, with its imports."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "graftbench", *command], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def turned(cell, n):
    """A cell with the answers of the mapped condition moved on by n prompts, so that nothing of it is known before."""
    if "mapped" not in cell.bits:
        return cell
    (draw,) = cell.bits["mapped"].strings
    first = n % len(draw)
    bits = cell.bits | {"mapped": Draws([draw[first:] + draw[:first]])}
    if not cell.steerable:
        return cell.model_copy(update={"bits": bits})
    drawn = resamples_of(cell.clusters, bits, cell.transfer.baseline)
    transfer = cell_transfer(cell.clusters, bits, cell.transfer.baseline, drawn)
    return cell.model_copy(update={"bits": bits, "transfer": transfer})


def copied(entry, n):
    """The entry under another name, and the file of its mapper."""
    name = f"{entry.mapper.name}_{n}"
    text = f'class Copy:\n    name = "{name}"\n    deterministic = {entry.mapper.deterministic}\n'
    sha = sha256(text.encode()).hexdigest()
    about = {"name": name, "source": "copy.py:Copy", "files": {"copy.py": sha}, "sha256": submission_hash("Copy", sha)}
    cells = [turned(cell, n) for cell in entry.cells]
    more = {"mapper": entry.mapper.model_copy(update=about), "cells": cells}
    more |= {"headline": headline(cells, left_out=entry.headline.left_out)}
    return entry.model_copy(update=more), text


def leaderboard_of(folder, n):
    """A leaderboard of n entries: those that ship, over and over, each under a name of its own."""
    shutil.copytree(SHIPPED / "suites", folder / "suites")
    (folder / "entries").mkdir()
    shipped = [read_entry(path) for path in entry_files(SHIPPED)]
    for i in range(n):
        copy, text = copied(shipped[i % len(shipped)], i)
        path = folder / "entries" / file_name(copy)
        path.write_text(entry_text(copy))
        (folder / "mappers" / path.stem).mkdir(parents=True)
        (folder / "mappers" / path.stem / "copy.py").write_text(text)
    return str(folder)


@pytest.mark.parametrize("command", ["build", "page", "verify"])
def test_what_ships_takes_seconds(tmp_path, command):
    for part in ("entries", "suites", "sweeps", "scoring"):
        shutil.copytree(SHIPPED / part, tmp_path / part)
    seconds("leaderboard", "build", "--leaderboard", str(tmp_path))
    took = seconds("leaderboard", command, "--leaderboard", str(tmp_path))
    print(f"\n{command}: {took:.2f} s of CPU time")  # noqa: T201
    assert took < 10  # more than three times as long as when it was written


def test_time_grows_as_the_entries_do(tmp_path):
    few, many = (leaderboard_of(make(tmp_path / str(n)), n) for n in (17, 51))
    short, long = (seconds("leaderboard", "build", "--leaderboard", folder) for folder in (few, many))
    print(f"\nbuild: {short:.2f} s for 17 entries, {long:.2f} s for 51")  # noqa: T201
    assert long < 4 * short


def test_a_run_is_submitted_in_seconds(tmp_path):
    board, run = leaderboard_of(make(tmp_path / "board"), 14), tmp_path / "run"
    largest = read_entry(max(entry_files(SHIPPED), key=lambda path: path.stat().st_size))
    n_rows = write_run(largest, run)
    took = seconds("submit", str(run), "--leaderboard", board)
    print(f"\nsubmit: {took:.2f} s of CPU time for {n_rows} rows, beside 14 entries")  # noqa: T201
    assert took < 10


def make(folder):
    folder.mkdir()
    return folder


def write_run(entry, folder):
    """Write a run from which an entry follows, with as many rows as its own; return their number."""
    table = table_of(list(rows_of(entry)))
    columns = RowColumns(table)
    cells = [of_rows(cell, columns) if cell.status == "ok" else cell for cell in entry.cells]
    folder.mkdir()
    (folder / "entry.json").write_text(entry_text(entry.model_copy(update={"cells": cells})))
    shutil.copy(SHIPPED / "suites" / f"{entry.suite.name}.json", folder / "suite.json")
    write_rows(folder / "rows.parquet", [table])
    return table.num_rows


def rows_of(entry):
    """The rows of the bits of an entry and of its sweeps; replies are made up."""
    empty, shared = dict.fromkeys(SCHEMA.names), set()
    for cell in entry.cells:
        for condition, draws in cell.bits.items() if cell.status == "ok" else ():
            own = condition in OF_MAPPERS
            about = {"task": cell.task, "variant": cell.variant, "pair": cell.pair, "condition": condition}
            if own or tuple(about.values()) not in shared:
                shared.add(tuple(about.values()))
                about |= {"track": cell.track, "seed": cell.seed} if own else {}
                about |= {"group": "", "marks": "{}", "reason": ""}
                for split, item, draw, strength, good in answers(cell, condition, draws):
                    said = {"item": item, "prompt": item, "completion": f"{condition} on {item}: {good}", "draw": draw}
                    told = {"gone": True, "good": good, "success": good}
                    yield empty | about | said | told | {"split": split, "strength": strength}


def answers(cell, condition, draws):
    strength = cell.strength if condition == "native" and cell.sweep else None
    for draw, bits in enumerate(draws):
        yield from (("test", item, draw, strength, bit == 1) for item, bit in zip(cell.prompt_ids, bits, strict=True))
    for point in cell.sweep.get(condition, ()):
        hits = round(point.value * point.n)
        for i in range(point.n):
            yield "validation", f"v{i % cell.n_validation}", i // cell.n_validation, point.strength, i < hits


def of_rows(cell, columns):
    """A cell with the parts of success, the sweep and the examples that its rows have."""
    rows = CellRows(columns, columns.of_cell((cell.task, cell.variant, cell.pair), cell.track, cell.seed))
    test = rows.split("test").of_prompts(cell.prompt_ids)
    parts = {name: vars(test.of(name).parts({}, test.first_groups())) for name in cell.bits}
    rates = {name: rate.model_copy(update=parts.get(name, {})) for name, rate in cell.rates.items()}
    sweep = rows.split("validation").sweep() if cell.sweep else {}
    return cell.model_copy(update={"rates": rates, "sweep": sweep, "examples": test.examples(cell.prompt_ids)})
