"""The code of a mapper, run: from the source of a file, or from an installed package."""

import inspect
import linecache
import sys
from collections.abc import Mapping
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from graftbench.benchmark.mappers.protocol import Mapper


def run_source(source: bytes, file: str, module_name: str = "graftbench_submission") -> dict[str, Any]:
    """Run the source of a file, and return the names that it defines; byte code beside the file plays no part."""
    module = ModuleType(module_name)
    module.__file__ = file
    sys.modules[module_name] = module  # dataclasses look their module up
    text = source.decode("utf-8", "replace")
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)  # for tracebacks, and torch.jit
    exec(compile(source, file, "exec", dont_inherit=True), vars(module))  # noqa: S102 (that is what it is for)
    return vars(module)


def class_of(names: Mapping[str, Any] | None, name: str) -> "type[Mapper]":
    """Return a class of a file by its name, or of a package by `module:Class`; TypeError where it is none."""
    if names is None:
        module, _, name = name.partition(":")
        names = vars(import_module(module))
    kind = names.get(name)
    if not isinstance(kind, type):
        raise TypeError(f"{name} is not a class")
    return kind


def instance_of(kind: "type[Mapper]", options: Mapping[str, Any], d_source: int, d_target: int) -> "Mapper":
    """Return a mapper of a class, from width `d_source` to `d_target`, that has not been fitted."""
    widths = {"d_source": d_source, "d_target": d_target}
    taken = {name: width for name, width in widths.items() if name in inspect.signature(kind).parameters}
    return kind(**taken, **options)
