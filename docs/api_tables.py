"""Tables of the public names, each with its signature and the first line of its docstring."""

import inspect
import re
from typing import Any, Literal, get_args, get_origin

import graftbench
import graftbench.plugin

Lines = list[str]


def api() -> Lines:
    """Return the table of `import graftbench`."""
    return _table(graftbench)


def api_plugin() -> Lines:
    """Return the table of `graftbench.plugin`."""
    return _table(graftbench.plugin)


def _table(module: Any) -> Lines:
    named = {name: getattr(module, name) for name in module.__all__}
    rows = [f"| {_signature(name, value)} | {_about(value)} |" for name, value in named.items()]
    return ["", "| name | what it is |", "|---|---|", *rows]


def _signature(name: str, value: Any) -> str:
    """Return a function with its parameters and their defaults, and the name alone of anything else."""
    if not inspect.isfunction(value):
        return f"`{name}`"
    signature = inspect.signature(value)
    plain = [each.replace(annotation=inspect.Parameter.empty) for each in signature.parameters.values()]
    return f"`{name}{signature.replace(parameters=plain, return_annotation=inspect.Signature.empty)}`"


def _about(value: Any) -> str:
    """Return the first line of a docstring, and what a name stands for where it is an alias or a constant."""
    if inspect.isclass(value) or inspect.isfunction(value):
        return (inspect.getdoc(value) or "").partition("\n")[0]
    if isinstance(value, tuple) or get_origin(value) is Literal:
        return " or ".join(f"`{each}`" for each in (value if isinstance(value, tuple) else get_args(value)))
    return f"`{re.sub(r'[a-z_]+[.](?=[a-zA-Z])', '', str(value))}`".replace("|", r"\|")
