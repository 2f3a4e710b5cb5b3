"""Files and folders that are moved to their places together: all of them, or none where one cannot be."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

Move = tuple[Path | None, Path]  # what is moved, and to where; None: the place is cleared


@contextmanager
def folders(*wanted: Path) -> Iterator[None]:
    """Make folders; those that nothing was put into are taken away again."""
    missing = [path for folder in wanted for path in (*reversed(folder.parents), folder) if not path.exists()]
    made = list(dict.fromkeys(missing))
    try:
        for path in made:
            path.mkdir()
        yield
    finally:
        for path in reversed(made):
            with suppress(OSError):  # something is in it, or it could not be made
                path.rmdir()


def put_in_place(moves: Sequence[Move], aside: Path) -> None:
    """Make some moves in turn; whatever ends them before the last one puts back what was there.

    `aside` is a folder on the same disk, where what was there is kept meanwhile. A file takes the place of another in
    one step.
    """
    with ExitStack() as undo:
        for i, (new, place) in enumerate(moves):
            _move(new, place, aside / f"former-{i}", undo)
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
