"""How far decoding and capture are from the limits of a GPU, in at most six minutes on one.

    python benchmarks/gpu.py --out gpu.md

Models have the shapes of Llama-3.2-1B and 3B and random weights in bfloat16; nothing is downloaded. Each section stands
alone: one that fails prints why, and the next begins. `--device cpu --tiny` tries the script itself.
"""

import argparse
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import sections
import torch
from measuring import Limits, Line, limits_of, peak_memory
from models import LLAMA_3_2, TINY, random_model

from graftbench.benchmark.models.load import Model

_SECTIONS = (
    sections.small_batches,
    sections.large_batch,
    sections.interventions,
    sections.capture,
    sections.fit,
)
_HEAD = "| what | model | figure | share | peak, GB |\n|---|---|---|---|---|\n"
_CELLS = 90.0  # seconds that have to be left for the cells of the tasks


class Table:
    """A table in Markdown that is printed line by line, and written to a file after every line."""

    def __init__(self, out: Path | None) -> None:
        self._out, self._text = out, ""

    def write(self, text: str) -> None:
        """Add some lines."""
        self._text += text
        sys.stdout.write(text)
        sys.stdout.flush()
        if self._out is not None:
            self._out.write_text(self._text, encoding="utf-8")


def main(arguments: list[str] | None = None) -> None:
    """Measure everything that time allows, and print the table."""
    given = _parser().parse_args(arguments)
    until = time.monotonic() + given.seconds
    device, table = torch.device(given.device), Table(given.out)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    table.write(f"{name}, torch {torch.__version__}\n\n{_HEAD}")
    dtype = torch.float32 if given.tiny else torch.bfloat16
    limits = limits_of(device, dtype, *((2**20, 64) if given.tiny else (2**30, 8192)))
    table.write(_row(Line("a copy", "", f"{limits.bandwidth / 1e9:.0f} GB/s"), ""))
    table.write(_row(Line("a product of matrices", "", f"{limits.operations / 1e12:.3g} TFLOP/s"), ""))
    for name, shape in (TINY if given.tiny else LLAMA_3_2).items():
        model = random_model(name, shape, dtype, device)
        _measure(table, model, limits, sections.SMALL if given.tiny else sections.FULL, until)
        del model
    left = until - time.monotonic()
    if left > _CELLS:
        _fenced(table, "cells", lambda: sections.cells(device, left), device)
    else:
        table.write(f"\ncells: not run, {max(0.0, left):.0f} s are left\n")


def _measure(table: Table, model: Model, limits: Limits, sizes: sections.Sizes, until: float) -> None:
    """Measure one model, section by section, while there is time."""
    for section in _SECTIONS:
        if time.monotonic() > until:
            table.write(_row(Line(section.__name__, model.name, "not run: the time is over"), ""))
        else:
            _fenced(table, section.__name__, lambda section=section: section(model, limits, sizes), model.device)


def _fenced(table: Table, name: str, lines: Callable[[], Iterator[Line]], device: torch.device) -> None:
    """Write the lines of a section; where it fails, say why."""
    try:
        for line in lines():
            table.write(_row(line, peak_memory(device)))
    except Exception as error:  # noqa: BLE001  # whatever it is, the other sections are to be measured
        table.write(_row(Line(name, "", f"failed: {type(error).__name__}: {error}".split("\n")[0]), ""))
        traceback.print_exc()


def _row(line: Line, memory: str) -> str:
    return f"| {line.what} | {line.model} | {line.figure} | {line.share} | {memory} |\n"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", help="cuda, cuda:1, or cpu (default cuda)")
    parser.add_argument("--tiny", action="store_true", help="tiny shapes in float32, to try the script")
    parser.add_argument("--seconds", type=float, default=300.0, help="no section begins later (default 300)")
    parser.add_argument("--out", type=Path, help="where the table is written, too")
    return parser


if __name__ == "__main__":
    main()
