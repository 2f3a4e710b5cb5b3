"""The page of a leaderboard: one file, made from its entries, that needs no network and is readable without scripts."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from graftbench.benchmark.core.files import write_text
from graftbench.benchmark.results.schema import Entry
from graftbench.leaderboard.entries import collector_off
from graftbench.leaderboard.page.mappers import OUTCOMES
from graftbench.leaderboard.page.suites import suite_views
from graftbench.leaderboard.page.sweeps import SweepView, read_sweeps
from graftbench.leaderboard.scoring import Scoring, read_scorings
from graftbench.leaderboard.verify import sound_entries

HERE = Path(__file__).parent
PAGE = "index.html"


@collector_off()
def write_page(folder: Path) -> Path:
    """Verify all entries of a leaderboard, write its page, and return its path."""
    path, entries = folder / PAGE, sound_entries(folder)
    names = {entry.suite.name for entry in entries}
    sweeps = {name: read_sweeps(folder, name) for name in names}
    write_text(path, page_of(entries, sweeps, read_scorings(folder, names)))
    return path


def page_of(
    entries: Sequence[Entry],
    sweeps: Mapping[str, Sequence[SweepView]] = MappingProxyType({}),
    scorings: Mapping[str, Scoring] = MappingProxyType({}),
) -> str:
    """Return the page as HTML, with a part for each suite; `sweeps` and `scorings` are by the name of the suite.

    Texts of entries are escaped, and only the page's own script may run.
    """
    script = (HERE / "page.js").read_text(encoding="utf-8")
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("page.html.j2").render(
        suites=suite_views(entries, sweeps, scorings),
        outcomes=OUTCOMES,
        style=Markup((HERE / "page.css").read_text(encoding="utf-8")),  # noqa: S704 (our own)
        script=Markup(script),  # noqa: S704 (our own)
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )
