import sys
from importlib.metadata import EntryPoint

import pytest

from graftbench.benchmark.core import plugins, store
from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.plugins import is_builtin, plugin, plugin_names, third_party_sources
from graftbench.benchmark.mappers.info import describe

MAPPER = """
class Mine:
    def fit(self, pairs, *, seed): ...
    def __call__(self, source): ...
"""


@pytest.fixture
def installed(monkeypatch, tmp_path):
    """Add entry points to the installed ones."""
    real = plugins.entry_points
    monkeypatch.syspath_prepend(tmp_path)

    def install(kind, **points):
        more = [EntryPoint(name, value, f"graftbench.{kind}") for name, value in points.items()]
        monkeypatch.setattr(
            plugins, "entry_points", lambda group: [*real(group=group), *(p for p in more if p.group == group)]
        )
        plugins._points.cache_clear()
        store.code_version.cache_clear()

    yield install
    monkeypatch.undo()
    plugins._points.cache_clear()
    store.code_version.cache_clear()
    for name in [name for name in sys.modules if name.partition(".")[0] == "elsewhere"]:
        del sys.modules[name]


@pytest.fixture
def package(tmp_path):
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "mapper.py").write_text(MAPPER)
    return folder


def test_a_plugin_from_elsewhere_is_found_and_is_not_built_in(installed, package):
    installed("mappers", mine="elsewhere.mapper:Mine")
    assert plugin("mappers", "mine").__name__ == "Mine"
    assert "mine" in plugin_names("mappers")
    assert is_builtin("mappers", "ridge")
    assert not is_builtin("mappers", "mine")
    assert not is_builtin("mappers", "nobody")


def test_two_plugins_of_one_name_are_an_error_where_that_name_is_used(installed, package):
    installed("mappers", ridge="elsewhere.mapper:Mine")
    with pytest.raises(UserError, match="Two packages bring a mapper called 'ridge' .elsewhere.mapper:Mine and graftb"):
        plugin("mappers", "ridge")
    assert plugin("mappers", "identity")


@pytest.mark.parametrize("kind", ["tasks", "judges"])
def test_the_cache_depends_on_the_code_of_tasks_and_judges_from_elsewhere(installed, package, kind):
    before = store.code_version()
    installed(kind, mine="elsewhere.mapper:Mine")
    assert {file.name for file in third_party_sources()} == {"__init__.py", "mapper.py"}
    with_plugin = store.code_version()
    (package / "helper.py").write_text("x = 1")
    store.code_version.cache_clear()
    assert len({before, with_plugin, store.code_version()}) == 3


def test_the_hash_of_a_mapper_from_elsewhere_covers_its_whole_package(installed, package):
    installed("mappers", mine="elsewhere.mapper:Mine")
    before = describe("mine").sha256
    (package / "helper.py").write_text("x = 1")
    assert describe("mine").sha256 != before
