"""The page, from the entries of a leaderboard: one file that needs no network, and no scripts to be read."""

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from graftbench.benchmark.core.files import write_text
from graftbench.benchmark.results.schema import Entry
from graftbench.leaderboard.page.cells import experiments
from graftbench.leaderboard.page.mappers import TRACKS, card, rankings
from graftbench.leaderboard.page.sweeps import Swept, by_task, sweeps_in
from graftbench.leaderboard.ranking import leaderboard_of
from graftbench.leaderboard.verify import sound_entries

HERE = Path(__file__).parent
PAGE = "index.html"


def write_page(folder: Path) -> Path:
    """Write the page of a leaderboard, whose entries are verified first."""
    path = folder / PAGE
    write_text(path, page_of(sound_entries(folder), sweeps_in(folder)))
    return path


def page_of(entries: Sequence[Entry], sweeps: Sequence[Swept] = ()) -> str:
    """The page as text; everything that entries say is escaped, and no script runs but its own."""
    best_first = sorted(entries, key=lambda e: (e.headline.score is None, -(e.headline.score or 0.0), e.mapper.name))
    found = experiments(best_first)
    script = (HERE / "page.js").read_text(encoding="utf-8")
    board = leaderboard_of(entries)
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("page.html.j2").render(
        suite=entries[0].suite,
        tracks=TRACKS,
        rankings=rankings(board, entries),
        cards=[card(entry) for entry in best_first],
        experiments=[one for one in found if not one.check],
        checks=[one for one in found if one.check],
        sweeps=by_task(sweeps),
        style=Markup((HERE / "page.css").read_text(encoding="utf-8")),  # noqa: S704 (our own)
        script=Markup(script),  # noqa: S704 (our own)
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )
