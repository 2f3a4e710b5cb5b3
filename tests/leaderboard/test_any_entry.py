"""Any file is refused in one sentence, or is an entry that every command can handle."""

import json
from copy import deepcopy

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.results.consistency import problems
from graftbench.benchmark.results.entry_files import entry_text, read_entry
from graftbench.benchmark.results.schema import AtStrength, ShownPrompt, ShownReply, SideEffects
from graftbench.cli.main import main
from graftbench.leaderboard.entries import file_name
from graftbench.leaderboard.page.writing import page_of
from graftbench.leaderboard.ranking import as_json
from tests.fuzzing import (
    A_HUNDRED_OR_MANY,
    HARD_TEXTS,
    VALUES,
    changes_of,
    for_any,
    lacking,
    one_sentence,
    places,
    replaced,
)
from tests.leaderboard.planted import entry, flat, of, run_of


def plain():
    """An entry with something in every place."""
    graded = {"pocket_mmlu": {"acc": {"value": 0.5, "n": 10, "difference": -0.25, "low": -0.5, "high": 0.0}}}
    cost = {"tasks": graded, "cut": {"pocket_mmlu": 1}, "kl": 0.5, "perplexity": 2.0}
    cost |= {"reply_perplexity": 2.0, "reply_novelty": 0.5}
    each = {"unsteered": cost, "mapped": cost}
    more = {
        "side_effects": SideEffects(deployed=each, stressed=each),
        "sweep": {"mapped": [AtStrength(strength=1.0, value=0.5, n=64)]},
        "examples": [
            ShownPrompt(item="p0", prompt="p", reference="r", said={"mapped": ShownReply(completion="c", success=True)})
        ],
    }
    first, second = of(0.5)
    return entry("mine", first.model_copy(update=more), second)


PLAIN = flat(plain())
STORED = json.loads(entry_text(plain()))
calmly = settings(
    max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
PLACES = [path for path in places(STORED) if path]
CHANGES = changes_of(STORED)


def read(path, text):
    """The entry in a file with this text, None where it is refused in one sentence."""
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    try:
        return read_entry(path)
    except UserError as error:
        one_sentence(error)
    return None


@A_HUNDRED_OR_MANY
def test_what_is_no_entry_is_refused(n, tmp_path):
    @for_any(n, text=st.text() | VALUES.map(json.dumps))
    def check(text):
        assert read(tmp_path / "entry.json", text) is None


@pytest.mark.parametrize("text", ["\ud800", '{"schema_version":' * 5000, *HARD_TEXTS])
def test_json_that_is_hard_to_read_is_refused(tmp_path, text):
    assert read(tmp_path / "entry.json", text) is None


@pytest.mark.parametrize("path", PLACES)
def test_a_number_of_thousands_of_digits_is_refused_or_found_out(tmp_path, path):
    text = json.dumps(replaced(STORED, path, "the number")).replace('"the number"', "9" * 5000)
    read_back = read(tmp_path / "entry.json", text)
    assert read_back is None or problems(read_back)


@A_HUNDRED_OR_MANY
def test_an_entry_with_one_thing_changed_is_refused_or_found_out_or_as_good_as_before(n, tmp_path):
    @for_any(n, change=CHANGES | lacking(STORED))
    def check(change):
        read_back = read(tmp_path / "entry.json", json.dumps(change))
        if read_back is None or problems(read_back):
            return
        assert read(tmp_path / "again.json", entry_text(read_back)) == read_back
        assert json.loads(as_json([read_back]))["suites"].keys() == {read_back.suite.name}
        assert page_of([read_back]).count("<script") == 1


@calmly
@given(name=st.text(max_size=80) | st.sampled_from(["..", "a/b", "a\\b", ".hidden", "CON", "a\x00b", "\u202egnp.exe"]))
def test_no_name_of_a_mapper_leads_out_of_the_folder(tmp_path, name):
    record = deepcopy(STORED)
    record["mapper"]["name"] = name
    read_back = read(tmp_path / "entry.json", json.dumps(record))
    if read_back is not None:
        path = tmp_path / file_name(read_back)
        assert path.parent == tmp_path
        assert path.name.isprintable()
        assert path.name.isascii()


@pytest.fixture(scope="module")
def board(tmp_path_factory):
    folder = tmp_path_factory.mktemp("board")
    run = run_of(tmp_path_factory.mktemp("run"), entry("ours", *of(0.8)))
    assert main(["submit", run, "--leaderboard", str(folder)]) == 0
    return folder


@settings(parent=calmly, max_examples=25)
@given(change=CHANGES)
def test_whatever_is_submitted_what_is_there_stays(tmp_path, board, change):
    before = {file: file.read_bytes() for file in (board / "entries").iterdir()}
    run = run_of(tmp_path / "run", entry("mine", *of(0.5)))
    (tmp_path / "run" / "entry.json").write_text(json.dumps(change))
    main(["submit", run, "--leaderboard", str(board)])
    after = {file: file.read_bytes() for file in (board / "entries").iterdir()}
    assert before.items() <= after.items()
    for file in after.keys() - before.keys():
        assert problems(read_entry(file)) == []
        file.unlink()
