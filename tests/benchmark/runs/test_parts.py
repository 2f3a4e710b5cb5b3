import json
from dataclasses import replace

import pytest

from graftbench.benchmark.mappers.info import describe
from graftbench.benchmark.results.schema import NOT_STEERABLE, Missing
from graftbench.benchmark.runs import parts as parts_module
from graftbench.benchmark.runs.cell import ReferenceOutcome
from graftbench.benchmark.runs.context import Settings
from graftbench.benchmark.runs.entry import cell_result
from graftbench.benchmark.runs.executors.protocol import Failure
from graftbench.benchmark.runs.jobs import is_finished, jobs_of, reference_side_effects_name, scoring_name
from graftbench.benchmark.runs.parts import Parts, parts_folder
from graftbench.benchmark.runs.plan import planned
from graftbench.benchmark.runs.side_effects import SideEffectsOutcome
from graftbench.benchmark.runs.suite import read_suite

FAILED = Failure("failed", "not today", "a trace")
SETTINGS = Settings("{}", 64, "cpu", "cache")
NOT_THERE = Missing(reason=NOT_STEERABLE)


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


def names(jobs):
    return [job.name for job in jobs]


def without_side_effects(cells):
    return [replace(cell, side_effects=False) for cell in cells]


def test_only_what_is_left_is_done_and_references_come_first(parts, cells):
    info, cells = describe("ridge"), without_side_effects(cells)
    assert names(jobs_of(cells, SETTINGS, info, parts)) == [cells[0].reference, *(cell.name for cell in cells)]
    finish(parts, cells[0])
    assert names(jobs_of(cells, SETTINGS, info, parts)) == [cells[0].reference, *(cell.name for cell in cells[1:])]
    parts.add_reference(cells[0], FAILED)
    assert cells[0].reference in names(jobs_of(cells, SETTINGS, info, parts))


def test_side_effects_are_jobs_after_their_cell_and_those_that_cells_share(parts, cells):
    info = describe("ridge")
    jobs = {job.name: job.after for job in jobs_of(cells, SETTINGS, info, parts)}
    reference, shared = cells[0].reference, reference_side_effects_name(cells[0])
    scored = [scoring_name(cell) for cell in cells]
    assert list(jobs) == [reference, scored[0], shared, *scored[1:], *(cell.name for cell in cells)]
    assert {jobs[name] for name in (shared, *scored)} == {(reference,)}
    assert [jobs[cell.name] for cell in cells] == [(name, shared) for name in scored]


def test_of_a_cell_that_was_scored_only_the_side_effects_are_left(parts, cells):
    info, cell = describe("ridge"), cells[0]
    parts.add_reference(cell, ReferenceOutcome((), 1.0))
    finish(parts, cell, awaits_side_effects=True)
    shared = reference_side_effects_name(cell)
    assert not is_finished(cell, parts)
    assert names(jobs_of([cell], SETTINGS, info, parts)) == [shared, cell.name]
    parts.add_reference_side_effects(cell, 2.0)
    (job,) = jobs_of([cell], SETTINGS, info, parts)
    assert (job.name, job.after, job.files) == (cell.name, (), (parts.file_of(cell),))
    parts.add_side_effects(cell, SideEffectsOutcome(NOT_THERE, None, 3.0))
    assert is_finished(cell, parts)
    assert jobs_of([cell], SETTINGS, info, parts) == []


def test_side_effects_join_the_part_of_their_cell_unless_it_is_another_by_now(parts, cells):
    cell = cells[0]
    finish(parts, cell, awaits_side_effects=True)
    parts.add_side_effects(cell, SideEffectsOutcome(NOT_THERE, True, 3.0))  # since judges changed their mind
    assert parts.of(cell).awaits_side_effects
    parts.add_side_effects(cell, SideEffectsOutcome(NOT_THERE, None, 3.0))
    part = parts.of(cell)
    assert part.cell.side_effects == NOT_THERE
    assert part.seconds == {"side_effects": 3.0, "total": 4.0}
    assert not part.awaits_side_effects


def test_a_cell_that_failed_has_no_answers(parts, cells):
    rows = parts.folder / f"{cells[0].folder}.parquet"
    rows.parent.mkdir(parents=True)
    rows.write_bytes(b"of a run whose side effects failed")
    parts.add(cells[0], cell_result(cells[0], FAILED), FAILED)
    assert not rows.exists()


def test_cells_follow_their_reference_so_that_a_mapper_s_error_shows_early(parts):
    cells = without_side_effects(planned(read_suite("pocket"), deterministic=True, tasks=["refusal_ablation"]))
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
