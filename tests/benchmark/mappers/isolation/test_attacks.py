"""A hostile mapper gets nowhere: what it tries is refused or harmless, and is told in one sentence."""

import gc
import os
import re
import socket
import sys
import tempfile
import traceback
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

import graftbench
from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.mappers.checking import planted, write
from graftbench.benchmark.mappers.host import NOT_ISOLATED, CheckedMap, MapperCodeError, MapperError
from graftbench.benchmark.mappers.hosts import host_of
from graftbench.benchmark.mappers.info import describe
from graftbench.benchmark.mappers.isolation import sandbox
from graftbench.benchmark.mappers.isolation.libc import call
from graftbench.benchmark.mappers.isolation.limits import Limits
from graftbench.benchmark.mappers.isolation.sandbox import SandboxError, tried
from tests.benchmark.mappers.isolation.hostile import TRIES, mine

SECRET = "sk-of-whoever-runs-it"
LIMITS = Limits(memory=2**29, fit_seconds=3, call_seconds=3, file_size=2**20, open_files=64, tasks=64)
WALLS = ("bwrap", "namespaces", "")  # the last is none: what Landlock, seccomp and limits do by themselves


def walls_here(wall):
    """What there is on this machine behind a wall; the test is skipped where it cannot be set up."""
    if wall == "bwrap" and sandbox.bwrap.program() is None:
        pytest.skip("bubblewrap is not installed")
    try:
        here = tried(wall)
    except SandboxError as error:
        pytest.skip(f"{wall or 'a process'} cannot be set up here: {error}")
    if not set(here) & sandbox.WALLS_OF_FILES:
        pytest.skip("nothing here hides files: Landlock is missing")
    return here


@pytest.fixture(scope="module")
def best():
    return next(iter_walls())


def iter_walls():
    for wall in WALLS:
        try:
            yield walls_here(wall)
        except pytest.skip.Exception:
            continue
    pytest.skip("nothing here keeps a mapper apart")


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "pairs"
    write(planted(), folder)
    return folder


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    gc.collect()  # the processes of tests before, whose errors hold on to them
    monkeypatch.setattr(sandbox, "LIMITS", LIMITS)
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "states.safetensors").write_bytes(b"of the target on test prompts")
    return tmp_path


@pytest.fixture
def submitted(home):
    def submitted(code, isolation, **options):
        file = home / "mine.py"
        file.write_text(code)
        kept = isolation if isinstance(isolation, str) else "+".join(isolation)
        return host_of(describe(f"{file}:Mine", options), "cpu", kept)

    return submitted


@contextmanager
def listening():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def tries(submitted, pairs, home, isolation, **more):
    with listening() as port:
        where = {"home": str(home), "package": str(Path(graftbench.__file__).parent), "port": port}
        return submitted(TRIES, isolation, **where, **more).fit(pairs, 0).record


@pytest.mark.parametrize("wall", WALLS)
def test_whatever_it_tries_behind_a_wall_is_refused(submitted, pairs, home, wall):
    here = walls_here(wall)
    record = tries(submitted, pairs, home, here, careful="seccomp" not in here)
    done = {name for name, outcome in record.items() if outcome == "done"}
    by_seccomp = {"local_socket", "fork", "program", "outlive", "namespace", "memory_file"}
    assert done <= (set() if "seccomp" in here else by_seccomp)
    assert len(record) == 20 if "seccomp" in here else 18
    assert not (home / "written").exists()


NEW_USER, SOMEBODY, NOT_ALLOWED = 0x10000000, 1000, 77  # flag of unshare(2), a user who is not root, a status


def behind_a_user_namespace(check):
    """Run a check in a process of somebody who is not root, for whom a wall of namespaces begins with one of users."""
    with tempfile.TemporaryFile("w+") as said:
        pid = os.fork()
        if pid == 0:
            os._exit(_as_somebody(check, said))
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        said.seek(0)
        if status == NOT_ALLOWED:
            pytest.skip(f"a user has no namespaces here: {said.read()}")
        assert status == 0, said.read()


