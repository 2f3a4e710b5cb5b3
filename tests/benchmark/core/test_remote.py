import fsspec
import pytest

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.store import Store


def never():
    raise AssertionError("this machine has it, or can fetch it")


@pytest.fixture
def address(tmp_path):
    """A folder in memory, of no other test."""
    yield f"memory://{tmp_path.name}"
    fsspec.filesystem("memory").rm("/", recursive=True)


def machine(folder, address, monkeypatch):
    monkeypatch.setenv("GRAFTBENCH_CACHE", str(folder))
    return Store(address=address)


@pytest.fixture
def two(tmp_path, address, monkeypatch):
    """The stores of two machines that share an address."""
    return machine(tmp_path / "one", address, monkeypatch), machine(tmp_path / "two", address, monkeypatch)


def test_what_one_machine_makes_the_other_fetches(two):
    one, other = two
    assert one.value("things", ["x"], lambda: [1, "ü"]) == [1, "ü"]
    assert other.value("things", ["x"], never) == [1, "ü"]
    assert other.value("things", ["x"], never) == [1, "ü"]


def test_folders_come_whole(two):
    def fill(folder):
        (folder / "large.bin").write_bytes(bytes(1000))
        (folder / "empty").write_text("")

    two[0].folder("things", [], fill)
    fetched = two[1].folder("things", [], lambda _: never())
    assert (fetched / "large.bin").read_bytes() == bytes(1000)
    assert (fetched / "empty").read_text() == ""


def test_a_folder_without_its_list_is_not_there(two):
    """As after a machine that died while it put the files."""
    files = fsspec.filesystem("memory")
    two[0].value("things", [], lambda: 1)
    (manifest,) = (path for path in files.find(two[0].place) if path.endswith(".json"))
    files.rm_file(manifest)
    assert two[1].value("things", [], lambda: 2) == 2


def test_what_is_damaged_there_is_made_again_and_mended(two, tmp_path, address, monkeypatch, caplog):
    files = fsspec.filesystem("memory")
    two[0].value("things", [], lambda: [1, 2])
    (content,) = (path for path in files.find(address) if "/files/" in path)
    files.pipe_file(content, b"[1")
    assert two[1].value("things", [], lambda: [1, 2]) == [1, 2]
    assert "damaged" in caplog.text
    assert machine(tmp_path / "three", address, monkeypatch).value("things", [], never) == [1, 2]


def test_two_machines_that_make_the_same_do_no_harm(two, tmp_path, address, monkeypatch):
    """What they make may differ in what no result depends on, such as the seconds that it took."""

    def other_is_faster():
        two[1].value("things", [], lambda: {"seconds": 1})
        return {"seconds": 2}

    assert two[0].value("things", [], other_is_faster) == {"seconds": 2}
    found = machine(tmp_path / "three", address, monkeypatch).value("things", [], never)
    assert found in ({"seconds": 1}, {"seconds": 2})


def test_the_address_is_named_by_a_variable(tmp_path, address, monkeypatch):
    monkeypatch.setenv("GRAFTBENCH_CACHE", str(tmp_path))
    monkeypatch.setenv("GRAFTBENCH_REMOTE_CACHE", address)
    assert Store().place == address
    assert Store(tmp_path).place == str(tmp_path)
    monkeypatch.delenv("GRAFTBENCH_REMOTE_CACHE")
    assert Store().place == str(tmp_path / "work")
    assert Store.at(address).root == tmp_path / "work"


@pytest.mark.parametrize(
    ("address", "told"),
    [("nowhere://x", "The cache nowhere://x cannot be used"), ("file:///proc/none", "/none cannot be reached")],
)
def test_an_address_that_cannot_be_used_is_one_sentence(tmp_path, monkeypatch, address, told):
    with pytest.raises(UserError, match=told):
        machine(tmp_path, address, monkeypatch).value("things", [], lambda: 1)
