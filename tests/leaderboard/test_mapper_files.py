"""A leaderboard stores the files of a mapper that its entry names: plain files, all of them, and nothing else."""

import os

import pytest

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.hashing import sha256_of
from graftbench.benchmark.mappers.info import describe
from graftbench.leaderboard import mapper_files
from graftbench.leaderboard.entries import file_name
from graftbench.leaderboard.mapper_files import (
    identity_mismatches,
    stored_mapper_mismatches,
    stray_mappers,
    with_fitted,
)
from tests.leaderboard.planted import entry, of


def of_mapper(name="mine", **about):
    submission = entry(name, *of(0.5))
    return submission.model_copy(update={"mapper": submission.mapper.model_copy(update=about)})


@pytest.fixture
def stored(tmp_path):
    """A folder of what was fitted, and its entry."""
    folder = tmp_path / "mappers" / file_name(entry("mine", *of(0.5))).removesuffix(".json")
    (folder / "cell").mkdir(parents=True)
    (folder / "cell" / "mapper.json").write_text("{}")
    return folder, of_mapper(fitted={"cell/mapper.json": sha256_of(folder / "cell" / "mapper.json")})


def test_what_was_fitted_and_is_there_passes(tmp_path, stored):
    folder, submission = stored
    assert stored_mapper_mismatches(submission, folder) == []
    assert stray_mappers(tmp_path, [submission]) == []


def test_a_mapper_from_elsewhere_of_which_nothing_is_kept_is_reported(tmp_path):
    message = "elsewhere is not built in, and neither its file nor the fitted mapper is stored"
    assert stored_mapper_mismatches(entry("mine", *of(0.5)), tmp_path / "nothing") == [message]
    assert stored_mapper_mismatches(of_mapper(source="ridge"), tmp_path / "nothing") == []
    assert identity_mismatches(of_mapper(source="here/mine.py:Mine"))  # its file is not named


def test_links_are_not_followed_and_belong_to_no_entry(tmp_path, stored):
    folder, submission = stored
    (tmp_path / "big" / "deep").mkdir(parents=True)
    (tmp_path / "big" / "file").write_text("")
    (folder / "out").symlink_to(tmp_path / "big")
    (folder / "cell" / "link.json").symlink_to(folder / "cell" / "mapper.json")
    assert stored_mapper_mismatches(submission, folder) == [
        f"{folder / name} belongs to no entry" for name in ("cell/link.json", "out")
    ]


def test_a_file_that_was_scored_is_no_link(tmp_path, stored):
    folder, submission = stored
    (folder / "cell" / "mapper.json").rename(tmp_path / "elsewhere.json")
    (folder / "cell" / "mapper.json").symlink_to(tmp_path / "elsewhere.json")
    assert f"{folder / 'cell' / 'mapper.json'} is not the file that was scored" in stored_mapper_mismatches(
        submission, folder
    )


def test_a_folder_that_is_a_link_to_a_big_one_is_not_walked(tmp_path, stored):
    _, submission = stored
    (tmp_path / "link").symlink_to("/")
    message = stored_mapper_mismatches(submission, tmp_path / "link")
    assert message[1:] == [f"{tmp_path / 'link'} belongs to no entry"]


def test_pipes_are_not_read(tmp_path, stored):
    folder, submission = stored
    (folder / "cell" / "mapper.json").unlink()
    os.mkfifo(folder / "cell" / "mapper.json")
    assert len(stored_mapper_mismatches(submission, folder)) == 2  # it is not the file, and belongs to no entry


def test_too_many_files_are_reported_and_not_read(stored, monkeypatch):
    folder, submission = stored
    monkeypatch.setattr(mapper_files, "MAX_FILES", 3)
    for i in range(3):
        (folder / f"more-{i}").mkdir()
    with pytest.raises(UserError, match="holds more than 3 files and folders"):
        stored_mapper_mismatches(submission, folder)


def test_what_lies_beside_the_mappers_of_entries_belongs_to_none(tmp_path, stored):
    _, submission = stored
    (tmp_path / "mappers" / "nobody").mkdir()
    (tmp_path / "mappers" / "nobody" / "evil.py").write_text("")
    (tmp_path / "mappers" / "link").symlink_to("/")
    top = tmp_path / "mappers"
    assert stray_mappers(tmp_path, [submission]) == [f"{top / name} belongs to no entry" for name in ("link", "nobody")]
    assert len(stray_mappers(tmp_path, [])) == 3
    assert stray_mappers(tmp_path / "nowhere", [submission]) == []
    top.rename(tmp_path / "real")
    top.symlink_to(tmp_path / "real")
    assert stray_mappers(tmp_path, [submission]) == [f"{top} is a link, and no folder"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, None),
        ({"penalty": 0.5}, None),
        ({"ridge": 1000.0}, "ridge has no option 'ridge'"),
        ({"penalty": "0.5"}, "the option penalty of ridge should be of type float, as 0.5 is"),
        ({"penalty": True}, "The option penalty of ridge is of type float; 'True' is not"),
        ({"penalty": 10**400}, "no finite number below 2^63"),
        ({"penalty=": 1.0}, "ridge has no option 'penalty='"),
    ],
)
def test_a_built_in_mapper_has_the_options_that_it_takes(options, message):
    ridge = describe("ridge")
    about = {"source": "ridge", "sha256": ridge.sha256, "deterministic": True, "options": options}
    mismatches = identity_mismatches(of_mapper("ridge", **about))
    assert message in mismatches[0] if message else mismatches == []


def test_a_run_names_no_fitted_files_but_its_own(tmp_path, stored):
    folder, submission = stored
    (tmp_path / "run").mkdir()
    folder.rename(tmp_path / "run" / "mappers")
    assert with_fitted(of_mapper(), tmp_path / "run") == with_fitted(submission, tmp_path / "run") == submission
    for source in ("elsewhere", "ridge"):
        with pytest.raises(UserError, match="names other fitted files"):
            with_fitted(of_mapper(source=source, fitted={"../../mine.json": "0" * 64}), tmp_path / "run")
