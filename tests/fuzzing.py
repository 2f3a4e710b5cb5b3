"""Broken inputs of all kinds: values of any shape, and records with one thing changed. A hundred, or ten thousand."""

from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

Path = tuple[Any, ...]  # keys and indices that lead to a place in a record

A_HUNDRED_OR_MANY = pytest.mark.parametrize("n", [100, pytest.param(10_000, marks=pytest.mark.faults)])
LONG = 10**400  # more than a float holds
HALF = "\ud83d"  # of a character
_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from([LONG, -LONG, HALF, "\x00", "", "../..", "/dev/zero", "1e999", "NaN", 2**63, -1, 1e308])
)
VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
# JSON that Python's reader takes in another way than others do, or not at all.
HARD_TEXTS = ("9" * 5000, '{"a":' * 5000, "[" * 10**4, '"\\ud83d"', "\x00", "NaN", "", '{"a": 1, "a": 2}', "\ufeff{}")


def for_any(n: int, **strategies: st.SearchStrategy[Any]) -> Callable[[Callable[..., None]], None]:
    """Return a decorator that calls a function with so many examples, the same ones in every run."""

    def run(check: Callable[..., None]) -> None:
        calm = settings(
            max_examples=n, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
        )
        calm(given(**strategies)(check))()

    return run


def places(value: Any, path: Path = ()) -> Iterator[Path]:
    """Yield every place in a record, the first few of long lists only."""
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value[:2]) if isinstance(value, list) else ()
    for key, one in inner:
        yield from places(one, (*path, key))


def at(record: Any, path: Path) -> Any:
    """Return what is at a place."""
    for key in path:
        record = record[key]
    return record


def like(value: Any) -> st.SearchStrategy[Any]:
    """Return values of the same kind, which a schema does not refuse."""
    kinds = {bool: st.booleans(), int: st.integers(), float: st.floats(-1e6, 1e6), str: st.text(max_size=40)}
    return kinds.get(type(value), VALUES)


def replaced(record: Any, path: Path, value: Any) -> Any:
    """Return a copy with another value at a place."""
    edited = deepcopy(record)
    at(edited, path[:-1])[path[-1]] = value
    return edited


def changes_of(record: Any, where: Sequence[Path] | None = None) -> st.SearchStrategy[Any]:
    """Return every record that differs from one in a single place."""
    where = [path for path in places(record) if path] if where is None else where
    return st.sampled_from(where).flatmap(
        lambda path: (like(at(record, path)) | VALUES).map(lambda value: replaced(record, path, value))
    )


def lacking(record: Any) -> st.SearchStrategy[Any]:
    """Return every record that lacks one thing."""

    def without(path: Path) -> Any:
        edited = deepcopy(record)
        del at(edited, path[:-1])[path[-1]]
        return edited

    return st.sampled_from([path for path in places(record) if path]).map(without)


def with_more(record: Any, key: str = "no_such_thing") -> st.SearchStrategy[tuple[Path, Any]]:
    """Return every record that has a key more, with the place of the object that has it."""

    def extended(path: Path) -> tuple[Path, Any]:
        edited = deepcopy(record)
        at(edited, path)[key] = 1
        return path, edited

    return st.sampled_from([path for path in places(record) if isinstance(at(record, path), dict)]).map(extended)


def one_sentence(error: BaseException) -> None:
    """Assert that an error is told in one line of a bearable length, which any terminal can show."""
    said = str(error)
    assert said and "\n" not in said
    assert len(said) < 2000, said
    said.encode()