def _as_somebody(check, said):
    try:
        if os.geteuid() == 0:
            call("unshare", NEW_USER)
            for name, line in (("setgroups", "deny"), ("uid_map", f"{SOMEBODY} 0 1"), ("gid_map", f"{SOMEBODY} 0 1")):
                Path("/proc/self", name).write_text(line)
        assert os.geteuid() != 0
        sandbox._sandboxes.clear()  # those of the process that was forked
        check(tried("namespaces"))
    except (OSError, SandboxError) as error:
        said.write(str(error))
        return NOT_ALLOWED
    except BaseException:  # noqa: BLE001 (the status tells it)
        traceback.print_exc(file=said)
        return 1
    finally:
        said.flush()
        sandbox.end_sandboxes()
    return 0


def test_whatever_it_tries_behind_a_namespace_of_users_is_refused(submitted, pairs, home):
    def check(here):
        assert here[0] == "namespaces"
        record = tries(submitted, pairs, home, here, careful="seccomp" not in here)
        by_seccomp = {"local_socket", "fork", "program", "outlive", "namespace", "memory_file"}
        done = {name for name, outcome in record.items() if outcome == "done"}
        assert done <= (set() if "seccomp" in here else by_seccomp)
        assert not (home / "written").exists()

    behind_a_user_namespace(check)


def test_what_stops_it_behind_a_namespace_of_users_is_told(submitted, pairs):
    def check(here):
        for code, told in (
            (mine("held = [bytearray(2**20) for _ in range(2**12)]"), "MemoryError"),
            (mine("[open(str(i), 'wb').write(bytes(2**18)) for i in range(64)]"), "space left"),
            (mine("time.sleep(100)"), "it gave no answer within 3 s"),
            (mine("os._exit(7)"), "its process ended with status 7"),
            (mine("raise ValueError('\\x1b[2J')"), r"ValueError: \\x1b\[2J"),
        ):
            with pytest.raises(MapperError, match=told):
                submitted(code, here).fit(pairs, 0)
        assert submitted(mine(), here).fit(pairs, 0).record == {}

    behind_a_user_namespace(check)


def test_without_isolation_the_same_mapper_succeeds(submitted, pairs, home):
    record = tries(submitted, pairs, home, NOT_ISOLATED, harmless=True)
    assert set(record.values()) == {"done"}
    assert (home / "written").exists()


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (mine("torch.ones(2**28).sum()"), "RuntimeError: .* can.t allocate memory"),  # a GiB
        (mine("held = [bytearray(2**20) for _ in range(2**12)]"), "MemoryError"),
        (mine("open('large', 'wb').write(bytes(2**21))"), "OSError: .* File too large"),
        (mine("[open(str(i), 'wb').write(bytes(2**18)) for i in range(64)]; time.sleep(2)"), "space left|more than"),
        (mine("time.sleep(100)"), "it gave no answer within 3 s"),
        (mine("os._exit(7)"), "its process ended with status 7"),
        (mine("import ctypes; ctypes.string_at(0)"), "its process was ended by SIGSEGV"),
        (mine("os.closerange(3, 100); time.sleep(9)"), "its process broke the connection"),
        (mine("sys.exit('enough')"), "SystemExit: enough"),
        (mine("raise ValueError('\\x1b[2J' + 'x' * 5000)"), r"ValueError: \\x1b\[2Jx*"),
        (mine("return {'a': object()}"), "TypeError: Object of type object is not JSON"),
        (mine("return [1]"), "its fit returned something else than a dictionary"),
        (mine("return {'words': 'x' * 2**21}"), "which is more than was asked for"),
    ],
    ids=[
        "a tensor",
        "memory",
        "file",
        "disk",
        "hangs",
        "leaves",
        "crash",
        "closes",
        "exit",
        "control",
        "object",
        "list",
        "large",
    ],
)
def test_what_stops_it_is_told_in_one_sentence(submitted, pairs, best, code, told):
    with pytest.raises(MapperError, match=told) as error:
        submitted(code, best).fit(pairs, 0)
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 1200
    host = submitted(mine(), best)  # others go on
    assert host.fit(pairs, 0).record == {}


def test_control_characters_do_not_reach_the_terminal(submitted, pairs, best, capfd):
    submitted(mine("print('\\x1b]0;owned\\x07 and on', flush=True); os.write(2, b'\\x9b2J')"), best).fit(pairs, 0)
    told = capfd.readouterr()
    assert "mine: \\x1b]0;owned\\x07 and on" in told.err
    assert "\x1b" not in told.err + told.out
    assert "\x9b" not in told.err


