"""Whether the Hub answers, and why it does not give what it is asked for, in a few words."""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.error import HTTPError
from urllib.request import Request, urlopen

NO_HUB = "the Hub cannot be reached from here"
GATED = "gated: accept its conditions on its page, and run `hf auth login`"
SECONDS = 5.0  # that the Hub has to answer, once; its client would try for half a minute at each name


def hub_answers() -> bool:
    """Return whether the Hub answers at all, after one try; False where its client was told to stay offline."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return False
    try:
        with urlopen(Request(constants.ENDPOINT, method="HEAD"), timeout=SECONDS):  # noqa: S310 - https, or the user's
            return True
    except HTTPError:
        return True
    except OSError:
        return False


@contextmanager
def asked_once() -> Iterator[None]:
    """Ask the Hub once whether it is there; where it is not, its client and `datasets` do not try it again in here."""
    if hub_answers():
        yield
        return
    from datasets import config  # it copies the setting when it is imported, and keeps it
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE, config.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = config.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE, config.HF_HUB_OFFLINE = before


def why_not(error: Exception, kind: str) -> str:
    """Return why the Hub did not give a model or dataset, without a full stop; `kind` is what the Hub calls it."""
    from huggingface_hub.errors import GatedRepoError, LocalEntryNotFoundError, RepositoryNotFoundError

    if isinstance(error, GatedRepoError):
        return GATED
    if isinstance(error, RepositoryNotFoundError):
        return f"the Hub has no such {kind}, or it is private"
    if isinstance(error, LocalEntryNotFoundError | ConnectionError):
        return NO_HUB
    return str(error).partition("\n")[0].rstrip(".") or type(error).__name__
