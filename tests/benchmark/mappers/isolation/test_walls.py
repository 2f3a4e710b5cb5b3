"""The parts of a wall, each by itself: what is visible, the command of bubblewrap, the filter of system calls."""

import os
import struct
from pathlib import Path

import pytest

import graftbench
from graftbench.benchmark.mappers.isolation import bwrap, landlock, seccomp
from graftbench.benchmark.mappers.isolation.view import View, around, environment, view_of

PACKAGE = Path(graftbench.__file__).parent


@pytest.fixture
def view(tmp_path, monkeypatch):
    monkeypatch.setenv("GRAFTBENCH_CACHE", str(tmp_path / "cache"))
    view_of.cache_clear()
    yield view_of(None, on_gpu=False)
    view_of.cache_clear()


def visible(view, path):
    return any(path.resolve().is_relative_to(shown) for shown in view.readable)


@pytest.mark.parametrize(
    "hidden",
    ["benchmark/zoo", "benchmark/organisms", "tasks", "judges", "leaderboard", "benchmark/suites", "benchmark/runs"],
)
def test_what_is_no_business_of_a_mapper_is_hidden(view, hidden):
    assert not visible(view, PACKAGE / hidden)
    assert not visible(view, Path.home())
    assert not (view.packages / "graftbench" / hidden).exists()


def test_what_a_mapper_imports_is_there(view):
    for shown in (PACKAGE / "plugin.py", PACKAGE / "benchmark" / "mappers" / "protocol.py", Path(os.__file__)):
        assert visible(view, shown)
    for name in ("torch", "numpy", "sklearn", "safetensors", "graftbench/plugin.py"):
        assert visible(view, view.packages / name)
    assert View.from_json(view.as_json()) == view


def test_the_cache_is_hidden_but_for_the_folder_of_links(view, tmp_path):
    assert view.packages.is_relative_to(tmp_path / "cache")
    assert not visible(view, tmp_path / "cache" / "work")


def test_a_hidden_folder_is_left_out_of_what_is_around_it(tmp_path):
    site = tmp_path / "site-packages"
    for name in ("torch/lib", "graftbench/benchmark/zoo", "numpy"):
        (site / name).mkdir(parents=True)
    (site / "link").symlink_to(site / "graftbench")
    assert list(around(tmp_path, [site / "graftbench"])) == [site / "numpy", site / "torch"]
    assert list(around(site / "torch", [site / "graftbench"])) == [site / "torch"]


def test_the_environment_is_short(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert environment("/scratch")["OMP_NUM_THREADS"] == "3"
    assert set(environment("/scratch")) & {"OPENAI_API_KEY", "HF_TOKEN", "PYTHONPATH", "GRAFTBENCH_CACHE"} == set()
    assert environment("/scratch")["HOME"] == "/scratch"


def test_the_command_of_bubblewrap():
    view = View(Path("/p"), (Path("/p"), Path("/usr")), ((Path("/lib"), Path("usr/lib")),), (Path("/dev/nvidia0"),))
    words = bwrap.arguments("/usr/bin/bwrap", view, 99, ["python", "-I"])
    assert " ".join(words) == (
        "/usr/bin/bwrap --unshare-all --die-with-parent --new-session --as-pid-1 --cap-drop ALL --dev /dev "
        "--size 4096 --tmpfs /dev/shm --proc /proc --size 99 --tmpfs /scratch --ro-bind /p /p --ro-bind /usr /usr "
        "--symlink usr/lib /lib --dev-bind /dev/nvidia0 /dev/nvidia0 --remount-ro /dev --remount-ro / --chdir / "
        "-- python -I"
    )


def outcome(program, number, argument=0, audit=0xC000003E):
    """What a filter returns for a system call, as the kernel would run it."""
    data = struct.pack("=iIQQ", number, audit, 0, argument)
    at = loaded = 0
    while True:
        code, if_true, if_false, value = program[at]
        match code:
            case 0x20:
                loaded = struct.unpack_from("=I", data, value)[0]
                at += 1
            case 0x06:
                return value
            case _:
                said = {0x15: loaded == value, 0x45: bool(loaded & value), 0x35: loaded >= value}[code]
                at += 1 + (if_true if said else if_false)


ALLOWED, KILLED, REFUSED, UNKNOWN = 0x7FFF0000, 0x80000000, 0x00050001, 0x00050026


@pytest.mark.parametrize(
    ("number", "argument", "expected"),
    [
        (0, 0, ALLOWED),  # read
        (9, 0, ALLOWED),  # mmap
        (41, 0, REFUSED),  # socket
        (59, 0, REFUSED),  # execve
        (56, 0x11, REFUSED),  # clone, as fork does it
        (56, 0x3D0F00, ALLOWED),  # clone, as a thread is made
        (435, 0, UNKNOWN),  # clone3
        (62, 1, REFUSED),  # kill another process
        (62, 77, ALLOWED),  # kill itself
        (234, 77, ALLOWED),  # tgkill, as abort does it
        (157, 1, REFUSED),  # prctl: outlive the parent
        (157, 15, ALLOWED),  # prctl: name a thread
        (0x40000000 + 41, 0, REFUSED),  # socket, as x32 has it
        (445, 0, ALLOWED),  # landlock_add_rule: further restrictions are welcome
    ],
)
def test_the_filter_of_system_calls(number, argument, expected):
    program = seccomp.program("x86_64", 77)
    assert outcome(program, number, argument) == expected
    assert outcome(program, number, argument, audit=0x40000003) == KILLED  # a 32-bit call
    assert len(program) < 4096


def test_the_filter_of_another_machine_has_its_own_numbers():
    program = seccomp.program("aarch64", 77)
    assert outcome(program, 198, audit=0xC00000B7) == REFUSED
    assert outcome(program, 63, audit=0xC00000B7) == ALLOWED


def test_landlock_leaves_only_what_is_named(tmp_path):
    if not landlock.version():
        pytest.skip("this kernel has no Landlock")
    for name in ("seen", "hidden", "scratch"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    pid = os.fork()
    if pid == 0:
        os._exit(_restricted(tmp_path))
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0


def _restricted(folder):
    from graftbench.benchmark.mappers.isolation.privileges import drop_capabilities

    drop_capabilities()
    landlock.restrict([folder / "seen", folder / "missing"], [folder / "scratch"], [])
    (folder / "scratch" / "file").write_text("new")
    wrong = (folder / "seen" / "file").read_text() != "seen"
    for path, way in ((folder / "hidden" / "file", "r"), (folder / "seen" / "file", "w"), (folder / "other", "w")):
        try:
            path.open(way).close()
            wrong = True
        except PermissionError:
            continue
    return int(wrong)
