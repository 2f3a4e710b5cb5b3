"""The public names: loaded when they are used, known to type checkers, and explained."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import graftbench
import graftbench.plugin

MODULES = ["graftbench", "graftbench.plugin"]


def names_for_type_checkers(module):
    """The names under `if TYPE_CHECKING:`, with the modules that they come from."""
    tree = ast.parse(Path(module.__file__).read_text())
    block = next(s for s in tree.body if isinstance(s, ast.If) and ast.unparse(s.test) == "TYPE_CHECKING")
    return {alias.asname or alias.name: each.module for each in block.body for alias in each.names}


def run(code):
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("name", MODULES)
def test_type_checkers_see_the_names_that_are_loaded_lazily(name):
    module = importlib.import_module(name)
    homes = names_for_type_checkers(module)
    assert sorted(homes) == sorted(module.__all__)
    assert set(module.__all__) <= set(dir(module))
    for public, home in homes.items():
        assert getattr(module, public) is getattr(importlib.import_module(home), public)


@pytest.mark.parametrize("name", MODULES)
def test_an_unknown_name_is_an_attribute_error(name):
    with pytest.raises(AttributeError, match=f"module '{name}' has no attribute 'steeer'"):
        importlib.import_module(name).steeer  # noqa: B018


@pytest.mark.parametrize("name", MODULES)
def test_importing_takes_less_than_50_ms_of_cpu_time_and_no_heavy_library(name):
    code = f"""
import sys, time
started = time.process_time()
import {name}
print(time.process_time() - started)
heavy = {{"torch", "transformers", "numpy", "pydantic", "rich", "lm_eval"}} & set(sys.modules)
assert not heavy, heavy
"""
    assert min(float(run(code)) for _ in range(3)) < 0.05


def test_a_mapper_from_the_plugin_module_needs_neither_lm_eval_nor_bandit():
    run(
        "import sys; from graftbench.plugin import Mapper, Pairs, TrainingRecord;"
        "loaded = {'lm_eval', 'bandit', 'datasets'} & set(sys.modules); assert not loaded, loaded"
    )


@pytest.mark.parametrize("name", [n for n in graftbench.__all__ if n != "UserError"])
def test_every_public_name_is_explained(name):
    assert len((getattr(graftbench, name).__doc__ or "").split()) > 5


@pytest.mark.parametrize("name", [n for n in graftbench.__all__ if "api" in getattr(graftbench, n).__module__])
def test_every_name_of_the_api_has_an_example(name):
    assert ">>> " in getattr(graftbench, name).__doc__
