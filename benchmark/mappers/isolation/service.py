"""What the process of a submission does: it makes the mapper, fits it, and carries rows, as it is asked."""

import json
import os
import random
import socket
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from torch import Tensor

from graftbench.benchmark.activations.pairs import PAIR_FILES, ActivationPairs, read_pairs
from graftbench.benchmark.mappers.host import says_too_few_pairs
from graftbench.benchmark.mappers.isolation import wire
from graftbench.benchmark.mappers.live import LiveMapper
from graftbench.benchmark.mappers.running import class_of, instance_of, run_source

_MAX_PAYLOAD = 2**40  # of what graftbench sends
_MAX_TRACE = 20_000  # characters
_ENVIRONMENT = os.__file__  # where a variable that is missing raises its KeyError
_Answer = tuple[dict[str, Any], bytes]


def serve(data: socket.socket, pairs: Sequence[int]) -> None:
    """Answer requests until the other side is gone. Whatever the submission raises is an answer."""
    service = _Service(pairs)
    while True:
        try:
            request, payload, _ = wire.receive(data, _MAX_PAYLOAD)
            header, reply = _answered(service, partial(service.answer, request, payload))
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
            wire.send(data, header, reply)
        except wire.EndedError:
            return


def _answered(service: "_Service", answer: Callable[[], _Answer]) -> _Answer:
    try:
        header, reply = answer()
        json.dumps(header)  # what a fit returns may hold anything
        return header, reply
    except BaseException as error:  # noqa: BLE001 (SystemExit, too, is no reason to leave)
        told = f"{type(error).__name__}: {error}"[:2000] + _place(error, service.file)
        kinds = {"walled": _may_be_of_walls(error), "too_few_pairs": says_too_few_pairs(error)}
        return {"error": told, "trace": _trace(error), **kinds}, b""


def _place(error: BaseException, file: str) -> str:
    """Return the last line of the mapper's own file that led to an error; where there is none, the last line of all."""
    frames = traceback.extract_tb(error.__traceback__)
    shown = [frame for frame in frames if frame.filename == file] or frames
    return f" (line {shown[-1].lineno} of {Path(shown[-1].filename).name})" if shown else ""


def _may_be_of_walls(error: BaseException | None) -> bool:
    """Return whether an error is one that isolation may cause: a file, the network, a process, an unset variable."""
    if error is None:
        return False
    frames = traceback.extract_tb(error.__traceback__)
    unset = isinstance(error, KeyError) and bool(frames) and frames[-1].filename in (_ENVIRONMENT, "<frozen os>")
    return isinstance(error, OSError) or unset or _may_be_of_walls(error.__cause__ or error.__context__)


def _trace(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))[-_MAX_TRACE:]


class _Service:
    """A mapper, from its making on."""

    def __init__(self, pairs: Sequence[int]) -> None:
        self._pairs, self._device = pairs, "cpu"
        self._mapper: LiveMapper | None = None
        self.file = ""  # of the mapper's code

    def answer(self, request: dict[str, Any], payload: bytearray) -> _Answer:
        """Do what is asked."""
        if request["do"] == "make":
            return self._made(request, bytes(payload))
        mapper = self._mapper
        assert mapper is not None
        match request["do"]:
            case "fit":
                started = time.monotonic()
                record = mapper.fit(_read(self._pairs, self._device), request["seed"])
                return {"record": record, "seconds": time.monotonic() - started}, b""
            case "save":
                tensors, fields = mapper.state()
                return {"fields": fields}, safetensors.torch.save(tensors)
            case "load":
                mapper.set_state(safetensors.torch.load(bytes(payload)), request["fields"])
                return {}, b""
            case "call":
                return _called(mapper, _tensor(payload, request["shape"]))
            case _:  # "derivative"
                return _derived(mapper, *_tensor(payload, [2, *request["shape"]]))

    def _made(self, request: dict[str, Any], source: bytes) -> _Answer:
        torch.set_num_threads(request["threads"])
        random.seed()  # else every process has the numbers of the one that it was forked from
        np.random.seed()
        self._device = request["device"]
        self.file = request["file"] or ""
        kind = class_of(run_source(source, self.file) if self.file else None, request["name"])
        self.file = self.file or str(sys.modules[kind.__module__].__file__)
        self._mapper = LiveMapper(lambda: instance_of(kind, request["options"], *request["widths"]), self._device)
        return {}, b""


@torch.no_grad()
def _called(mapper: LiveMapper, source: Tensor) -> _Answer:
    return _sent(mapper(source))


@torch.no_grad()
def _derived(mapper: LiveMapper, at: Tensor, along: Tensor) -> _Answer:
    return _sent(mapper.derivative(at, along))


def _read(pairs: Sequence[int], device: str) -> ActivationPairs:
    """Open the pairs in the files that came with this process."""
    folder = Path("pairs").absolute()
    folder.mkdir(exist_ok=True)
    for name, file in zip(PAIR_FILES, pairs, strict=True):
        link = folder / name
        link.unlink(missing_ok=True)
        link.symlink_to(f"/proc/self/fd/{file}" if Path("/proc/self").exists() else f"/dev/fd/{file}")
    return read_pairs(folder, device).pairs


def _tensor(payload: bytearray, shape: Sequence[int]) -> Tensor:
    return torch.from_numpy(np.frombuffer(payload, dtype="<f4").copy()).reshape(tuple(shape))


def _sent(rows: Tensor) -> _Answer:
    plain = rows.detach().float().cpu().contiguous().numpy()
    return {"shape": list(plain.shape)}, plain.tobytes()
