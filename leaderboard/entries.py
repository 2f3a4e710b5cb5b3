"""Files of the entries of a leaderboard, and the refusal of those that are wrong."""

from collections.abc import Sequence
from pathlib import Path

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.files import is_folder
from graftbench.benchmark.results.schema import Entry

MAX_REPORTED = 5  # problems in one message


def entry_files(folder: Path) -> list[Path]:
    """Return the files of all entries of a leaderboard; UserError where there are none."""
    entries = folder / "entries"
    files = sorted(entries.glob("*.json")) if is_folder(entries) else []
    if not files:
        raise UserError(
            f"{entries} holds no entry: `graftbench submit RUN` adds one; --leaderboard names another folder."
        )
    return files


def file_name(entry: Entry) -> str:
    """Return the name of an entry's file: mapper, the first characters of its hash, and of the suite's."""
    return f"{entry.mapper.name}-{entry.mapper.sha256[:8]}-{entry.suite.hash[:8]}.json"


def refuse(refusal: str, problems: Sequence[str]) -> None:
    """Raise UserError with the first problems, in one sentence, if there are any."""
    if problems:
        more = f", and {len(problems) - MAX_REPORTED} more" if len(problems) > MAX_REPORTED else ""
        raise UserError(f"{refusal}: {'; '.join(problems[:MAX_REPORTED])}{more}.")
