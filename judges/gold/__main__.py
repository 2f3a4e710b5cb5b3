"""Write the shipped gold set: `python -m graftbench.judges.gold`."""

from graftbench.judges.gold.gold_set import FILE, gold_lines

if __name__ == "__main__":
    FILE.write_text("".join(gold_lines()), encoding="utf-8")
