"""Addresses of servers, and texts without the key and the passwords that they may hold."""

import os
from urllib.parse import urlsplit, urlunsplit

KEY = "OPENAI_API_KEY"
_SHORTEST = 8  # characters; servers that want no key are given a word such as `none`, which replies may hold


def is_address(text: str) -> bool:
    """Return True for an http or https address."""
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False


def without_secrets(address: str) -> str:
    """Return an address without the user, password and query that it may hold: entries are published."""
    parts = urlsplit(address)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query=""))


def hidden(text: str, address: str | None) -> str:
    """Return a text of a server without the key, and without the secrets of its address: some servers repeat them."""
    parts = urlsplit(address or "")
    for secret in (os.environ.get(KEY), parts.password, parts.query):
        if secret and len(secret) >= _SHORTEST:
            text = text.replace(secret, "***")
    return text
