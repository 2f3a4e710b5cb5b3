"""Any file is refused in one sentence, or is a suite whose cells can be planned."""

import json

import pytest
import yaml
from hypothesis import strategies as st

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.models.shipped import WEIGHTS
from graftbench.benchmark.runs.plan import planned
from graftbench.benchmark.runs.suite import Suite, read_suite, read_suite_file
from tests.benchmark.runs.test_run import SUITE
from tests.fuzzing import A_HUNDRED_OR_MANY, HARD_TEXTS, VALUES, changes_of, for_any, lacking, one_sentence, with_more

pytestmark = pytest.mark.skipif(not WEIGHTS.is_dir(), reason="no trained zoo here: `graftbench zoo train` makes it")
WHOLE = json.loads(
    Suite.model_validate(
        SUITE | {"general": "pocket", "side_effects": {"tasks": ["pocket_mmlu"], "limit": {"pocket_mmlu": 3}}}
    ).model_dump_json(exclude_defaults=True)
)
WHOLE["models"]["llama-s"]["instruct"] = {"model": "llama-s-instruct", "dtype": "float32"}
FREE = {("models",), ("models", "llama-s"), ("models", "twin")}  # whose keys are names of the author's own


def planned_or_refused(path):
    """The suite in a file, None where it, or the plan of its cells, is refused in one sentence."""
    try:
        suite = read_suite(str(path))
        cells = planned(suite, deterministic=True)
    except UserError as error:
        one_sentence(error)
        return None
    assert cells
    return suite


@A_HUNDRED_OR_MANY
def test_a_suite_with_one_thing_changed_is_refused_or_can_be_planned(n, tmp_path):
    path = tmp_path / "suite.yaml"

    @for_any(n, change=changes_of(WHOLE) | lacking(WHOLE))
    def check(change):
        path.write_text(yaml.safe_dump(change), encoding="utf-8", errors="surrogatepass")
        suite = planned_or_refused(path)
        if suite is None:
            return
        (tmp_path / "suite.json").write_text(suite.model_dump_json())
        again = read_suite_file(tmp_path / "suite.json")
        assert (again, again.hash) == (suite, suite.hash)


@A_HUNDRED_OR_MANY
def test_what_is_no_suite_is_refused(n, tmp_path):
    path = tmp_path / "suite.yaml"

    @for_any(
        n,
        raw=st.binary(max_size=60)
        | (VALUES.map(repr) | st.text()).map(lambda text: text.encode("utf-8", "surrogatepass")),
    )
    def check(raw):
        path.write_bytes(raw)
        assert planned_or_refused(path) is None


@pytest.mark.parametrize("text", [*HARD_TEXTS, "a: &a [*a]", "!!python/object:os.system {}", "2001-99-99", "? {}"])
def test_yaml_that_is_hard_to_read_is_refused(tmp_path, text):
    (tmp_path / "suite.yaml").write_text(text)
    (tmp_path / "suite.json").write_text(text)
    assert planned_or_refused(tmp_path / "suite.yaml") is None
    with pytest.raises(UserError) as error:
        read_suite_file(tmp_path / "suite.json")
    one_sentence(error.value)


def test_no_key_that_is_not_known_is_passed_over(tmp_path):
    path = tmp_path / "suite.yaml"

    @for_any(60, extended=with_more(WHOLE))
    def check(extended):
        place, change = extended
        path.write_text(yaml.safe_dump(change))
        assert place in FREE or planned_or_refused(path) is None, place
