import re
import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.data.tracks import USUAL_TRACKS
from graftbench.benchmark.runs.disk import Size, activations_on_disk, check_disk, check_room
from graftbench.benchmark.runs.plan import planned
from graftbench.benchmark.runs.suite import read_suite
from graftbench.benchmark.zoo.world.styles import STYLES
from graftbench.cli.main import main

GIB = 2**30


@pytest.fixture
def suite():
    """The pocket suite, in which each mapper is fitted once, on one thousand texts or fewer."""
    pocket = read_suite("pocket")
    task = pocket.tasks["backdoor_removal"]
    asked = task.model_copy(update={"settings": task.settings | {"fit": 1000}})
    return with_keys(pocket, shuffled_refit=False, seeds=3, tasks=pocket.tasks | {"backdoor_removal": asked})


@pytest.fixture
def cells(suite):
    """One variant of a backdoor on the three usual tracks."""
    first = suite.tasks["backdoor_removal"].cells[0]
    named = {"tasks": ["backdoor_removal"], "variants": [first.variant], "pairs": [first.pair]}
    return planned(suite, deterministic=False, tracks=USUAL_TRACKS, **named)


def paper(spec, _):
    """Models of 1B and of 3B, and texts of 720 tokens."""
    return Size(2048 if spec.model.startswith("llama-s") else 3072, 720)


def with_keys(suite, **keys):
    return suite.model_copy(update=keys)


def test_without_a_budget_all_tokens_of_both_models_are_kept_and_paired(suite, cells):
    assert activations_on_disk(suite, cells, paper).n_bytes == 3 * 2 * 1000 * 720 * (2048 + 3072) * 4
    half = activations_on_disk(with_keys(suite, dtype="bfloat16"), cells, paper).n_bytes
    assert half == 3 * 2 * 1000 * 720 * (2048 + 3072) * 2


def test_a_budget_bounds_what_any_number_of_texts_takes(suite, cells):
    budget = with_keys(suite, pairs=2000, storage="bfloat16")
    assert activations_on_disk(budget, cells, paper).n_bytes == 3 * 2000 * (2048 + 3072) * 2
    large = with_keys(suite, pairs=10**9, storage="bfloat16")
    assert activations_on_disk(large, cells, paper).n_bytes == 3 * 1000 * 720 * (2048 + 3072) * 2


def test_what_cells_share_is_counted_once(suite, cells):
    one, twice = (activations_on_disk(suite, each, paper).n_bytes for each in (cells[:1], [cells[0], cells[0]]))
    assert one == twice
    other = planned(suite, deterministic=True, tasks=["backdoor_removal"])
    other = [replace(cell, sites=(1, 1)) for cell in other if cell.track == "general" and cell.pair == cells[0].pair]
    general = [cell for cell in other if cell.variant in STYLES]  # of one version of the models
    assert len(general) > 1
    shared = activations_on_disk(suite, general[:1], paper).n_bytes
    assert activations_on_disk(suite, general, paper).n_bytes == shared
    n_versions = 3  # hate, code and style
    assert activations_on_disk(suite, other, paper).n_bytes == n_versions * shared


def test_the_models_that_ship_are_sized_by_their_files(suite, cells, tmp_path):
    found = check_disk(suite, cells, tmp_path)
    assert found.untold == ()
    per_text = found.n_bytes / (3 * 2 * 1000 * (64 + 128) * 4)
    assert 10 < per_text < 60  # tokens


def test_models_that_are_elsewhere_are_named(suite, cells):
    found = activations_on_disk(suite, cells, lambda *_: None)
    assert (found.n_bytes, found.untold) == (0, ("llama-s->llama-m",))


def test_what_does_not_fit_is_refused_with_the_key_that_helps(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=100 * GIB))
    check_room(99 * GIB, tmp_path)
    with pytest.raises(UserError, match=r"take 350\.0 GiB, and the cache's disk has 100\.0 GiB left: write `pairs: N`"):
        check_room(350 * GIB, tmp_path)


def test_activations_that_are_there_already_count_as_room(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(UserError):
        check_room(4000, tmp_path)
    (tmp_path / "pairs").mkdir()
    np.save(tmp_path / "pairs" / "source.npy", np.zeros(1000, np.float32))
    check_room(4000, tmp_path)


def test_a_dry_run_says_what_the_disk_will_take_and_refuses_what_it_cannot(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("GRAFTBENCH_CACHE", str(tmp_path))
    command = ["score", "ridge", "--task", "backdoor_removal", "--dry-run"]
    assert main(command) == 0
    assert re.search(r"[0-9.]+ [MG]iB of activations that mappers are fitted on", capsys.readouterr().out)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    assert main(command) == 2
    assert "write `pairs: N`" in capsys.readouterr().err


def test_a_share_of_the_pairs_lies_beside_them(suite, cells):
    task = next(cell for cell in cells if cell.track == "task")
    shares = [replace(task, track=track) for track in ("tenth", "hundredth")]
    whole, with_shares = (activations_on_disk(suite, each, paper).n_bytes for each in ([task], [task, *shares]))
    assert with_shares == pytest.approx((1 + 0.11 / 2) * whole)


def test_every_seed_has_shuffled_pairs_of_its_own_where_mappers_are_fitted_on_them_too(suite, cells):
    refit = with_keys(suite, shuffled_refit=True, pairs=10**9)
    kept = 3 * 1000 * 720 * (2048 + 3072) * 4
    assert activations_on_disk(refit, cells, paper).n_bytes == (1 + 3) * kept
    alone = [cell for cell in cells if cell.seed == 0]
    assert activations_on_disk(refit, alone, paper).n_bytes == (1 + 1) * kept
    task = next(cell for cell in alone if cell.track == "task")
    whole, tenth = (activations_on_disk(refit, [replace(task, track=t)], paper).n_bytes for t in ("task", "tenth"))
    assert tenth - kept / 3 == pytest.approx(0.1 * whole)
