"""Sizes of files and of memory, in words."""

GIB = 2**30
_UNITS = ((GIB, "GiB"), (2**20, "MiB"), (2**10, "KiB"))


def size_in_words(n_bytes: float) -> str:
    """Return a number of bytes in the largest unit of which it is at least one, such as `3.1 MiB`."""
    for unit, name in _UNITS:
        if n_bytes >= unit:
            n = n_bytes / unit
            return f"{n:.0f} {name}" if n >= 100 else f"{n:.1f} {name}"
    return f"{n_bytes:.0f} bytes"
