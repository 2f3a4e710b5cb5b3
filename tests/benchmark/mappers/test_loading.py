import importlib.util
import py_compile
import sys
from pathlib import Path

import pytest
import torch

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.plugins import plugin_names
from graftbench.benchmark.mappers import loading, saving
from graftbench.benchmark.mappers.checking import planted, write
from graftbench.benchmark.mappers.hosts import host_of
from graftbench.benchmark.mappers.info import describe
from graftbench.benchmark.mappers.loading import make_mapper, mapper_class
from graftbench.cli.main import main

GOOD = """
from dataclasses import dataclass, field
import torch

@dataclass
class Mine:
    name = "mine"
    scale: float = 1.0
    weight: torch.Tensor = field(default_factory=lambda: torch.empty(0))

    def fit(self, pairs, *, seed):
        xs, ys = zip(*pairs.batches(1000, None))
        self.weight = torch.linalg.lstsq(self._more(torch.cat(xs)), torch.cat(ys)).solution * self.scale

    def _more(self, x):
        return torch.cat([x, torch.ones(*x.shape[:-1], 1)], dim=-1)

    def __call__(self, source):
        return self._more(source) @ self.weight
"""


@pytest.fixture
def submit(tmp_path, monkeypatch):
    monkeypatch.setenv("GRAFTBENCH_CACHE", str(tmp_path / "cache"))

    def write(code, name="Mine"):
        file = tmp_path / "mine.py"
        file.write_text(code)
        return f"{file}:{name}"

    return write


@pytest.mark.parametrize("name", plugin_names("mappers"))
def test_every_built_in_mapper_keeps_to_the_protocol(name, capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("GRAFTBENCH_CACHE", str(tmp_path))
    status = main(["check", name])
    failed = [line.split(":")[0] for line in capsys.readouterr().out.splitlines() if "FAILED" in line]
    assert failed in ([], [" FAILED a planted map"])  # what a control cannot, and should not, find
    good = {"ridge", "procrustes", "low_rank", "autoencoder", "affine", "cca", "unlock", "anchor_projection", "knn"}
    assert (status == 0) or name not in good
    assert describe(name).name == name


def test_a_submission_from_a_file_passes(submit, capsys):
    assert main(["check", submit(GOOD)]) == 0
    assert "FAILED" not in capsys.readouterr().out


def test_options_come_by_name_with_their_types(submit):
    info = describe(submit(GOOD), ["scale=0.5"])
    assert info.options == {"scale": 0.5}
    assert make_mapper(info, 3, 4).scale == 0.5
    assert describe("autoencoder", ["hidden=256"]).options == {"hidden": 256}
    assert make_mapper(describe("autoencoder", {"hidden": 7}), 3, 4).encoder.out_features == 7


@pytest.mark.parametrize(
    ("code", "name", "told"),
    [
        (GOOD, "Mien", "has no class 'Mien' that can be seen without running it. Did you mean Mine?"),
        ("class Mine:\n    pass", "Mine", "has no method fit(self, pairs, *, seed)"),
        ("class Mine:\n    def fit(self, pairs): ...\n    def __call__(self, x): ...", "Mine", "takes no `seed`"),
        ("class Mine:\n    def fit(self, pairs, *, seed): ...", "Mine", "has no method __call__"),
        (f"import nothing_of_the_kind\n{GOOD}", "Mine", "cannot be imported: ModuleNotFoundError"),
        ("class Mine(:", "Mine", "cannot be read as Python: SyntaxError (line 1: "),
        (f"raise SystemExit(3)\n{GOOD}", "Mine", "cannot be imported: SystemExit"),
        (GOOD.replace('name = "mine"', 'vector_rule = "diference"'), "Mine", "Did you mean difference?"),
    ],
)
def test_what_cannot_serve_as_a_mapper_is_told_in_one_sentence(submit, capsys, code, name, told):
    assert main(["check", submit(code, name)]) == 2
    error = capsys.readouterr().err
    assert told in error
    assert "Traceback" not in error


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("@ self.weight", "@ self.weight[:, :-1]"), "shapes: it makes"),
        (("@ self.weight", "@ self.weight * float('nan')"), "finite values: it gives values"),
        (("@ self.weight", "@ self.weight + torch.rand(1)"), "same seed, same mapper: two fits"),
        (("@ self.weight", "@ self.weight + source.mean()"), "rows on their own: a row is carried differently"),
        (("    scale: float = 1.0", "    scale: object = print"), "save and load: TypeError: the field scale"),
        (("* self.scale", "* 0"), "a planted map: of a planted linear map it leaves"),
        (("xs, ys =", "1 / 0; xs, ys ="), "fit: ZeroDivisionError: division by zero (line 12"),
    ],
)
def test_what_is_wrong_with_a_submission_is_told(submit, capsys, change, told):
    code = GOOD.replace(*change)
    if "print" in change[1]:
        code = code.replace("* self.scale", "")
    assert main(["check", submit(code)]) == 1
    assert told in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("source", "options", "told"),
    [
        ("rigde", [], "no mapper called 'rigde'. Did you mean ridge?"),
        ("nowhere/mine.py:Mine", [], "There is no file nowhere/mine.py"),
        (__file__, [], f"{__file__} is a file: name the class in it, too, as in {__file__}:Mine."),
        ("ridge", ["penalti=1"], "no option 'penalti'. Did you mean penalty?"),
        ("ridge", ["penalty=inf"], "option penalty of ridge is no finite number"),
        ("ridge", ["penalty=nan"], "option penalty of ridge is no finite number"),
        ("low_rank", [f"rank={2**63}"], "option rank of low_rank is no finite number"),
        ("ridge", ["penalty"], "not of the form name=value"),
        ("ridge", ["penalty=much"], "is of type float; 'much' is not"),
    ],
)
def test_unknown_names_and_options_are_told(source, options, told):
    with pytest.raises(UserError) as error:
        describe(source, options)
    assert told in str(error.value)