def test_what_it_does_to_torch_stays_with_it(submitted, pairs, best, home):
    patched = "torch.isfinite = lambda x: torch.ones_like(x, dtype=bool)\ntorch.Tensor.isfinite = torch.isfinite\n"
    host = submitted(mine(call="return source @ self.weight * float('nan')", before=patched), best)
    host.fit(pairs, 0)
    with pytest.raises(FloatingPointError, match="values that are not finite"):
        CheckedMap(host, 32)(torch.ones(2, 24))


SUBCLASS = """
class Sly(torch.Tensor):
    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        os.write(1, b"here\\n")
        return super().__torch_function__(function, types, args, kwargs or {})
"""


def test_a_tensor_of_a_class_of_its_own_arrives_as_a_plain_one(submitted, pairs, best, home):
    host = submitted(mine(call="return (source @ self.weight).as_subclass(Sly)", before=SUBCLASS), best)
    host.fit(pairs, 0)
    carried = CheckedMap(host, 32)(torch.ones(2, 24))
    assert type(carried) is torch.Tensor
    assert torch.equal(carried, torch.full((2, 32), 24.0))


def test_a_pickle_in_its_state_is_a_string_and_an_object_is_refused(submitted, pairs, best, home):
    host = submitted(mine("self.note = pickle.dumps(os.getcwd, 0).decode()"), best)
    host.fit(pairs, 0)
    host.save(home / "fitted")
    again = submitted(mine(), best)
    again.load(home / "fitted")
    assert torch.equal(again.carry(torch.ones(1, 24)), torch.full((1, 32), 24.0))
    host = submitted(mine("self.note = os"), best)
    host.fit(pairs, 0)
    with pytest.raises(MapperError, match="TypeError: the field note is no tensor, number or string"):
        host.save(home / "other")


@pytest.mark.parametrize("wall", WALLS)
def test_its_home_is_its_own_scratch_folder_which_is_gone_with_it(submitted, pairs, wall):
    places = "os.environ['HOME'], os.environ['TMPDIR'], __import__('tempfile').gettempdir()"
    here = walls_here(wall)
    found = [
        submitted(mine(f"return {{'in': [{places}, os.getcwd()]}}"), here).fit(pairs, 0).record["in"] for _ in "ab"
    ]
    assert [len(set(places)) for places in found] == [1, 1]
    assert found[0] != found[1]
    if not wall:
        assert not Path(found[0][0]).exists()


def test_a_disk_is_not_filled_where_no_wall_limits_it(submitted, pairs):
    here = walls_here("")
    code = mine("[open(str(i), 'wb').write(bytes(2**18)) for i in range(64)]; time.sleep(2)")
    with pytest.raises(MapperError, match="it wrote more than 1048576 bytes"):
        submitted(code, here).fit(pairs, 0)


def test_who_fills_the_disk_and_fails_leaves_it_empty_for_the_next(submitted, pairs, best):
    fills = mine("[open(str(i), 'wb').write(bytes(2**18)) for i in range(64)]; time.sleep(2)")
    gc.disable()  # its process has to end without
    try:
        with pytest.raises(MapperError):
            submitted(fills, best).fit(pairs, 0)
        assert submitted(mine("open('half', 'wb').write(bytes(2**19))"), best).fit(pairs, 0).record == {}
    finally:
        gc.enable()


def test_it_cannot_leave_anything_for_its_next_fit(submitted, pairs, best):
    code = mine("open('left', 'w').close(); return {'there': sorted(os.listdir('.'))}")
    hosts = [submitted(code, best) for _ in range(2)]
    assert [host.fit(pairs, 0).record for host in hosts] == 2 * [{"there": ["left", "pairs"]}]
    if "landlock" in best:
        with pytest.raises(MapperError, match="PermissionError"):
            submitted(mine("os.listdir('..')"), best).fit(pairs, 0)


@pytest.mark.parametrize("call", ["return torch.ones(7)", "return torch.ones(2**20)"], ids=["few", "many"])
def test_rows_of_another_shape_are_refused(submitted, pairs, best, call):
    host = submitted(mine(call=call), best)
    host.fit(pairs, 0)
    with pytest.raises((ValueError, MapperError), match="the mapper made|more than was asked for"):
        CheckedMap(host, 32)(torch.ones(2, 24))


