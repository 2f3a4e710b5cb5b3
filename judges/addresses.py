"""Addresses of servers, as they are asked and as they may be published."""

from urllib.parse import urlsplit, urlunsplit


def is_address(text: str) -> bool:
    """Whether a server can be asked there."""
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False


def without_secrets(address: str) -> str:
    """An address without the name and password that may stand in it: entries are published."""
    parts = urlsplit(address)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query=""))
