"""Write the shipped gold sets: `python -m graftbench.judges.gold`."""

from graftbench.judges.gold.gold_set import SETS, gold_lines
from graftbench.judges.gold.labels import shipped_file

if __name__ == "__main__":
    for name in SETS:
        shipped_file(name).write_text("".join(gold_lines(name)), encoding="utf-8")
