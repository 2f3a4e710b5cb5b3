"""Numbers of bytes, as a reader wants them."""

_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")


def size_text(n_bytes: float) -> str:
    """Return a number of bytes in the largest unit that it has one of, with three digits: `1.50 GiB`, `45.0 MiB`."""
    unit = 0
    while n_bytes >= 999.5 and unit < len(_UNITS) - 1:
        n_bytes, unit = n_bytes / 1024, unit + 1
    digits = 0 if unit == 0 or n_bytes >= 99.95 else 1 if n_bytes >= 9.995 else 2
    return f"{n_bytes:.{digits}f} {_UNITS[unit]}"
