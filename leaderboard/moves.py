"""Several moves of files and folders that happen all or not at all."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

Move = tuple[Path | None, Path]  # from and to; from None: only clear the destination


@contextmanager
def new_folders(*wanted: Path) -> Iterator[None]:
    """Make folders, and remove those that are still empty at the end."""
    missing = [path for folder in wanted for path in (*reversed(folder.parents), folder) if not path.exists()]
    made = list(dict.fromkeys(missing))
    try:
        for path in made:
            path.mkdir()
        yield
    finally:
        for path in reversed(made):
            with suppress(OSError):  # it is not empty, or was never made
                path.rmdir()


def move_all(moves: Sequence[Move], backup: Path) -> None:
    """Make some moves in turn; where one fails, undo those before it.

    `backup` is a folder on the same disk, for what was at the destinations. A file replaces another in one step.
    """
    with ExitStack() as undo:
        for i, (new, place) in enumerate(moves):
            _move(new, place, backup / f"former-{i}", undo)
        undo.pop_all()


def _move(new: Path | None, place: Path, former: Path, undo: ExitStack) -> None:
    if new is not None and place.is_file():
        shutil.copy2(place, former)
        undo.callback(former.replace, place)
        new.replace(place)
        return
    if place.exists():
        place.rename(former)
        undo.callback(former.rename, place)
    if new is not None:
        new.rename(place)
        undo.callback(place.rename, new)
