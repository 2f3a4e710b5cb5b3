"""Writes the gold set that ships, `pocket.jsonl`, from what was constructed and what was read."""

from graftbench.judges.gold.whole import FILE, lines

if __name__ == "__main__":
    FILE.write_text("".join(lines()), encoding="utf-8")
