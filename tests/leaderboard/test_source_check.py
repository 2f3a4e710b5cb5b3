"""An entry has to say of a submitted mapper what its file says, which is read and never run."""

import pytest

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.results.schema import MapperRecord
from graftbench.leaderboard.source_check import source_mismatches

USUAL = {"name": "Mine", "deterministic": False, "vector_rule": "difference"}


def mismatches(tmp_path, text, kind="Mine", **more):
    (tmp_path / "mine.py").write_bytes(text if isinstance(text, bytes) else text.encode())
    about = USUAL | {"source": f"mine.py:{kind}", "sha256": "0" * 64, "files": {"mine.py": "0" * 64}, "options": {}}
    return source_mismatches(MapperRecord(**(about | more)), tmp_path)


@pytest.mark.parametrize(
    ("body", "claim"),
    [
        ("...", {}),
        ("name = 'mine'", {"name": "mine"}),
        ("name: ClassVar[str] = 'mine'", {"name": "mine"}),
        ("deterministic: bool = True", {"deterministic": True}),
        ("deterministic = False; deterministic = True", {"deterministic": True}),
        ("vector_rule = 'jacobian'", {"vector_rule": "jacobian"}),
        ("vector_rule: str", {}),
        ("deterministic = not True", {}),
        ("def fit(self, pairs, *, seed): name = 'local'", {}),
    ],
)
def test_what_the_class_says_passes_and_what_is_usual_where_it_does_not(tmp_path, body, claim):
    assert mismatches(tmp_path, f"class Mine:\n    {body}\n", **claim) == []


@pytest.mark.parametrize(
    ("body", "claim", "name"),
    [
        ("...", {"deterministic": True}, "deterministic"),
        ("...", {"name": "mine"}, "name"),
        ("...", {"vector_rule": "direct"}, "vector_rule"),
        ("deterministic = False", {"deterministic": True}, "deterministic"),
        ("deterministic = True", {}, "deterministic"),
        ("deterministic = True; deterministic = False", {"deterministic": True}, "deterministic"),
        ("deterministic = True\n    if True: deterministic = False", {"deterministic": True}, "deterministic"),
        ("deterministic = not False", {"deterministic": True}, "deterministic"),
        ("deterministic = 'True'", {"deterministic": True}, "deterministic"),
        ("name = 'other'", {"name": "mine"}, "name"),
        ("name = 'mi' + 'ne'", {"name": "mine"}, "name"),
        ("vector_rule = 'jacobian'", {}, "vector_rule"),
        (
            "vector_rule = 'direct'\n    @property\n    def vector_rule(self): ...",
            {"vector_rule": "direct"},
            "vector_rule",
        ),
    ],
)
def test_what_the_class_does_not_say_is_reported(tmp_path, body, claim, name):
    wrong = mismatches(tmp_path, f"class Mine:\n    {body}\n", **claim)
    assert [what.split("`")[1] for what in wrong] == [name]


def test_what_a_class_of_the_same_file_says_is_inherited_and_nothing_else_is(tmp_path):
    base = "class Base(nn.Module):\n    deterministic = True\n    name = 'base'\n"
    assert mismatches(tmp_path, f"{base}class Mine(Base):\n    name = 'mine'\n", name="mine", deterministic=True) == []
    assert mismatches(tmp_path, f"{base}class Mine(Base):\n    deterministic = False\n", name="base") == []
    assert len(mismatches(tmp_path, "class Mine(Ridge): ...\n", deterministic=True)) == 1
    assert mismatches(tmp_path, "class Mine(Other): ...\nclass Other(Mine): ...\n") == []  # in a circle


DATACLASS = "@dataclass\nclass Mine:\n    kind: ClassVar[str] = 'a'\n    ridge: float = 0.1\n"
MODULE = "class Mine(nn.Module):\n    def __init__(self, d_source, d_target, hidden=8, *, rate: float = 0.1): ...\n"


@pytest.mark.parametrize(
    ("text", "options", "unknown"),
    [
        (DATACLASS, {"ridge": 1.0}, []),
        (DATACLASS, {"ridge": 1.0, "more": 1, "kind": "b"}, ["kind", "more"]),
        (DATACLASS + "@dataclass\nclass Other(Mine):\n    own: int = 1\n", {"ridge": 1.0, "own": 2}, []),
        (DATACLASS.replace("Mine:", "Mine(Elsewhere):"), {"more": 1}, []),  # cannot be told
        (MODULE, {"hidden": 4, "rate": 0.5}, []),
        (MODULE, {"d_source": 4, "self": 1}, ["d_source", "self"]),
        (MODULE + "    x = 1\n", {"x": 1}, ["x"]),
        ("class Mine:\n    def __init__(self, **more): ...\n", {"any": 1}, []),
        ("class Mine:\n    rate = 1\n", {"rate": 1}, ["rate"]),
    ],
)
def test_options_that_the_class_does_not_have_are_reported(tmp_path, text, options, unknown):
    kind = "Other" if "Other" in text else "Mine"
    wrong = mismatches(tmp_path, text, kind, options=options, name=kind)
    assert [what.rsplit("option ", 1)[1] for what in wrong] == [repr(name) for name in unknown]


@pytest.mark.parametrize(
    "text", ["class Mine(:", "\0", b"\xff", "# coding: nonsense\n", "x = " + "(" * 5000, "x = " + "-" * 200_000 + "1"]
)
def test_what_is_no_python_is_reported_in_one_sentence(tmp_path, text):
    with pytest.raises(UserError, match=r"mine\.py cannot be read as Python: \w+( \(line \d+: [^\n]+\))?\.$"):
        mismatches(tmp_path, text)


def test_a_class_that_cannot_be_seen_is_reported_and_nothing_is_run(tmp_path):
    text = "raise SystemExit('run unasked')\nMine = type('Mine', (), {})\n"
    assert "has no class 'Mine' that can be seen without running it" in mismatches(tmp_path, text)[0]


def test_a_file_that_is_too_large_is_reported(tmp_path):
    with pytest.raises(UserError, match="has more than the 1048576 bytes that it may have"):
        mismatches(tmp_path, b"#" * (2**20 + 1))
