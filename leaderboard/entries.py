"""Files of the entries of a leaderboard, and the refusal of those that are wrong."""

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.files import is_folder
from graftbench.benchmark.results.schema import Entry

ENTRIES = "entries"
SHORT_HASH = 8  # characters of a hash in the name of a file
MAX_REPORTED = 5  # problems in one message


def entry_files(folder: Path) -> list[Path]:
    """Return the files of all entries of a leaderboard; UserError where there are none."""
    entries = folder / ENTRIES
    files = sorted(entries.glob("*.json")) if is_folder(entries) else []
    if not files:
        raise UserError(
            f"{entries} holds no entry: `graftbench submit RUN` adds one; --leaderboard names another folder."
        )
    return files


@contextmanager
def collector_off() -> Iterator[None]:
    """Keep the collector of cycles off: entries have none, and it would look at all their parts again and again."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def file_name(entry: Entry) -> str:
    """Return the name of an entry's file: mapper, the first characters of its hash, and of the suite's."""
    return f"{entry.mapper.name}-{entry.mapper.sha256[:SHORT_HASH]}-{entry.suite.hash[:SHORT_HASH]}.json"


def by_suite(entries: Sequence[Entry]) -> dict[str, list[Entry]]:
    """Group entries by the name of their suite, in the order of these names."""
    names = sorted({entry.suite.name for entry in entries})
    return {name: [entry for entry in entries if entry.suite.name == name] for name in names}


def refuse(refusal: str, problems: Sequence[str]) -> None:
    """Raise UserError with the first problems, in one sentence, if there are any."""
    if problems:
        more = f", and {len(problems) - MAX_REPORTED} more" if len(problems) > MAX_REPORTED else ""
        raise UserError(f"{refusal}: {'; '.join(each.rstrip('.') for each in problems[:MAX_REPORTED])}{more}.")
