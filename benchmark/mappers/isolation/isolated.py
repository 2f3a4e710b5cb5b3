"""A mapper in a process of its own, as graftbench uses it: everything that comes back is checked here."""

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from graftbench.benchmark.activations.pairs import PAIR_FILES, read_pairs
from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.escaping import escape_control, in_one_line
from graftbench.benchmark.mappers import saving
from graftbench.benchmark.mappers.host import FitFacts, MapperCodeError, MapperError
from graftbench.benchmark.mappers.info import MapperInfo
from graftbench.benchmark.mappers.isolation.process import IsolatedProcess
from graftbench.benchmark.mappers.isolation.sandbox import sandbox_of
from graftbench.benchmark.mappers.loading import code_of

_MAX_STATE = 2**33  # bytes of a fitted mapper
_MAX_DIMENSIONS = 8
_WALLED = (
    "; it runs isolated, without the network and without files and environment variables of yours (docs/isolation.md): "
    "`--no-isolation` runs it without that"
)
_SPARE = 2**20  # bytes of an answer beyond what is expected: it is then said what came instead


class Isolated:
    """A mapper whose code runs behind `walls`, such as ("bwrap", "landlock", "seccomp", "rlimits")."""

    def __init__(self, info: MapperInfo, device: str, walls: Sequence[str]) -> None:
        self._info, self._device, self._walls = info, device, walls
        self._code = code_of(info)
        self._widths = 0, 0
        self._process: IsolatedProcess | None = None

    def fit(self, pairs: Path, seed: int) -> FitFacts:
        """Fit on the pairs in a folder, which the process may read."""
        read = read_pairs(pairs).pairs
        self._start((read.d_source, read.d_target), [pairs / name for name in PAIR_FILES])
        started = time.monotonic()
        header, _ = self._ask({"do": "fit", "seed": seed}, fit=True)
        record = header.get("record") or {}
        if not isinstance(record, dict):
            raise MapperError("its fit returned something else than a dictionary")
        return FitFacts(record, time.monotonic() - started)

    def save(self, into: Path) -> None:
        """Write the fitted mapper into a folder."""
        header, payload = self._ask({"do": "save"}, max_bytes=_MAX_STATE)
        fields = header.get("fields")
        try:
            tensors = safetensors.torch.load(bytes(payload))
        except SafetensorError as error:
            raise MapperError(f"its state is no safetensors: {in_one_line(str(error))}") from error
        if not isinstance(fields, dict) or not all(isinstance(v, str | int | float | None) for v in fields.values()):
            raise MapperError("its state has a field that is no number or string")
        saving.write_state(self._info, self._widths, tensors, fields, into)

    def load(self, folder: Path) -> None:
        """Take the fitted mapper that is in a folder."""
        widths, tensors, fields = saving.read_state(folder)
        self._start(widths, [])
        self._ask({"do": "load", "fields": fields}, safetensors.torch.save(tensors))

    def carry(self, source: Tensor) -> Tensor:
        """Map activations [..., d_source] to what should be [..., d_target]."""
        return self._rows({"do": "call", "shape": list(source.shape)}, [source])

    def derivative(self, at: Tensor, along: Tensor) -> Tensor:
        """Return what should be the directional derivative at `at` along `along`, both [..., d_source]."""
        return self._rows({"do": "derivative", "shape": list(at.shape)}, [at, along])

    def _rows(self, request: dict[str, Any], sent: Sequence[Tensor]) -> Tensor:
        """Send rows, and return those that come back, of whatever shape."""
        rows = b"".join(each.detach().float().cpu().contiguous().numpy().tobytes() for each in sent)
        most = 4 * math.prod(sent[0].shape[:-1]) * self._widths[1] + _SPARE
        header, payload = self._ask(request, rows, max_bytes=most)
        shape = _shape(header.get("shape"))
        if 4 * math.prod(shape) != len(payload):
            raise MapperError("it sent rows of another number than it said")
        flat = torch.from_numpy(np.frombuffer(payload, dtype="<f4").copy())
        return flat.reshape(shape).to(sent[0].device)

    def _start(self, widths: tuple[int, int], pairs: Sequence[Path]) -> None:
        """Start a process, and make the mapper in it; UserError where its code cannot be imported."""
        self._widths, code = widths, self._code
        self._process = None  # the one before ends
        sandbox = sandbox_of(self._walls, code, on_gpu=self._device.startswith("cuda"))
        self._process = IsolatedProcess(sandbox, self._info.name, self._walls, pairs)
        request = {"do": "make", "file": code.file, "name": code.name, "options": self._info.options, "widths": widths}
        try:
            self._ask(request | {"threads": torch.get_num_threads(), "device": self._device}, code.source)
        except MapperCodeError as error:
            hint = " Isolated, it imports installed packages alone." if "ModuleNotFoundError" in str(error) else ""
            what = self._info.file or self._info.source
            raise UserError(f"{what} cannot be imported: {error}.{hint}") from error

    def _ask(
        self, request: dict[str, Any], payload: bytes = b"", *, fit: bool = False, max_bytes: int = 0
    ) -> tuple[dict[str, Any], bytearray]:
        assert self._process is not None
        limits = self._process.limits
        seconds = limits.fit_seconds if fit else limits.call_seconds
        header, reply = self._process.ask(request, payload, seconds=seconds, max_bytes=max_bytes)
        if "error" in header:
            raise _error_of(header)  # in no variable here: it would hold this frame, and the process with its files
        return header, reply


def _error_of(header: dict[str, Any]) -> MapperCodeError:
    """Return the error that the mapper's code raised, with its traceback as a note."""
    hint = _WALLED if header.get("walled") is True else ""
    message = in_one_line(str(header["error"])) + hint
    error = MapperCodeError(message, too_few_pairs=header.get("too_few_pairs") is True)
    error.add_note(escape_control(str(header.get("trace", "")), keep="\n"))
    return error


def _shape(shape: Any) -> list[int]:
    """Return a shape that was sent; MapperError where it is none."""
    if isinstance(shape, list) and len(shape) <= _MAX_DIMENSIONS and all(type(n) is int and n >= 0 for n in shape):
        return shape
    raise MapperError("it sent rows without a shape")
