"""A mapper that does not keep to the protocol is not submitted."""

from graftbench.benchmark.core.hashing import sha256_of
from graftbench.benchmark.mappers.info import submission_hash
from graftbench.cli.main import main
from graftbench.leaderboard.protocol_check import protocol_problems
from tests.leaderboard.planted import entry, of, run_of

SUMS = """class Mine:
    name = "mine"
    deterministic = True

    def fit(self, pairs, *, seed):
        self.width = pairs.d_target

    def __call__(self, source):
        return source.new_zeros(*source.shape[:-1], self.width) + source.sum()
"""


def with_source(folder, text):
    (folder / "source").mkdir(parents=True)
    (folder / "source" / "mine.py").write_text(text)
    sha256 = sha256_of(folder / "source" / "mine.py")
    mine = entry("mine", *of(0.9), files={"mine.py": sha256}, sha256=submission_hash("Mine", sha256))
    return mine.model_copy(update={"mapper": mine.mapper.model_copy(update={"source": "here/mine.py:Mine"})})


def test_a_mapper_that_breaks_the_protocol_is_refused_with_what_it_breaks(tmp_path, capsys):
    run = run_of(tmp_path / "run", with_source(tmp_path / "run", SUMS))
    assert main(["submit", run, "--leaderboard", str(tmp_path / "board")]) == 2
    said = capsys.readouterr().err
    assert "its mapper does not keep to the protocol: rows on their own: a row is carried differently" in said
    assert said.count("\n") == 1
    assert not (tmp_path / "board").exists()


def test_what_comes_with_graftbench_is_not_checked_again(tmp_path):
    zero = entry("zero", *of(0.5))
    built_in = zero.model_copy(update={"mapper": zero.mapper.model_copy(update={"source": "zero"})})
    assert protocol_problems(built_in, tmp_path) == []