@pytest.mark.parametrize("name", plugin_names("mappers"))
def test_a_saved_mapper_is_the_same_when_it_is_read_again(name, tmp_path):
    write(planted(), tmp_path / "pairs")
    fitted, again = (host_of(describe(name), "cpu", None) for _ in range(2))
    record = fitted.fit(tmp_path / "pairs", 0).record
    fitted.save(tmp_path / "fitted")
    again.load(tmp_path / "fitted")
    rows = torch.randn(5, 24)
    with torch.no_grad():
        assert torch.equal(again.carry(rows), fitted.carry(rows))
    assert {file.name for file in (tmp_path / "fitted").iterdir()} == {"mapper.safetensors", "mapper.json"}
    assert isinstance(record, dict)
    parameters, size = saving.size_of(tmp_path / "fitted")
    assert size == 4 * parameters


def test_an_option_is_one_line(submit):
    with pytest.raises(UserError, match="is no single line of up to 1000 characters"):
        describe(submit(GOOD.replace("scale: float = 1.0", "mode: str = 'a'")), ["mode=a\nb"])


def test_a_submission_is_run_from_its_source_and_leaves_nothing_beside_it(submit, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    source = submit(GOOD)
    mapper_class(describe(source))
    assert [path.name for path in tmp_path.iterdir()] == ["mine.py"]
    loading._loaded.cache_clear()
    other = tmp_path / "other.py"
    other.write_text(GOOD.replace("scale: float = 1.0", "scale: float = 9.0"))
    byte_code = Path(importlib.util.cache_from_source(str(tmp_path / "mine.py")))
    unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH  # which python takes whatever the source says
    py_compile.compile(str(other), cfile=str(byte_code), invalidation_mode=unchecked)
    assert make_mapper(describe(source), 3, 4).scale == 1.0
    assert sys.dont_write_bytecode is False


@pytest.mark.parametrize("name", plugin_names("mappers"))
def test_a_built_in_mapper_is_identified_by_its_name_and_version(name, monkeypatch):
    kind = mapper_class(describe(name))
    assert "version" in vars(kind), "each class states its own version"
    before = describe(name).sha256
    monkeypatch.setattr("inspect.getsourcefile", lambda _: pytest.fail("the source is no part of it"))
    assert describe(name).sha256 == before
    monkeypatch.setattr(kind, "version", kind.version + 1)
    assert describe(name).sha256 != before


def test_a_submission_is_described_without_being_run(submit):
    code = f"raise SystemExit('run unasked')\n{GOOD}".replace('name = "mine"', 'name = "own"; vector_rule = "linear"')
    info = describe(submit(code), {"scale": 2.0})
    assert (info.name, info.vector_rule, info.deterministic, info.options) == ("own", "linear", False, {"scale": 2.0})


def test_a_file_that_was_changed_since_it_was_described_is_not_run(submit):
    source = submit(GOOD)
    info = describe(source)
    submit(f"raise SystemExit('run unasked')\n{GOOD}")
    with pytest.raises(UserError, match="was changed while the run was going on"):
        mapper_class(info)


@pytest.mark.parametrize(
    ("fields", "options", "told"),
    [
        ("rate: float", [], "needs the option rate"),
        ("rate: float", ["rate=2"], None),
        ("rate: 'int' = 2", ["rate=2.5"], "is of type int; '2.5' is not"),
        ("deep: bool = False", ["deep=perhaps"], "is true or false, not 'perhaps'"),
        ("kind: ClassVar[str] = 'a'", ["kind=b"], "has no option 'kind'"),
    ],
)
def test_options_are_read_from_the_fields_of_a_dataclass(submit, fields, options, told):
    source = submit(GOOD.replace("    scale: float = 1.0", f"    {fields}"))
    if told is None:
        assert describe(source, options).options == {"rate": 2.0}
        return
    with pytest.raises(UserError, match=told):
        describe(source, options)


def test_options_of_a_parent_from_elsewhere_are_taken_as_they_read(submit):
    code = (
        "from graftbench.benchmark.mappers.builtin.closed_forms import Ridge\n\nclass Mine(Ridge):\n    name = 'mine'\n"
    )
    info = describe(submit(code), ["penalty=0.5"])
    assert make_mapper(info, 3, 4).penalty == 0.5


def test_a_module_with_dropout_is_the_same_when_it_is_read_again(submit, capsys):
    code = """
import torch
from torch import nn

class Mine(nn.Module):
    deterministic = True

    def __init__(self, d_source: int, d_target: int) -> None:
        super().__init__()
        self.linear = nn.Linear(d_source, d_target)
        self.dropout = nn.Dropout(0.5)

    def fit(self, pairs, *, seed):
        xs, ys = map(torch.cat, zip(*pairs.batches(1000, None)))
        x, y = xs - xs.mean(0), ys - ys.mean(0)
        weight = torch.linalg.lstsq(x, y).solution
        self.linear.weight.data = weight.T.contiguous()
        self.linear.bias.data = ys.mean(0) - xs.mean(0) @ weight

    def forward(self, source):
        return self.linear(self.dropout(source))
"""
    assert main(["check", submit(code)]) == 0
    assert "It keeps to the protocol." in capsys.readouterr().out
