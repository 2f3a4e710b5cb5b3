import json
from dataclasses import replace

import pytest

from graftbench.benchmark.mappers.info import describe
from graftbench.benchmark.runs import parts as parts_module
from graftbench.benchmark.runs.context import Settings
from graftbench.benchmark.runs.entry import cell_result
from graftbench.benchmark.runs.executors.protocol import Failure
from graftbench.benchmark.runs.jobs import is_finished, jobs_of
from graftbench.benchmark.runs.parts import Parts, parts_folder
from graftbench.benchmark.runs.plan import planned
from graftbench.benchmark.runs.suite import read_suite

FAILED = Failure("failed", "not today", "a trace")
SETTINGS = Settings("{}", 64, "cpu", "cache")


@pytest.fixture
def cells():
    return planned(read_suite("pocket"), deterministic=True, tasks=["backdoor_removal"])[:3]


@pytest.fixture
def parts(tmp_path):
    return Parts(tmp_path / "cells", tmp_path / "references")


def finish(parts, cell, **more):
    """Leave the part of a cell that ended well."""
    parts.add(cell, cell_result(cell, FAILED), FAILED)
    file = parts.folder / f"{cell.folder}.json"
    part = json.loads(file.read_text())
    part["cell"] |= {"status": "ok", "reason": None, "traceback": None}
    file.write_text(json.dumps(part | {"seconds": {"total": 1.0}, "complete": True} | more))


def test_a_cell_is_finished_once_its_part_is_there_and_nothing_can_be_mended(parts, cells):
    assert not is_finished(cells[0], parts)
    finish(parts, cells[0])
    assert is_finished(cells[0], parts)
    finish(parts, cells[0], complete=False)  # a judge left something unscored
    assert not is_finished(cells[0], parts)
    parts.add(cells[0], cell_result(cells[0], FAILED), FAILED)
    assert not is_finished(cells[0], parts)


def test_only_what_is_left_is_done_and_references_come_first(parts, cells):
    info = describe("ridge")
    names = [job.name for job in jobs_of(cells, SETTINGS, info, parts)]
    assert names == [cells[0].reference, *(cell.name for cell in cells)]
    finish(parts, cells[0])
    names = [job.name for job in jobs_of(cells, SETTINGS, info, parts)]
    assert names == [cells[0].reference, *(cell.name for cell in cells[1:])]
    parts.add_reference(cells[0], FAILED)
    assert cells[0].reference in [job.name for job in jobs_of(cells, SETTINGS, info, parts)]


def test_cells_follow_their_reference_so_that_a_mapper_s_error_shows_early(parts):
    cells = planned(read_suite("pocket"), deterministic=True, tasks=["refusal_ablation"])
    done = set()
    names = [job.name for job in jobs_of(cells, SETTINGS, describe("ridge"), parts)]
    for before, job in enumerate(jobs_of(cells, SETTINGS, describe("ridge"), parts)):
        assert set(job.after) <= done
        assert not job.after or names[before - 1] in (job.after[0], *own_cells(cells, job.after[0]))
        done.add(job.name)
    assert done == {cell.reference for cell in cells} | {cell.name for cell in cells}


def own_cells(cells, reference):
    return [cell.name for cell in cells if cell.reference == reference]


@pytest.mark.parametrize("changed", ["suite", "device", "batch_size", "mapper", "option", "code"])
def test_parts_of_another_suite_device_mapper_or_code_are_not_taken(tmp_path, monkeypatch, changed):
    before = parts_folder(tmp_path, SETTINGS, describe("ridge"))
    settings, info = SETTINGS, describe("ridge")
    if changed in ("suite", "device", "batch_size"):
        settings = replace(SETTINGS, **{changed: 1 if changed == "batch_size" else "other"})
    elif changed == "code":
        monkeypatch.setattr(parts_module, "package_version", lambda: "other")
    else:
        info = describe("zero") if changed == "mapper" else describe("ridge", ["penalty=0.5"])
    assert parts_folder(tmp_path, settings, info) != before
    assert parts_folder(tmp_path, SETTINGS, describe("ridge")) == before or changed == "code"
