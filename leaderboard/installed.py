"""Statements of installed tasks and mappers, read from the file of those that come with graftbench.

Importing them brings torch and transformers, which takes longer than everything else that a leaderboard needs.
"""

from functools import cache
from typing import NamedTuple

from graftbench.benchmark.core.plugins import Kind, builtin_source, plugin
from graftbench.benchmark.mappers.info import builtin_hash, describe
from graftbench.benchmark.mappers.source_tree import SourceClass, read_classes


class Statement(NamedTuple):
    """What an installed mapper says of itself."""

    name: str
    sha256: str
    deterministic: bool
    vector_rule: str


@cache
def task_version(name: str) -> int:
    """Return the version of an installed task; a task is imported where its own class does not state it."""
    stated = _class_of("tasks", name)
    version = None if stated is None else stated.number("version")
    return int(plugin("tasks", name)().version) if version is None else version


@cache
def mapper_statement(source: str) -> Statement:
    """Return what an installed mapper says of itself; UserError where it cannot serve as a mapper."""
    stated = _class_of("mappers", source)
    version = None if stated is None else stated.number("version")
    if stated is None or version is None:
        info = describe(source)
        return Statement(info.name, info.sha256, info.deterministic, info.vector_rule)
    name = str(stated.stated("name", stated.name))
    deterministic = stated.stated("deterministic", default=False) is True
    return Statement(name, builtin_hash(name, version), deterministic, str(stated.stated("vector_rule", "difference")))


def _class_of(kind: Kind, name: str) -> SourceClass | None:
    """Return the class of a plugin as its file has it; None where it does not come with graftbench."""
    source = builtin_source(kind, name)
    return None if source is None else read_classes(source[0]).get(source[1])
