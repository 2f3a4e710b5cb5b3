"""Numbers of things in words."""


def counted(n: int, what: str) -> str:
    """Return a number with the name of what is counted, such as `1 cell` and `2 cells`."""
    return f"{n} {what}" if n == 1 else f"{n} {what}s"