FORGE = """
def forge():
    for handle in range(3, 30):
        try:
            os.write(handle, b'{"record": {}}' * 9)
        except OSError:
            pass
"""


def test_frames_that_it_forges_are_refused(submitted, pairs, best):
    with pytest.raises(MapperError, match="more than was asked for|no JSON"):
        submitted(mine("forge()", before=FORGE), best).fit(pairs, 0)


SHORT = """
import json, struct

def forge(shape, payload):
    header = json.dumps({"shape": shape}).encode()
    for handle in range(3, 30):
        try:
            os.write(handle, struct.pack("<IQ", len(header), len(payload)) + header + payload)
        except OSError:
            pass
"""


@pytest.mark.parametrize(
    ("shape", "told"),
    [
        ([2, 32], "it sent rows of another number than it said"),
        ([2, -32], "it sent rows without a shape"),
        ("rows", "it sent rows without a shape"),
    ],
)
def test_rows_that_are_not_as_many_as_it_says_are_refused(submitted, pairs, best, shape, told):
    host = submitted(mine(call=f"forge({shape!r}, bytes(8))", before=SHORT), best)
    host.fit(pairs, 0)
    with pytest.raises(MapperError, match=told):
        host.carry(torch.ones(2, 24))


def test_what_it_prints_without_end_is_cut(submitted, pairs, best, capfd):
    host = submitted(mine("print('x' * 2**17, flush=True)", call="print('more', flush=True)"), best)
    host.fit(pairs, 0)
    host.carry(torch.ones(1, 24))
    told = capfd.readouterr().err
    assert told.count("x") < 2**16 + 100
    assert told.count("mine: (what it prints from here on is left out)\n") == 1
    assert "more" not in told


def test_code_that_cannot_be_imported_is_a_mistake_of_whoever_names_it(submitted, pairs, best):
    with pytest.raises(UserError, match=r"mine.py cannot be imported: ModuleNotFoundError: .* \(line 11 of mine.py\)"):
        submitted(mine(before="import nothing_of_the_kind"), best).fit(pairs, 0)


@pytest.mark.parametrize(
    "does",
    [
        "open('/home/mine/notes.txt')",
        "os.environ['MY_TOKEN']",
        "__import__('urllib.request').request.urlopen('http://x')",
    ],
)
def test_an_error_that_isolation_may_cause_says_so_and_names_its_own_line(submitted, pairs, best, does):
    source = mine(f"os.sep.join(['a']); {does}")
    (line,) = (n for n, text in enumerate(source.splitlines(), 1) if does in text)
    with pytest.raises(MapperCodeError, match="Error") as error:
        submitted(source, best).fit(pairs, 0)
    assert f"(line {line} of mine.py); it runs isolated" in str(error.value)
    assert "`--no-isolation` runs it without that" in str(error.value)


def test_an_error_of_another_kind_names_its_own_line_alone(submitted, pairs, best):
    source = mine("torch.ones(2) @ torch.ones(3)")
    with pytest.raises(MapperCodeError) as error:
        submitted(source, best).fit(pairs, 0)
    assert re.fullmatch(r"RuntimeError: .* \(line \d+ of mine.py\)", str(error.value))


@pytest.mark.parametrize(
    ("does", "too_few"),
    [
        ("raise __import__('graftbench.plugin').plugin.TooFewPairsError('four texts at least')", True),
        ("torch.linalg.inv(torch.zeros(2, 2))", True),
        ("float('x')", False),
    ],
)
def test_an_error_says_whether_it_is_of_its_data(submitted, pairs, best, does, too_few):
    with pytest.raises(MapperCodeError) as error:
        submitted(mine(does), best).fit(pairs, 0)
    assert error.value.too_few_pairs is too_few


def test_a_machine_that_isolates_less_than_the_run_says_is_refused(submitted, pairs, best):
    with pytest.raises(MapperError, match="a submission is isolated by .* in this run, and here by"):
        submitted(mine(), (*best, "magic")).fit(pairs, 0)


def test_a_submission_has_no_place_in_this_process_unasked(submitted, pairs, best, home):
    before = set(sys.modules)
    submitted(mine(), best).fit(pairs, 0)
    assert not {name for name in set(sys.modules) - before if "submission" in name}
    with pytest.raises(ValueError, match="does not come with graftbench"):
        host_of(describe(f"{home / 'mine.py'}:Mine"), "cpu", None)
