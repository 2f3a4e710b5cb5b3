"""Tables of the public names and of their methods, each with its signature and the first line of its docstring."""

import inspect
import re
from functools import cached_property
from types import FunctionType
from typing import Any, Literal, get_args, get_origin

import graftbench
import graftbench.plugin

Lines = list[str]
MEMBERS = FunctionType, classmethod, property, cached_property  # of a class


def api() -> Lines:
    """Return the table of `import graftbench`."""
    return _table(graftbench)


def api_plugin() -> Lines:
    """Return the table of `graftbench.plugin`."""
    return _table(graftbench.plugin)


def _table(module: Any) -> Lines:
    named = {name: getattr(module, name) for name in module.__all__}
    listed = [pair for name, value in named.items() for pair in ((name, value), *_members(name, value).items())]
    rows = [f"| {_signature(name, value)} | {_about(value)} |" for name, value in listed]
    return ["", "| name | what it is |", "|---|---|", *rows]


def _members(name: str, value: Any) -> dict[str, Any]:
    """Return the public methods and properties of a class that come with graftbench, its own first."""
    members: dict[str, Any] = {}
    for kind in value.__mro__ if inspect.isclass(value) else ():
        for member, what in vars(kind).items() if kind.__module__.startswith("graftbench.") else ():
            field = member in getattr(kind, "__dataclass_fields__", ())  # its default may be a function
            if isinstance(what, MEMBERS) and not field and (member == "__call__" or not member.startswith("_")):
                members.setdefault(f"{name}.{member}", what)
    return members


def _signature(name: str, value: Any) -> str:
    """Return a function or method with its parameters and their defaults, and the name alone of anything else."""
    function = value.__func__ if isinstance(value, classmethod) else value
    if not inspect.isfunction(function):
        return f"`{name}`"
    signature = inspect.signature(function)
    parameters = [each for each in signature.parameters.values() if each.name not in ("self", "cls")]
    plain = [each.replace(annotation=inspect.Parameter.empty) for each in parameters]
    return f"`{name}{signature.replace(parameters=plain, return_annotation=inspect.Signature.empty)}`"


def _about(value: Any) -> str:
    """Return the first line of a docstring, and what a name stands for where it is an alias or a constant."""
    if inspect.isclass(value) or isinstance(value, MEMBERS):
        return (inspect.getdoc(value) or "").partition("\n")[0]
    if isinstance(value, tuple) or get_origin(value) is Literal:
        return " or ".join(f"`{each}`" for each in (value if isinstance(value, tuple) else get_args(value)))
    return f"`{re.sub(r'[a-z_]+[.](?=[a-zA-Z])', '', str(value))}`".replace("|", r"\|")
