"""What is not finished yet has a name that tells whose it is; what nobody finishes any more is removed."""

import subprocess
import sys
from pathlib import Path
from stat import S_IMODE

import pytest

from graftbench.benchmark.core import unfinished
from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.files import atomic_write, write_text
from graftbench.benchmark.core.unfinished import unfinished_beside, unfinished_folder


@pytest.fixture
def gone(monkeypatch):
    """Take the processes that have written so far for dead ones."""
    return lambda: monkeypatch.setattr(unfinished, "_is_running", lambda _: False)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_what_a_dead_process_left_is_removed_by_the_next_that_writes_the_same(tmp_path, gone):
    for name in ("entry.json", "other.json"):
        unfinished_beside(tmp_path / name).write_text("half")
    unfinished_beside(tmp_path / "entry.json").mkdir()
    gone()
    write_text(tmp_path / "entry.json", "whole")
    assert len(names(tmp_path)) == 2
    assert names(tmp_path)[0].startswith(".other.json.unfinished-")
    assert (tmp_path / "entry.json").read_text() == "whole"


def test_what_another_is_writing_stays(tmp_path):
    with atomic_write(tmp_path / "entry.json") as one:
        one.write_text("one")
        write_text(tmp_path / "entry.json", "other")
        assert one.read_text() == "one"
    assert (tmp_path / "entry.json").read_text() == "one"
    assert names(tmp_path) == ["entry.json"]


def test_whoever_reads_meanwhile_has_the_former_file_whole(tmp_path):
    write_text(tmp_path / "entry.json", "former")
    with (tmp_path / "entry.json").open() as former:
        write_text(tmp_path / "entry.json", "the new one")
        assert former.read() == "former"
    assert (tmp_path / "entry.json").read_text() == "the new one"


def test_a_file_can_be_read_by_others_once_it_is_whole(tmp_path):
    with atomic_write(tmp_path / "entry.json") as path:
        assert S_IMODE(path.stat().st_mode) == 0o600
    assert S_IMODE((tmp_path / "entry.json").stat().st_mode) == 0o644


def test_a_process_that_was_killed_is_known_to_be_dead(tmp_path):
    code = (
        "import os, sys; from pathlib import Path\n"
        "from graftbench.benchmark.core.files import atomic_write\n"
        f"with atomic_write(Path({str(tmp_path / 'entry.json')!r})) as path: path.write_text('half'); os._exit(9)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=False)
    assert len(names(tmp_path)) == 1
    write_text(tmp_path / "entry.json", "whole")
    assert names(tmp_path) == ["entry.json"]


def test_what_another_machine_left_stays_for_it_may_be_in_use(tmp_path, gone, monkeypatch):
    monkeypatch.setattr(unfinished, "_machine", lambda: "another")
    unfinished_beside(tmp_path / "entry.json").touch()
    monkeypatch.setattr(unfinished, "_machine", lambda: "this")
    gone()
    write_text(tmp_path / "entry.json", "whole")
    assert len(names(tmp_path)) == 2


@pytest.mark.parametrize("name", ["[a]*?.json", ".json", "a b", "ö"])
def test_a_name_of_any_characters_is_meant_itself(tmp_path, gone, name):
    (tmp_path / ".a.json.unfinished-x").touch()
    unfinished_beside(tmp_path / name).touch()
    gone()
    write_text(tmp_path / name, "whole")
    assert names(tmp_path) == sorted([name, ".a.json.unfinished-x"])


def test_a_folder_is_gone_after_its_block(tmp_path):
    with unfinished_folder(tmp_path / "mapper") as folder:
        (folder / "file").touch()
        assert folder.parent == tmp_path
    assert names(tmp_path) == []


def test_a_name_that_is_too_long_is_one_sentence(tmp_path):
    with pytest.raises(UserError, match="File name too long"):
        write_text(Path(tmp_path, "x" * 250), "")
