"""Classes of a notebook as files that can be submitted."""

import sys
import types
from dataclasses import dataclass
from pathlib import Path

import pytest

import graftbench as gb
from graftbench.api.sources import source_of
from graftbench.benchmark.mappers.builtin.closed_forms import Ridge
from graftbench.benchmark.mappers.info import describe

IMPORTS = """
import torch
from dataclasses import dataclass, field
import os, sys as system
"""
HELPERS = """
ONES = 1.0
def with_one(rows):
    return torch.cat([rows, ONES * torch.ones_like(rows[..., :1])], dim=-1)
def unused():
    raise RuntimeError
"""
CLASS = '''
@dataclass
class MyMapper:
    """Least squares with an offset."""

    name = "my_mapper"
    deterministic = True
    weight: torch.Tensor = field(default_factory=lambda: torch.empty(0))

    def fit(self, pairs, *, seed):
        source, target = map(torch.cat, zip(*pairs, strict=True))
        self.weight = torch.linalg.lstsq(with_one(source), target).solution

    def __call__(self, source):
        return with_one(source) @ self.weight
'''


@pytest.fixture
def notebook(monkeypatch):
    """Runs cells as a notebook does: in `__main__`, which has no file, with their text in `In`."""
    main = types.ModuleType("__main__")
    main.In = [""]
    monkeypatch.setitem(sys.modules, "__main__", main)

    def run(*cells):
        for cell in cells:
            main.In.append(cell)
            exec(compile(cell, f"<cell {len(main.In)}>", "exec"), vars(main))
        return vars(main)

    return run


def test_a_class_is_written_with_what_it_uses_and_nothing_else(notebook):
    names = notebook(IMPORTS, HELPERS, CLASS)
    path, _, name = source_of(names["MyMapper"]).rpartition(":")
    text = Path(path).read_text()
    assert (name, path.endswith("/my_mapper.py")) == ("MyMapper", True)
    assert "def with_one" in text
    assert "ONES = 1.0" in text
    assert "unused" not in text
    assert "os" not in text.split()
    assert text.index("import torch") < text.index("def with_one") < text.index("@dataclass")
    assert describe(f"{path}:{name}").deterministic


def test_a_class_of_a_notebook_keeps_to_the_protocol(notebook):
    assert gb.check(notebook(IMPORTS, HELPERS, CLASS)["MyMapper"], progress=False)


def test_the_last_definition_counts_and_another_class_gets_another_file(notebook):
    first = source_of(notebook(IMPORTS, HELPERS, CLASS)["MyMapper"])
    second = source_of(notebook(HELPERS.replace("1.0", "2.0"), CLASS)["MyMapper"])
    assert first != second
    assert "ONES = 2.0" in Path(second.rpartition(":")[0]).read_text()


def test_a_class_may_inherit_from_another_of_the_notebook(notebook):
    heir = "\n@dataclass\nclass Heir(MyMapper):\n    name = 'heir'\n"
    path = source_of(notebook(IMPORTS, HELPERS, CLASS, heir)["Heir"]).rpartition(":")[0]
    assert "class MyMapper" in Path(path).read_text()


def test_what_cannot_be_written_is_named(notebook):
    names = notebook(IMPORTS, "made = torch.ones(3)", HELPERS, CLASS.replace("@ self.weight", "@ self.weight + made"))
    with pytest.raises(gb.UserError, match="MyMapper uses made, which is no import, function, class or plain value"):
        source_of(names["MyMapper"])


def test_a_cell_with_a_magic_or_a_mistake_is_passed_over(notebook):
    names = notebook(IMPORTS, HELPERS, CLASS)
    sys.modules["__main__"].In += ["%matplotlib inline", "def with_one(:"]
    assert gb.check(names["MyMapper"], progress=False)


def test_a_class_of_a_script_is_taken_from_its_file(monkeypatch, tmp_path):
    main = types.ModuleType("__main__")
    main.__file__ = str(tmp_path / "script.py")
    monkeypatch.setitem(sys.modules, "__main__", main)
    text = IMPORTS + HELPERS + CLASS + "\nraise SystemExit\n"
    (tmp_path / "script.py").write_text(text)
    exec(compile(text.replace("raise SystemExit", ""), main.__file__, "exec"), vars(main))
    path = source_of(main.MyMapper).rpartition(":")[0]
    assert "SystemExit" not in Path(path).read_text()


def test_a_class_of_a_session_without_source_says_what_to_do(monkeypatch):
    main = types.ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", main)
    exec(compile(IMPORTS + HELPERS + CLASS, "<stdin>", "exec"), vars(main))
    with pytest.raises(gb.UserError, match="write it to a file"):
        source_of(main.MyMapper)


def test_an_installed_class_goes_by_its_name():
    assert source_of(Ridge) == "ridge"
    assert source_of("ridge") == "ridge"


@dataclass
class Mine:
    width: int = 0

    def fit(self, pairs, *, seed):
        self.width = pairs.d_target

    def __call__(self, source):
        return source[..., : self.width]


def test_a_class_of_a_module_is_its_file():
    assert source_of(Mine) == f"{__file__}:Mine"


def test_a_class_within_a_function_says_so():
    class Inner(Mine):
        pass

    with pytest.raises(gb.UserError, match="move it to the top level"):
        source_of(Inner)


@pytest.mark.parametrize(
    "later",
    ["ONES = ONES * 1000", "ONES += 1", "for ONES in (2.0, 3.0): pass", "(ONES := 4.0)", "globals()['ONES'] = 5.0"],
)
def test_a_value_that_was_changed_since_is_not_copied_as_it_was(notebook, later):
    names = notebook(IMPORTS, HELPERS, CLASS, later)
    with pytest.raises(gb.UserError, match="uses ONES, which is no import, function, class or plain value"):
        source_of(names["MyMapper"])


def test_a_list_that_has_grown_is_not_copied_as_it_was(notebook):
    names = notebook(
        IMPORTS, HELPERS.replace("1.0", "[1.0]").replace("* torch", "[-1] * torch"), CLASS, "ONES.append(2.0)"
    )
    with pytest.raises(gb.UserError, match="uses ONES"):
        source_of(names["MyMapper"])


def test_a_value_that_was_bound_anew_is_copied_as_it_is(notebook):
    names = notebook(IMPORTS, HELPERS, CLASS, "ONES = 2.0", "ONES: float = 3.0")
    assert "ONES: float = 3.0" in Path(source_of(names["MyMapper"]).rpartition(":")[0]).read_text()
