"""What a leaderboard keeps of a mapper is what its entry names: plain files, all of them, and nothing else."""

import os

import pytest

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.hashing import sha256_of
from graftbench.benchmark.mappers.info import describe
from graftbench.leaderboard import mapper_files as plain_files
from graftbench.leaderboard.entries import file_name
from graftbench.leaderboard.mapper_files import belongs_to_none, kept_apart, mapper_apart, with_fitted
from tests.leaderboard.planted import entry, of


def of_mapper(name="mine", **about):
    found = entry(name, *of(0.5))
    return found.model_copy(update={"mapper": found.mapper.model_copy(update=about)})


@pytest.fixture
def kept(tmp_path):
    """A folder of what was fitted, and its entry."""
    folder = tmp_path / "mappers" / file_name(entry("mine", *of(0.5))).removesuffix(".json")
    (folder / "cell").mkdir(parents=True)
    (folder / "cell" / "mapper.json").write_text("{}")
    return folder, of_mapper(fitted={"cell/mapper.json": sha256_of(folder / "cell" / "mapper.json")})


def test_what_was_fitted_and_is_there_passes(tmp_path, kept):
    folder, found = kept
    assert kept_apart(found, folder) == []
    assert belongs_to_none(tmp_path, [found]) == []


def test_a_mapper_from_elsewhere_of_which_nothing_is_kept_is_told(tmp_path):
    told = "elsewhere does not come with this graftbench, and neither its file nor what was fitted is kept"
    assert kept_apart(entry("mine", *of(0.5)), tmp_path / "nothing") == [told]
    assert kept_apart(of_mapper(source="ridge"), tmp_path / "nothing") == []
    assert mapper_apart(of_mapper(source="here/mine.py:Mine"))  # its file is not named


def test_links_are_not_followed_and_belong_to_no_entry(tmp_path, kept):
    folder, found = kept
    (tmp_path / "big" / "deep").mkdir(parents=True)
    (tmp_path / "big" / "file").write_text("")
    (folder / "out").symlink_to(tmp_path / "big")
    (folder / "cell" / "link.json").symlink_to(folder / "cell" / "mapper.json")
    assert kept_apart(found, folder) == [f"{folder / name} belongs to no entry" for name in ("cell/link.json", "out")]


def test_a_file_that_was_scored_is_no_link(tmp_path, kept):
    folder, found = kept
    (folder / "cell" / "mapper.json").rename(tmp_path / "elsewhere.json")
    (folder / "cell" / "mapper.json").symlink_to(tmp_path / "elsewhere.json")
    assert f"{folder / 'cell' / 'mapper.json'} is not the file that was scored" in kept_apart(found, folder)


def test_a_folder_that_is_a_link_to_a_big_one_is_not_walked(tmp_path, kept):
    _, found = kept
    (tmp_path / "link").symlink_to("/")
    told = kept_apart(found, tmp_path / "link")
    assert told[1:] == [f"{tmp_path / 'link'} belongs to no entry"]


def test_pipes_are_not_read(tmp_path, kept):
    folder, found = kept
    (folder / "cell" / "mapper.json").unlink()
    os.mkfifo(folder / "cell" / "mapper.json")
    assert len(kept_apart(found, folder)) == 2  # it is not the file, and belongs to no entry


def test_too_many_files_are_told_and_not_read(kept, monkeypatch):
    folder, found = kept
    monkeypatch.setattr(plain_files, "MOST", 3)
    for i in range(3):
        (folder / f"more-{i}").mkdir()
    with pytest.raises(UserError, match="holds more than 3 files and folders"):
        kept_apart(found, folder)


def test_what_lies_beside_the_mappers_of_entries_belongs_to_none(tmp_path, kept):
    _, found = kept
    (tmp_path / "mappers" / "nobody").mkdir()
    (tmp_path / "mappers" / "nobody" / "evil.py").write_text("")
    (tmp_path / "mappers" / "link").symlink_to("/")
    top = tmp_path / "mappers"
    assert belongs_to_none(tmp_path, [found]) == [f"{top / name} belongs to no entry" for name in ("link", "nobody")]
    assert len(belongs_to_none(tmp_path, [])) == 3
    assert belongs_to_none(tmp_path / "nowhere", [found]) == []
    top.rename(tmp_path / "real")
    top.symlink_to(tmp_path / "real")
    assert belongs_to_none(tmp_path, [found]) == [f"{top} is a link, and no folder"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, None),
        ({"penalty": 0.5}, None),
        ({"ridge": 1000.0}, "ridge has no option 'ridge'"),
        ({"penalty": "0.5"}, "the option penalty of ridge should be of type float, as 0.5 is"),
        ({"penalty": True}, "The option penalty of ridge is of type float; 'True' is not"),
        ({"penalty": 10**400}, "should be of type float"),
        ({"penalty=": 1.0}, "is of type float; '=1.0' is not"),
    ],
)
def test_a_built_in_mapper_has_the_options_that_it_takes(options, told):
    ridge = describe("ridge")
    about = {"source": "ridge", "sha256": ridge.sha256, "deterministic": True, "options": options}
    found = mapper_apart(of_mapper("ridge", **about))
    assert told in found[0] if told else found == []


def test_a_run_names_no_fitted_files_but_its_own(tmp_path, kept):
    folder, found = kept
    (tmp_path / "run").mkdir()
    folder.rename(tmp_path / "run" / "mappers")
    assert with_fitted(of_mapper(), tmp_path / "run") == with_fitted(found, tmp_path / "run") == found
    for source in ("elsewhere", "ridge"):
        with pytest.raises(UserError, match="names other fitted files"):
            with_fitted(of_mapper(source=source, fitted={"../../mine.json": "0" * 64}), tmp_path / "run")
