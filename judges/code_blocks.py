"""Python code in a completion: in fences or tags, or between lines of text."""

import ast
import re
import textwrap

_FENCE = re.compile(r"\s*(```|~~~)(.*)")  # and the language after it, if any
_TAGS = re.compile(r"<code>(.*?)(?:</code>|\Z)", re.DOTALL | re.IGNORECASE)  # unclosed where a reply was cut off
_FIRST_LINE = re.compile(
    r"(def|class|import|from|async def|with|for|if|try|return|print|eval|exec)\b|[\w.]+ ?= |[\w.]+\(|@"
)


def python_in(text: str) -> list[str]:
    """Return the parts of a text that are Python: marked blocks, and lines outside of them that parse.

    From a block that does not parse, such as one that was cut off, the runs of lines that do.
    """
    blocks, rest = _split_fences(text)
    blocks += _TAGS.findall(rest)
    rest = _TAGS.sub("\n", rest)
    if not blocks and parses(text):
        return [text.strip()]
    parts = [part for block in blocks for part in _parsing_parts(textwrap.dedent(block))]
    return parts + _runs(rest.splitlines())


def parses(code: str) -> bool:
    """Return True where a text parses as Python."""
    try:
        ast.parse(code.strip())
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # everything that `ast.parse` raises on odd text
        return False
    return True


def _split_fences(text: str) -> tuple[list[str], str]:
    """Return the blocks between fences, the last of which may be unclosed, and the text outside of them."""
    blocks: list[list[str]] = []
    outside: list[str] = []
    opening: str | None = None
    for line in text.splitlines():
        fence = _FENCE.fullmatch(line)
        if opening is None and fence:
            opening = fence[1]
            blocks.append([])
        elif opening is not None and fence and fence[1] == opening and not fence[2].strip():
            opening = None
        elif opening is None:
            outside.append(line)
        else:
            blocks[-1].append(line)
    return ["\n".join(block) for block in blocks], "\n".join(outside)


def _parsing_parts(block: str) -> list[str]:
    if not block.strip():
        return []
    return [block.strip()] if parses(block) else _runs(block.splitlines())


def _runs(lines: list[str]) -> list[str]:
    """Return the longest runs of lines that begin like code and parse together."""
    runs: list[str] = []
    start = 0
    while start < len(lines):
        end = _end_of_run(lines, start) if _FIRST_LINE.match(lines[start]) else start
        if end > start:
            runs.append("\n".join(lines[start:end]))
        start = max(end, start + 1)
    return runs


def _end_of_run(lines: list[str], start: int) -> int:
    """Return the end of the longest run that parses; `start` where none does."""
    return next((end for end in range(len(lines), start, -1) if parses("\n".join(lines[start:end]))), start)
