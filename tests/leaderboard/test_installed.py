"""What installed tasks and mappers say of themselves is read from their files, and is what their classes say."""

import subprocess
import sys

import pytest

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.plugins import is_builtin, plugin, plugin_names
from graftbench.benchmark.mappers.info import describe
from graftbench.leaderboard.installed import mapper_statement, task_version
from tests.leaderboard.planted import entry, of, run_of

MAPPERS = [name for name in plugin_names("mappers") if is_builtin("mappers", name)]


@pytest.mark.parametrize("name", MAPPERS)
def test_a_mapper_states_in_its_file_what_its_class_has(name):
    info = describe(name)  # without options: none has to be given
    assert mapper_statement(name) == (info.name, info.sha256, info.deterministic, info.vector_rule)


@pytest.mark.parametrize("name", plugin_names("tasks"))
def test_a_task_states_its_version_in_its_file(name):
    assert task_version(name) == plugin("tasks", name)().version


def test_a_mapper_that_is_not_installed_is_one_sentence():
    with pytest.raises(UserError, match="There is no mapper called 'nobody'"):
        mapper_statement("nobody")


def heavy_modules(code):
    """Those among the modules that take long to load which a piece of code loads."""
    heavy = "{'torch', 'transformers', 'scipy', 'lm_eval', 'openai'}"
    code = f"import sys\n{code}\nprint(sorted({heavy} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[-1]


@pytest.mark.parametrize("module", ["verify", "submit", "page.writing"])
def test_a_leaderboard_needs_no_model(module):
    assert heavy_modules(f"import graftbench.leaderboard.{module}") == "[]"


def test_a_run_of_a_built_in_mapper_is_submitted_and_verified_without_a_model(tmp_path):
    stated = mapper_statement("zero")
    mine = entry("zero", *of(0.5), sha256=stated.sha256)
    mine = mine.model_copy(update={"mapper": mine.mapper.model_copy(update={"source": "zero"})})
    run, board = run_of(tmp_path / "run", mine), str(tmp_path / "board")
    commands = [
        ["submit", run, "--leaderboard", board],
        *(["leaderboard", verb, "--leaderboard", board] for verb in ("build", "verify", "page")),
    ]
    code = f"from graftbench.cli.main import main\nassert [main(command) for command in {commands}] == [0] * 4"
    assert heavy_modules(code) == "[]"
