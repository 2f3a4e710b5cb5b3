"""The page of a leaderboard: one file, made from its entries, that needs no network and is readable without scripts."""

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
from graftbench.leaderboard.page.sweeps import SweepView, by_task, read_sweeps
from graftbench.leaderboard.ranking import leaderboard_of
from graftbench.leaderboard.verify import sound_entries

HERE = Path(__file__).parent
PAGE = "index.html"


def write_page(folder: Path) -> Path:
    """Verify all entries of a leaderboard, write its page, and return its path."""
    path = folder / PAGE
    write_text(path, page_of(sound_entries(folder), read_sweeps(folder)))
    return path


def page_of(entries: Sequence[Entry], sweeps: Sequence[SweepView] = ()) -> str:
    """Return the page as HTML; texts of entries are escaped, and only the page's own script may run."""
    best_first = sorted(entries, key=lambda e: (e.headline.score is None, -(e.headline.score or 0.0), e.mapper.name))
    views = experiments(best_first)
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
        experiments=[view for view in views if not view.check],
        checks=[view for view in views if view.check],
        sweeps=by_task(sweeps),
        style=Markup((HERE / "page.css").read_text(encoding="utf-8")),  # noqa: S704 (our own)
        script=Markup(script),  # noqa: S704 (our own)
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )
