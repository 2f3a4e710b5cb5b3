"""The parts of a wall, each by itself: what is visible, the command of bubblewrap, the filter of system calls."""

import ctypes
import os
import signal
import socket
import struct
import sys
import time
from pathlib import Path

import pytest

import graftbench
from graftbench.benchmark.mappers.isolation import bwrap, landlock, namespaces, seccomp
from graftbench.benchmark.mappers.isolation import view as view_module
from graftbench.benchmark.mappers.isolation.libc import call
from graftbench.benchmark.mappers.isolation.privileges import drop_capabilities, end_with_parent
from graftbench.benchmark.mappers.isolation.view import View, around, environment, view_of
from tests.benchmark.mappers.isolation.forked import forked

PR_GET_DUMPABLE = 3
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


def test_a_cache_below_a_folder_that_is_shown_is_hidden_whatever_link_leads_to_it(tmp_path, monkeypatch):
    for name in ("lib", "cache/work"):
        (tmp_path / "system" / name).mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "system" / "cache")
    monkeypatch.setenv("GRAFTBENCH_CACHE", str(tmp_path / "link"))
    monkeypatch.setattr(view_module, "_SYSTEM", (*view_module._SYSTEM, str(tmp_path / "system")))
    view_of.cache_clear()
    seen = view_of(None, on_gpu=False)
    view_of.cache_clear()
    assert visible(seen, tmp_path / "system" / "lib")
    assert visible(seen, seen.packages)
    assert not visible(seen, tmp_path / "system" / "cache" / "work")


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


def behind_namespaces(view, look, user):
    """What a user sees behind a wall of namespaces and nothing else; skipped where it cannot be set up."""

    def entered():
        try:
            if os.geteuid() == 0 and user:
                be_somebody()
            namespaces.enter(view, 2**20)
        except OSError as error:
            return f"skip: {error}"
        return look()

    seen = forked(entered)
    if isinstance(seen, str) and seen.startswith("skip"):
        pytest.skip(f"no namespaces can be set up here: {seen}")
    return seen


def be_somebody():
    """Be a user who is not root, for whom a wall of namespaces begins with one of users."""
    call("unshare", 0x10000000)
    for name, line in (("setgroups", "deny"), ("uid_map", "1000 0 1"), ("gid_map", "1000 0 1")):
        Path("/proc/self", name).write_text(line)


def outcomes(tries):
    """Which of some functions succeed, by name; the others raise an OSError."""
    done = {}
    for name, what in tries.items():
        try:
            what()
            done[name] = True
        except OSError:
            done[name] = False
    return done


@pytest.fixture
def bare(tmp_path):
    """A view of one folder that anybody may write to."""
    (tmp_path / "shown").mkdir()
    (tmp_path / "shown").chmod(0o777)
    (tmp_path / "shown" / "file").write_text("seen")
    (tmp_path / "secret").write_text("of the user")
    return View(tmp_path / "shown", (tmp_path / "shown",), (), (Path("/dev/null"),))


@pytest.mark.parametrize("user", [0, 1000])
def test_namespaces_by_themselves_leave_no_network_and_no_other_process(bare, user):
    def look():
        tries = {"network": lambda: socket.create_connection(("127.0.0.1", port), timeout=2).close()}
        numbers = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal()]
        return outcomes(tries) | {"pid": os.getpid(), "processes": numbers}

    "".encode("idna")  # which a connection looks up, behind the wall in vain
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        seen = behind_namespaces(bare, look, user)
    assert seen == {"network": False, "pid": 1, "processes": [1]}


@pytest.mark.parametrize("user", [0, 1000])
def test_namespaces_by_themselves_hide_files_and_let_only_scratch_be_written(bare, tmp_path, user):
    def look():
        return outcomes(
            {
                "shown": (tmp_path / "shown" / "file").read_bytes,
                "secret": (tmp_path / "secret").read_bytes,
                "passwords": Path("/etc/passwd").read_bytes,
                "in the root": lambda: Path("/new").write_text("x"),
                "in what is shown": lambda: (tmp_path / "shown" / "new").write_text("x"),
                "a little": lambda: Path("/scratch/new").write_bytes(bytes(2**18)),
                "much": lambda: Path("/scratch/more").write_bytes(bytes(2**21)),
                "a device": lambda: Path("/dev/null").write_text("x"),
                "be root": lambda: os.setuid(0),
            }
        )

    seen = behind_namespaces(bare, look, user)
    assert {name for name, done in seen.items() if done} == {"shown", "a little", "a device"}


def test_privileges_are_given_up_for_good():
    if not Path("/proc/self/status").exists():
        pytest.skip("not Linux")

    def dropped():
        drop_capabilities()
        lines = Path("/proc/self/status").read_text().splitlines()
        told = dict(line.split(":\t", 1) for line in lines if line.startswith(("Cap", "NoNewPrivs")))
        return told | {"dumpable": ctypes.CDLL(None).prctl(PR_GET_DUMPABLE, 0, 0, 0, 0)}

    found = forked(dropped)
    assert found["NoNewPrivs"] == "1"
    assert {int(found[name], 16) for name in ("CapInh", "CapPrm", "CapEff")} == {0}
    if os.geteuid() == 0:
        assert int(found["CapBnd"], 16) == 0
    assert found["dumpable"] == 0


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs prctl")
def test_a_process_ends_with_its_parent_whatever_it_is_doing():
    def parent():
        ready, is_ready = os.pipe()
        number = os.getpid()
        if os.fork() == 0:
            signal.alarm(20)
            end_with_parent(number)
            os.write(is_ready, b".")
            while True:
                pass
        return len(os.read(ready, 1))

    started = time.monotonic()
    assert forked(parent) == 1  # which waits for whoever holds the pipe
    assert time.monotonic() - started < 10


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
