"""One thing that a suite needs, and what the Hub says of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from graftbench.benchmark.core.hub import NO_HUB, why_not

FETCHED = "on the Hub, unless it was fetched"
ON_HUB = "on the Hub"
SHIPS = "ships with graftbench"


@dataclass(frozen=True)
class Needed:
    """A model, a dataset, texts or a task of a suite, with its size in bytes where that is known.

    `here` is None where it is not known.
    """

    kind: str
    name: str
    here: bool | None
    size: int | None = None
    note: str = ""


def asked_of_hub(
    name: str, revision: str | None, kind: str, *, files: str | None = None, ignored: Sequence[str] = ()
) -> tuple[int | None, str]:
    """Return the bytes of a model or dataset on the Hub, None where it does not say, and why it does not.

    `kind` is what the Hub calls it. Nothing is downloaded.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, RepositoryNotFoundError

    try:
        found = snapshot_download(
            name,
            repo_type=kind,
            revision=revision,
            allow_patterns=files,
            ignore_patterns=list(ignored),
            dry_run=True,
        )
    except RepositoryNotFoundError as error:  # or gated
        return None, why_not(error, kind)
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError):
        return None, NO_HUB
    return sum(file.file_size or 0 for file in found), ""
